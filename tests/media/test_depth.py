"""More than 8 bits, fields, mastering: what a source's pictures have is in the file, or it is told."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.codec import Codec

from rtfilter.cli.main import main
from rtfilter.errors import OutputError
from rtfilter.frame import Frame
from rtfilter.media.depth import DEEP_FORMATS, words_of
from rtfilter.media.info import SourceInfo
from rtfilter.media.pixels import FilterChain
from rtfilter.planes import Planes
from rtfilter.sinks.compare import CompareSink, compared_info
from rtfilter.sinks.file import FileSink
from rtfilter.sources.file import FileSource
from rtfilter.system.arrays import Box

BOX = Box(16, 12, 40, 32)
# BT.2020 and the curve of HDR10 (PQ), FFmpeg's numbers; limited range.
BT2020, PQ = 9, 16


def noise(index: int, pix_fmt: str, width: int = 64, height: int = 48) -> av.VideoFrame:
    """Samples that use every bit: what a detour by 8 bits would destroy."""
    rng, deep = np.random.default_rng(index), DEEP_FORMATS[pix_fmt]
    picture = av.VideoFrame(width, height, pix_fmt)
    for words in words_of(picture):
        words[...] = rng.integers(1 << (deep.bits - 3), 7 << (deep.bits - 3), words.shape)
    return picture


def deep_clip(path: Path, pix_fmt: str, *, frames: int = 3, tags=(BT2020, 1, BT2020, PQ), size=(64, 48)):
    """A lossless clip; the words of its pictures."""
    made = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        context = stream.codec_context
        context.colorspace, context.color_range, context.color_primaries, context.color_trc = tags
        context.time_base = Fraction(1, 25)
        for index in range(frames):
            picture = noise(index, pix_fmt, *size)
            made.append([words.copy() for words in words_of(picture)])
            picture.pts, picture.time_base = index, Fraction(1, 25)
            picture.colorspace, picture.color_range, picture.color_primaries, picture.color_trc = tags
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return made


def convert(path: Path, target: Path, step=Frame.unchanged, **options) -> FileSink:
    source = FileSource(path)
    sink = FileSink(target, source.info, **options)
    while (frame := source.read()) is not None:
        sink.write(step(frame))
    sink.close(complete=True)
    source.close()
    return sink


def pictures(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def brighter(frame: Frame) -> Frame:
    """The luma 20 levels up within the box, as a lane gives it back: 8-bit planes."""
    planes = frame.planes
    assert planes is not None
    out: Planes = planes.copy()
    inside = out.luma[BOX.y0 : BOX.y1, BOX.x0 : BOX.x1]
    inside[...] = np.clip(inside.astype(int) + 20, 0, 255)
    return frame.filtered(out, BOX)


@pytest.mark.parametrize("family", ["yuv420p", "yuv422p", "yuv444p", "gbrp"])
@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
def test_ffv1_of_nothing_changed_keeps_every_bit(tmp_path: Path, family: str, bits: int) -> None:
    """It became 8-bit RGB, while every frame was said to have passed unchanged."""
    pix_fmt = f"{family}{bits}le"
    if pix_fmt not in {known.name for known in Codec("ffv1", "w").video_formats or ()}:
        pytest.skip(f"FFV1 has no {pix_fmt} here")
    tags = (0, 2, BT2020, PQ) if family == "gbrp" else (BT2020, 1, BT2020, PQ)
    made = deep_clip(tmp_path / "in.mkv", pix_fmt, tags=tags)
    sink = convert(tmp_path / "in.mkv", tmp_path / "out.mkv", codec="ffv1")
    got = pictures(tmp_path / "out.mkv")
    assert len(got) == 3
    for words, picture in zip(made, got, strict=True):
        assert picture.format.name == pix_fmt
        assert all(np.array_equal(a, b) for a, b in zip(words, words_of(picture), strict=True))
        shown = (picture.colorspace, picture.color_range, picture.color_primaries, picture.color_trc)
        assert tuple(int(tag) for tag in shown)[2:] == tags[2:]
        assert family == "gbrp" or tuple(int(tag) for tag in shown) == tags
    assert sink.notes == []


def rows_of(picture: av.VideoFrame) -> list[np.ndarray]:
    """The samples of every plane: uint8 [h, bytes], without row padding."""
    rows = []
    for index, plane in enumerate(picture.planes):
        parts = [c for c in picture.format.components if c.plane == index]
        size = (max(c.bits for c in parts) + 7) // 8
        count = 4 if picture.format.name in ("bgra", "rgba") else len(parts)
        held = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        rows.append(held[:, : plane.width * count * size])
    return rows


def own_clip(path: Path, pix_fmt: str, codec: str = "ffv1", size: tuple[int, int] = (64, 48)):
    rng, made = np.random.default_rng(3), []
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        for index in range(3):
            picture = av.VideoFrame(*size, pix_fmt)
            bits = max(component.bits for component in picture.format.components)
            for plane in picture.planes:
                count = plane.buffer_size if bits == 8 else plane.buffer_size // 2
                words = rng.integers(1 << (bits - 2), 3 << (bits - 2), count)
                plane.update(words.astype(np.uint8 if bits == 8 else "<u2").tobytes())
            picture.pts, picture.time_base = index, Fraction(1, 25)
            made.append(picture)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return made


OWN = ["gray", "gray10le", "gray12le", "gray16le", "yuv411p", "yuv410p", "yuv440p", "yuv440p10le", "ya8"]
OWN += ["yuva420p", "yuva422p", "yuva444p", "yuva420p10le", "yuva444p12le", "bgra", "gbrap12le"]


@pytest.mark.parametrize("pix_fmt", OWN)
@pytest.mark.parametrize("size", [(64, 48), (67, 45), (128, 96)])
def test_ffv1_holds_the_pixel_format_of_its_source(tmp_path: Path, pix_fmt: str, size) -> None:
    """Grey, 4:1:1, 4:1:0, 4:4:0 and transparency became 8-bit RGB."""
    made = own_clip(tmp_path / "in.mkv", pix_fmt, size=size)
    sink = convert(tmp_path / "in.mkv", tmp_path / "out.mkv", codec="ffv1")
    got = pictures(tmp_path / "out.mkv")
    if pix_fmt == "yuv410p" and size[1] % 4:
        assert "the pixel format yuv410p becomes 8-bit RGB" in sink.notes[0]
        return
    assert sink.notes == []
    assert [picture.format.name for picture in got] == 3 * [pix_fmt]
    for before, after in zip(made, got, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(rows_of(before), rows_of(after), strict=True))


@pytest.mark.parametrize("pix_fmt", OWN)
def test_ffv1_adds_an_edit_to_the_own_pixel_format(tmp_path: Path, pix_fmt: str) -> None:
    def edited(frame: Frame) -> Frame:
        rgb = frame.rgb.copy()
        inside = rgb[BOX.y0 : BOX.y1, BOX.x0 : BOX.x1]
        inside[...] = np.where(inside < 128, inside + 40, inside - 40)
        return frame.filtered(rgb, BOX)

    made = own_clip(tmp_path / "in.mkv", pix_fmt)
    convert(tmp_path / "in.mkv", tmp_path / "out.mkv", edited, codec="ffv1")
    source, result = FileSource(tmp_path / "in.mkv"), FileSource(tmp_path / "out.mkv")
    changes = []
    for before, after in zip(made, pictures(tmp_path / "out.mkv"), strict=True):
        first, second = rows_of(before)[0], rows_of(after)[0]
        assert not np.array_equal(first, second)
        assert np.array_equal(first[: BOX.y0], second[: BOX.y0])
        assert np.array_equal(first[BOX.y1 :], second[BOX.y1 :])
        alphas = [c for c in before.format.components if c.is_alpha]
        if alphas and alphas[0].plane == 3:
            assert np.array_equal(rows_of(before)[3], rows_of(after)[3])
        wanted, got = edited(source.read()).rgb, result.read().rgb
        inner = (slice(BOX.y0 + 4, BOX.y1 - 4), slice(BOX.x0 + 4, BOX.x1 - 4))
        changes.append(np.abs(wanted[inner].astype(int) - got[inner]).mean())
    # 40 is the edit; what a format has at full size comes back as it was asked for.
    full = pix_fmt.startswith(("bgra", "gbrap"))
    assert max(changes) < (1 if full else 30)


@pytest.mark.parametrize(
    "pix_fmt", ["yuyv422", "uyvy422", "rgb24", "argb", "nv16", "nv24", "gray16be", "rgba64be"]
)
def test_ffv1_loses_nothing_of_packed_pictures(tmp_path: Path, pix_fmt: str) -> None:
    kind = {"yuyv422": "yuv422p", "nv16": "yuv422p", "nv24": "yuv444p", "argb": "bgra"}
    (made, *_) = own_clip(tmp_path / "in.mkv", "gray16le" if "gray" in pix_fmt else "rgba64le")
    made = made.reformat(format=pix_fmt)
    made.pts, made.time_base = 0, Fraction(1, 25)
    sink = FileSink(tmp_path / "out.mkv", SourceInfo("made", 64, 48, Fraction(25), False), codec="ffv1")
    sink.write(Frame.from_av(made).unchanged())
    sink.close(complete=True)
    (got,) = pictures(tmp_path / "out.mkv")
    assert got.format.name == kind.get(pix_fmt, got.format.name)
    assert all(
        np.array_equal(a, b)
        for a, b in zip(rows_of(made), rows_of(got.reformat(format=pix_fmt)), strict=True)
    )
    assert sink.notes == []


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv422p12le", "yuv444p16le"])
@pytest.mark.parametrize("colour_range", [1, 2])
def test_an_edit_is_added_at_the_samples_own_scale(tmp_path: Path, pix_fmt: str, colour_range: int) -> None:
    made = deep_clip(tmp_path / "in.mkv", pix_fmt, tags=(BT2020, colour_range, BT2020, PQ))
    convert(tmp_path / "in.mkv", tmp_path / "out.mkv", brighter, codec="ffv1")
    deep = DEEP_FORMATS[pix_fmt]
    step = 20 * ((2**deep.bits - 1) / 255 if colour_range == 2 else 2 ** (deep.bits - 8))
    for words, picture in zip(made, pictures(tmp_path / "out.mkv"), strict=True):
        luma = words_of(picture)[0].astype(int)
        expected = words[0].astype(int)
        expected[BOX.y0 : BOX.y1, BOX.x0 : BOX.x1] += round(step)
        assert np.array_equal(luma, expected)
        for old, new in zip(words[1:], words_of(picture)[1:], strict=True):
            assert np.array_equal(old, new)


def test_an_edit_of_deep_rgb_and_one_in_rgb(tmp_path: Path) -> None:
    def brightened(frame: Frame) -> Frame:
        rgb = frame.rgb.copy()
        rgb[BOX.y0 : BOX.y1, BOX.x0 : BOX.x1] += 20  # of deep RGB none is over 224
        return frame.filtered(rgb, BOX)

    for pix_fmt in ("gbrp10le", "yuv420p10le"):
        made = deep_clip(tmp_path / "in.mkv", pix_fmt, tags=(0 if "gbr" in pix_fmt else 1, 1, 2, 2))
        convert(tmp_path / "in.mkv", tmp_path / "out.mkv", brightened, codec="ffv1", overwrite=True)
        outside = np.ones((48, 64), bool)
        outside[BOX.y0 : BOX.y1, BOX.x0 : BOX.x1] = False
        for words, picture in zip(made, pictures(tmp_path / "out.mkv"), strict=True):
            change = words_of(picture)[0].astype(int) - words[0]
            assert not change[outside].any()
            assert change[~outside].any()
            assert pix_fmt != "gbrp10le" or set(change[~outside]) == {80}


@pytest.mark.parametrize("pix_fmt", ["p010le", "yuv420p10be", "p210le", "x2rgb10le"])
def test_other_orders_of_the_same_samples_are_kept(pix_fmt: str) -> None:
    planar = {"p010le": "yuv420p10le", "yuv420p10be": "yuv420p10le", "p210le": "yuv422p10le"}
    made = noise(5, planar.get(pix_fmt, "gbrp10le"))
    packed = made.reformat(format=pix_fmt)
    packed.pts, packed.time_base = 7, Fraction(1, 25)
    native = Frame.from_av(packed).native
    assert native.format.name == made.format.name
    assert native.pts == 7
    assert all(np.array_equal(a, b) for a, b in zip(words_of(made), words_of(native), strict=True))


@pytest.mark.parametrize(
    ("codec", "source", "kept", "note"),
    [
        ("h264", "yuv420p10le", "yuv420p10le", "10 bits a sample are kept, as H.264 High 10"),
        ("h264", "yuv422p10le", "yuv422p10le", "as H.264 High 10"),
        (
            "h264",
            "yuv420p12le",
            "yuv420p10le",
            "12 bits a sample become 10 in h264; --codec hevc or ffv1 keeps more",
        ),
        ("hevc", "yuv420p10le", "yuv420p10le", None),
        ("hevc", "yuv420p12le", "yuv420p12le", None),
        ("hevc", "yuv420p16le", "yuv420p12le", "16 bits a sample become 12 in hevc; --codec ffv1 keeps more"),
        ("vp9", "yuv420p10le", None, "10 bits a sample become 8 in vp9; --codec hevc or ffv1 keeps more"),
    ],
)
def test_codecs_keep_what_they_can_and_say_the_rest(tmp_path, codec, source, kept, note) -> None:
    made = deep_clip(tmp_path / "in.mkv", source, frames=6)
    sink = convert(tmp_path / "in.mkv", tmp_path / "out.mkv", codec=codec)
    got = pictures(tmp_path / "out.mkv")
    assert len(got) == 6
    assert kept is None or got[0].format.name == kept
    assert (int(got[0].colorspace), int(got[0].color_primaries), int(got[0].color_trc)) == (9, 9, 16)
    if kept is not None:
        down = DEEP_FORMATS[source].bits - DEEP_FORMATS[kept].bits
        error = words_of(got[0])[0].astype(int) - (made[0][0].astype(int) >> down)
        assert np.abs(error).mean() < 0.03 * 2 ** DEEP_FORMATS[kept].bits
    assert len(sink.notes) == (note is not None) if kept else sink.notes
    assert note is None or note in sink.notes[0]


def test_the_advice_is_right_for_odd_sides_and_grey(tmp_path: Path) -> None:
    deep_clip(tmp_path / "in.mkv", "yuv420p10le", size=(63, 47))
    sink = convert(tmp_path / "in.mkv", tmp_path / "out.mp4")
    assert sink.notes[0].endswith("10 bits a sample become 8 in h264; --codec ffv1 keeps more")
    with av.open(str(tmp_path / "grey.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gray10le"
        container.mux([*stream.encode(av.VideoFrame(64, 48, "gray10le")), *stream.encode(None)])
    sink = convert(tmp_path / "grey.mkv", tmp_path / "out.mkv", codec="ffv1")
    assert sink.notes == []
    assert pictures(tmp_path / "out.mkv")[0].format.name == "gray10le"


def test_hevc_in_mp4_is_what_apple_plays(tmp_path: Path) -> None:
    deep_clip(tmp_path / "in.mkv", "yuv420p10le")
    convert(tmp_path / "in.mkv", tmp_path / "out.mp4", codec="hevc")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


def test_a_turned_deep_picture_keeps_its_bits(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p10le"
        stream.set_display_rotation(90)
        picture = noise(1, "yuv420p10le")
        picture.pts = 0
        container.mux([*stream.encode(picture), *stream.encode(None)])
    (flat,) = pictures(tmp_path / "in.mp4")
    convert(tmp_path / "in.mp4", tmp_path / "out.mkv", codec="ffv1")
    (upright,) = pictures(tmp_path / "out.mkv")
    for old, new in zip(words_of(flat), words_of(upright), strict=True):
        assert np.array_equal(np.rot90(old), new)


def test_transparency_and_a_comparison_say_what_they_lose(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuva420p"
        container.mux([*stream.encode(av.VideoFrame(64, 48, "yuva420p")), *stream.encode(None)])
    sink = convert(tmp_path / "in.mkv", tmp_path / "out.mkv", codec="h264")
    assert sink.notes == [f"{tmp_path / 'out.mkv'}: transparency is left out"]
    deep_clip(tmp_path / "deep.mkv", "yuv420p10le")
    source = FileSource(tmp_path / "deep.mkv")
    both = CompareSink(FileSink(tmp_path / "both.mkv", compared_info(source.info), codec="ffv1"))
    frame = source.read()
    assert frame is not None
    both.write(frame)
    both.close(complete=True)
    assert both.notes == ["a comparison has 8 bits a sample, the source 10"]


@pytest.mark.parametrize(
    ("source", "codec", "kept", "notes"),
    [
        (
            "yuva444p12le",
            "h264",
            "yuv444p10le",
            [
                "12 bits a sample become 10 in h264; --codec hevc or ffv1 keeps more",
                "transparency is left out",
            ],
        ),
        ("yuva444p12le", "hevc", "yuv444p12le", ["transparency is left out"]),
        ("yuva444p", "h264", "yuv444p", ["transparency is left out"]),
        ("yuva420p", "vp9", "yuv420p", ["transparency is left out"]),
        ("yuv411p", "h264", "yuv420p", ["chroma has fewer samples: yuv411p becomes yuv420p"]),
        ("yuv440p", "h264", "yuv420p", ["chroma has fewer samples: yuv440p becomes yuv420p"]),
        ("yuv410p", "h264", "yuv420p", []),
        ("gray", "h264", "yuv420p", []),
    ],
)
def test_what_is_under_transparency_is_kept(tmp_path, source, codec, kept, notes) -> None:
    """12 bits and 4:4:4 became 8 and 4:2:0, and of the chroma nothing was said."""
    own_clip(tmp_path / "in.mkv", source)
    sink = convert(tmp_path / "in.mkv", tmp_path / "out.mkv", codec=codec)
    assert pictures(tmp_path / "out.mkv")[0].format.name == kept
    assert sink.notes == [f"{tmp_path / 'out.mkv'}: {note}" for note in notes]


def interlaced_clip(path: Path, codec: str, field: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.flags |= int(av.codec.context.Flags.interlaced_dct)
        graph = av.filter.Graph()
        buffer = graph.add_buffer(
            width=64, height=64, format=av.VideoFormat("yuv420p"), time_base=Fraction(1, 25)
        )
        graph.link_nodes(buffer, graph.add("setfield", field), graph.add("buffersink")).configure()
        for index in range(10):
            picture = av.VideoFrame(64, 64, "yuv420p")
            for plane, top, bottom in zip(picture.planes, (60, 120, 130), (180, 140, 110), strict=True):
                row = plane.line_size
                plane.update((bytes([top]) * row + bytes([bottom]) * row) * (plane.height // 2))
            picture.pts, picture.time_base = index, Fraction(1, 25)
            graph.vpush(picture)
            container.mux(stream.encode(graph.vpull()))
        container.mux(stream.encode(None))


def first_field(picture: av.VideoFrame) -> float:
    """The mean luma of the field that is shown first."""
    return float(FilterChain().run(picture, ("separatefields", "")).to_ndarray(format="gray").mean())


@pytest.mark.parametrize("field", ["tff", "bff"])
@pytest.mark.parametrize(("codec", "suffix"), [("h264", ".mp4"), ("h264", ".mkv"), ("ffv1", ".mkv")])
def test_interlaced_stays_interlaced(tmp_path, field, codec, suffix) -> None:
    path = tmp_path / "in.ts"
    interlaced_clip(path, "mpeg2video", field)
    assert all(picture.interlaced_frame for picture in pictures(path))
    out = tmp_path / f"out{suffix}"
    sink = convert(path, out, codec=codec)
    assert sink.notes == []
    assert all(picture.interlaced_frame for picture in pictures(out))
    first = first_field(pictures(path)[0])
    assert first < 90 if field == "tff" else first > 150
    assert first_field(pictures(out)[0]) == pytest.approx(first, abs=3)
    if codec == "h264":
        with av.open(str(out)) as container:
            data = [bytes(packet) for packet in container.demux(video=0) if packet.size]
        # The message "picture timing" of every picture: 3 is top field first, 4 bottom field first.
        orders = {packet[packet.index(b"\x06\x01\x01") + 3] >> 4 for packet in data}
        assert orders == {3 if field == "tff" else 4}


@pytest.mark.parametrize("codec", ["hevc", "vp9"])
def test_where_there_are_no_fields_that_is_told(tmp_path: Path, codec: str) -> None:
    interlaced_clip(tmp_path / "in.ts", "mpeg2video", "tff")
    (note,) = convert(tmp_path / "in.ts", tmp_path / "out.mkv", codec=codec).notes
    assert "interlaced pictures are stored as progressive" in note


MASTER = (
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400"
)


@pytest.mark.parametrize("codec", ["h264", "hevc", "ffv1"])
def test_mastering_metadata_is_kept_or_told(tmp_path: Path, codec: str) -> None:
    from rtfilter.media.side_data import side_data

    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        options = {"x265-params": f"log-level=none:{MASTER}"}
        stream = container.add_stream("libx265", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p10le"
        for index in range(3):
            picture = noise(index, "yuv420p10le", 64, 64)
            picture.pts = index
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    sink = convert(tmp_path / "in.mp4", tmp_path / "out.mkv", codec=codec)
    names = ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")
    before, after = (pictures(tmp_path / name)[0] for name in ("in.mp4", "out.mkv"))
    assert all(side_data(before, name) for name in names)
    if codec == "ffv1":
        assert "HDR10 mastering metadata is left out" in sink.notes[0]
        return
    assert [side_data(after, name) for name in names] == [side_data(before, name) for name in names]


def test_strict_refuses_what_a_codec_loses_and_not_what_it_keeps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deep_clip(tmp_path / "in.mkv", "yuv420p12le", frames=2)
    words = ["run", "-i", str(tmp_path / "in.mkv"), "--codec", "h264", "--quiet", "--strict"]
    assert main([*words, "-o", str(tmp_path / "out.mp4")]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "12 bits a sample become 10" in err
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]
    convert(tmp_path / "in.mkv", tmp_path / "out.mkv", codec="hevc", strict=True)
    deep_clip(tmp_path / "ten.mkv", "yuv420p10le", frames=2)
    convert(tmp_path / "ten.mkv", tmp_path / "ten.mp4", codec="h264", strict=True)


def test_strict_refuses_to_lose_fields(tmp_path: Path) -> None:
    interlaced_clip(tmp_path / "in.ts", "mpeg2video", "tff")
    with pytest.raises(OutputError, match="stored as progressive"):
        convert(tmp_path / "in.ts", tmp_path / "out.mkv", codec="hevc", strict=True)
