"""Files as a sink: whole or not at all, each frame at its time, the source's bytes, the sound untouched."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from rtfilter.errors import InputError, OutputError, RtfilterError, UsageError
from rtfilter.frame import Frame
from rtfilter.media.info import SourceInfo
from rtfilter.sinks.codecs import Quality
from rtfilter.sinks.file import FileSink
from rtfilter.sources.file import FileSource
from rtfilter.system.arrays import Box
from tests.clips import audio_packets, clip, opencv_frames, picture_rgb, video_planes, video_times

INFO = SourceInfo("made", 64, 48, Fraction(30), live=False)
BOX = Box(16, 12, 40, 32)


def brightened(frame: Frame) -> Frame:
    rgb = frame.rgb.copy()
    inside = rgb[BOX.y0 : BOX.y1, BOX.x0 : BOX.x1]
    inside[...] = np.clip(inside.astype(int) + 30, 0, 255)
    return frame.filtered(rgb, BOX)


def untouched(frame: Frame) -> Frame:
    return frame.unchanged()


def convert(source_path: Path, target: Path, step=untouched, **options) -> list[Frame]:
    source = FileSource(source_path)
    sink = FileSink(target, source.info, **options)
    frames = []
    while (frame := source.read()) is not None:
        frames.append(step(frame))
        sink.write(frames[-1])
    sink.close(complete=True)
    source.close()
    return frames


def made(index: int, size: tuple[int, int] = (64, 48)) -> Frame:
    return Frame.from_rgb(picture_rgb(index, *size), pts=index * 33_333_333, seq=index)


PLANAR = ["yuv420p", "yuv422p", "yuv444p"]


@pytest.mark.parametrize("pix_fmt", PLANAR)
@pytest.mark.parametrize("size", [(64, 48), (63, 47)], ids=str)
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_ffv1_of_nothing_changed_is_the_source_bit_for_bit(tmp_path, pix_fmt, size, suffix) -> None:
    clip(tmp_path / "in.mkv", codec="ffv1", pix_fmt=pix_fmt, size=size)
    convert(tmp_path / "in.mkv", tmp_path / f"out{suffix}", codec="ffv1")
    before, after = video_planes(tmp_path / "in.mkv"), video_planes(tmp_path / f"out{suffix}")
    assert len(before) == len(after) == 12
    for old, new in zip(before, after, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(old, new, strict=True))


@pytest.mark.parametrize("tags", [(1, 1), (6, 1), (2, 0), (5, 2)], ids=str)
def test_outside_the_edit_every_byte_is_the_sources(tmp_path: Path, tags: tuple[int, int]) -> None:
    clip(tmp_path / "in.mkv", tags=tags)
    frames = convert(tmp_path / "in.mkv", tmp_path / "out.mkv", brightened, codec="ffv1")
    outside = np.ones((48, 64), bool)
    outside[BOX.y0 : BOX.y1, BOX.x0 : BOX.x1] = False
    for old, new in zip(video_planes(tmp_path / "in.mkv"), video_planes(tmp_path / "out.mkv"), strict=True):
        assert np.array_equal(old[0][outside], new[0][outside])
        assert not np.array_equal(old[0], new[0])
        for a, b in zip(old[1:], new[1:], strict=True):
            assert np.array_equal(a[outside[::2, ::2]], b[outside[::2, ::2]])
    source = FileSource(tmp_path / "out.mkv")
    for frame in frames:
        shown = source.read().rgb.astype(int)
        error = np.abs(shown - frame.rgb)[BOX.y0 + 2 : BOX.y1 - 2, BOX.x0 + 2 : BOX.x1 - 2]
        assert error.mean() < 1.5
    with av.open(str(tmp_path / "out.mkv")) as container:
        picture = next(container.decode(video=0))
        assert picture.format.name == "yuv420p"
        expected = (5 if tags[0] == 5 else tags[0], tags[1])
        assert (int(picture.colorspace), int(picture.color_range)) == expected


def test_an_independent_reader_sees_an_equal_background(tmp_path: Path) -> None:
    clip(tmp_path / "in.mp4", size=(128, 96))
    convert(tmp_path / "in.mp4", tmp_path / "out.mkv", brightened, codec="ffv1")
    pairs = list(zip(opencv_frames(tmp_path / "in.mp4"), opencv_frames(tmp_path / "out.mkv"), strict=True))
    assert len(pairs) == 12
    for old, new in pairs:
        assert np.array_equal(old[40:], new[40:])
        assert np.array_equal(old[:, 48:], new[:, 48:])
        assert not np.array_equal(old[14:30, 18:38], new[14:30, 18:38])


def test_full_range_jpeg_colours_stay_full_range(tmp_path: Path) -> None:
    clip(tmp_path / "in.mp4", pix_fmt="yuvj420p", options={"qp": "0"}, tags=(2, 2))
    convert(tmp_path / "in.mp4", tmp_path / "same.mp4", codec="h264")
    with av.open(str(tmp_path / "same.mp4")) as container:
        assert next(container.decode(video=0)).format.name == "yuvj420p"
    convert(tmp_path / "in.mp4", tmp_path / "exact.mkv", codec="ffv1")
    for old, new in zip(video_planes(tmp_path / "in.mp4"), video_planes(tmp_path / "exact.mkv"), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(old, new, strict=True))
    a, b = FileSource(tmp_path / "in.mp4").read(), FileSource(tmp_path / "exact.mkv").read()
    assert np.array_equal(a.rgb, b.rgb)


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "gray", "bgr0", "yuv440p"])
@pytest.mark.parametrize("size", [(64, 48), (63, 47), (1, 1)], ids=str)
def test_ffv1_of_other_formats_keeps_the_rgb(tmp_path: Path, pix_fmt: str, size: tuple[int, int]) -> None:
    clip(tmp_path / "in.mkv", frames=3, codec="ffv1", pix_fmt=pix_fmt, size=size, options={"level": "1"})
    # An edit in RGB is added to the samples of YUV, see test_depth.
    step = brightened if size == (64, 48) and not pix_fmt.startswith("yuv") else untouched
    frames = convert(tmp_path / "in.mkv", tmp_path / "out.mkv", step, codec="ffv1")
    source = FileSource(tmp_path / "out.mkv")
    for frame in frames:
        assert np.array_equal(source.read().rgb, frame.rgb)


@pytest.mark.parametrize("size", [(64, 48), (63, 47), (63, 48), (64, 47), (2, 2), (1, 1), (1, 5)], ids=str)
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "bgr0", "yuv420p10le"])
def test_h264_takes_any_size_and_never_crops(tmp_path: Path, pix_fmt: str, size: tuple[int, int]) -> None:
    clip(tmp_path / "in.mkv", frames=4, codec="ffv1", pix_fmt=pix_fmt, size=size, options={"level": "1"})
    frames = convert(tmp_path / "in.mkv", tmp_path / "out.mp4")
    source = FileSource(tmp_path / "out.mp4")
    assert (source.info.width, source.info.height) == size
    for frame in frames:
        error = np.abs(source.read().rgb.astype(int) - frame.rgb)
        assert error.mean() < 8 or min(size) <= 2  # half of the red corner's chroma is lost there


@pytest.mark.parametrize("codec", ["h264", "ffv1"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("first_pts", [0, 45_000])
def test_every_frame_keeps_its_time(tmp_path: Path, codec: str, suffix: str, first_pts: int) -> None:
    clip(tmp_path / "in.mp4", frames=25, first_pts=first_pts)
    convert(tmp_path / "in.mp4", tmp_path / f"out{suffix}", codec=codec)
    before, after = video_times(tmp_path / "in.mp4"), video_times(tmp_path / f"out{suffix}")
    assert len(before) == 25
    if suffix == ".mp4":
        assert after == before
    else:
        assert max(abs(a - b) for a, b in zip(before, after, strict=True)) <= Fraction(1, 1000)


def test_the_last_picture_has_a_length(tmp_path: Path) -> None:
    clip(tmp_path / "in.mp4", frames=10, steps=(3000,))
    convert(tmp_path / "in.mp4", tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(10 / 30, abs=0.002)


def test_generated_frames_with_nanosecond_times(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out.mp4", INFO)
    for index in range(300):
        sink.write(made(index))
    sink.close(complete=True)
    times = video_times(tmp_path / "out.mp4")
    assert max(abs(t - Fraction(i * 33_333_333, 10**9)) for i, t in enumerate(times)) <= Fraction(1, 90_000)


def test_times_closer_than_a_tick_still_make_a_file(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out.mp4", INFO)
    for index in range(5):
        sink.write(Frame.from_rgb(picture_rgb(index, 64, 48), pts=index, seq=index))
    sink.close(complete=True)
    assert len(video_times(tmp_path / "out.mp4")) == 5


@pytest.mark.parametrize(
    ("audio", "offset_s", "suffix"),
    [
        *(
            (audio, at, kind)
            for audio, at in (("aac", 0.0), ("aac", 0.4))
            for kind in (".mp4", ".mkv", ".mov")
        ),
        *((audio, 0.1, kind) for audio in ("flac", "libopus") for kind in (".mp4", ".mkv")),
    ],
)
def test_sound_is_copied_and_stays_in_sync(tmp_path: Path, audio: str, offset_s: float, suffix: str) -> None:
    path = tmp_path / "in.mp4"
    clip(path, frames=60, audio=audio, audio_offset_s=offset_s, first_pts=9000)
    convert(path, tmp_path / f"out{suffix}", brightened, tracks_from=path)
    before, after = audio_packets(path), audio_packets(tmp_path / f"out{suffix}")
    assert [data for _, data in after] == [data for _, data in before]
    start_before, start_after = video_times(path)[0], video_times(tmp_path / f"out{suffix}")[0]
    tick = Fraction(1, 1000) if suffix == ".mkv" else Fraction(0)
    for (old, _), (new, _) in zip(before, after, strict=True):
        assert abs((new - start_after) - (old - start_before)) <= 2 * tick


def test_sound_and_pictures_are_interleaved(tmp_path: Path) -> None:
    clip(tmp_path / "in.mp4", frames=150, audio="aac", steps=(3000,))
    convert(tmp_path / "in.mp4", tmp_path / "out.mp4", tracks_from=tmp_path / "in.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        packets = [(p.pos, p.stream.type, float(p.dts * p.time_base)) for p in container.demux() if p.size]
    latest = {"audio": 0.0, "video": 0.0}
    for _, kind, time_s in sorted(packets):
        latest[kind] = time_s
        assert abs(latest["audio"] - latest["video"]) < 2.0
    assert latest["video"] > 4.5


def test_a_source_without_sound_gives_a_silent_file(tmp_path: Path) -> None:
    clip(tmp_path / "in.mp4")
    convert(tmp_path / "in.mp4", tmp_path / "out.mp4", tracks_from=tmp_path / "in.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


@pytest.mark.parametrize(("audio", "suffix"), [("tta", ".mp4"), ("flac", ".mov"), ("libopus", ".mov")])
def test_sound_that_the_container_cannot_hold(tmp_path: Path, audio: str, suffix: str) -> None:
    clip(tmp_path / "in.mkv", frames=120, audio=audio)
    options = {"tracks_from": tmp_path / "in.mkv"}
    with pytest.raises(OutputError, match=rf"becomes aac in {suffix} files; \.mkv keeps it as it is"):
        FileSink(tmp_path / f"out{suffix}", INFO, strict=True, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]
    convert(tmp_path / "in.mkv", tmp_path / f"out{suffix}", **options)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert [sound.name for sound in container.streams.audio] == ["aac"]
    convert(tmp_path / "in.mkv", tmp_path / "out.mkv", tracks_from=tmp_path / "in.mkv")
    assert [d for _, d in audio_packets(tmp_path / "out.mkv")] == [
        d for _, d in audio_packets(tmp_path / "in.mkv")
    ]


def test_an_mp4_can_be_played_while_it_loads(tmp_path: Path) -> None:
    clip(tmp_path / "in.mp4")
    convert(tmp_path / "in.mp4", tmp_path / "out.mp4")
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_pixel_shape_is_kept(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out.mp4", INFO, sample_aspect_ratio=Fraction(4, 3))
    sink.write(made(0))
    sink.close(complete=True)
    assert FileSource(tmp_path / "out.mp4").sample_aspect_ratio == Fraction(4, 3)


def test_a_rotated_clip_comes_out_upright(tmp_path: Path) -> None:
    clip(tmp_path / "in.mp4", rotation=(90, False))
    frames = convert(tmp_path / "in.mp4", tmp_path / "out.mkv", codec="ffv1")
    source = FileSource(tmp_path / "out.mkv")
    assert (source.info.width, source.info.height) == (48, 64)
    for frame in frames:
        assert np.array_equal(source.read().rgb, frame.rgb)


@pytest.mark.parametrize("frames", [0, 1, 40])
def test_given_up_leaves_nothing(tmp_path: Path, frames: int) -> None:
    clip(tmp_path / "in.mp4", audio="aac")
    sink = FileSink(tmp_path / "out.mp4", INFO, tracks_from=tmp_path / "in.mp4")
    for index in range(frames):
        sink.write(made(index))
    sink.close(complete=False)
    sink.close(complete=True)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_the_name_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out.mp4", INFO)
    for index in range(40):
        sink.write(made(index))
        assert not (tmp_path / "out.mp4").exists()
    sink.close(complete=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_an_existing_file_survives_unless_told_otherwise(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        FileSink(target, INFO)
    sink = FileSink(target, INFO, overwrite=True)
    sink.write(made(0))
    sink.close(complete=False)
    assert target.read_bytes() == b"precious"
    sink = FileSink(target, INFO, overwrite=True)
    sink.write(made(0))
    sink.close(complete=True)
    assert len(video_times(target)) == 1


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out.mp4", INFO)
    sink.write(made(0))
    (tmp_path / "out.mp4").write_bytes(b"precious")
    with pytest.raises(OutputError, match="appeared meanwhile"):
        sink.close(complete=True)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"precious"]


def test_the_input_can_be_replaced_by_its_result(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    clip(path, audio="aac")
    sound = [data for _, data in audio_packets(path)]
    convert(path, path, brightened, tracks_from=path, overwrite=True)
    assert len(video_times(path)) == 12
    assert [data for _, data in audio_packets(path)] == sound


@pytest.mark.parametrize("length", [240, 246, 255])
@pytest.mark.parametrize("letter", ["o", "\u00f6", "\U0001f642"])
def test_a_name_as_long_as_the_system_allows(tmp_path: Path, letter: str, length: int) -> None:
    stem = letter * ((length - 4) // len(letter.encode()))
    target = tmp_path / (stem + "x" * (length - 4 - len(stem.encode())) + ".mp4")
    assert len(target.name.encode()) == length
    sink = FileSink(target, INFO)
    sink.write(made(0))
    sink.close(complete=True)
    assert list(tmp_path.iterdir()) == [target]


def test_no_frames_is_an_error_and_no_file(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out.mp4", INFO)
    with pytest.raises(OutputError, match="not one frame"):
        sink.close(complete=True)
    assert not list(tmp_path.iterdir())


def test_another_size_is_refused(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out.mp4", INFO)
    sink.write(made(0))
    with pytest.raises(OutputError, match="frame 1 is 32x48, expected 64x48"):
        sink.write(made(1, (32, 48)))
    sink.close(complete=False)
    with pytest.raises(OutputError, match="is closed"):
        sink.write(made(2))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "options", "kind", "message"),
    [
        ("out.ogv", {}, UsageError, r"'\.ogv' is none of \.avi, \.gif, \.m4v, \.mkv"),
        ("out.webm", {"codec": "h264"}, UsageError, "cannot hold h264: use one of"),
        ("out.avi", {"codec": "vp9"}, UsageError, "cannot hold vp9: use one of .mkv, .webm"),
        ("out.mp4", {"quality": Quality(crf=52)}, UsageError, r"expected 0 \(best\)\.\.51, got 52"),
        ("out.webm", {"quality": Quality(crf=64)}, UsageError, r"expected 0 \(best\)\.\.63, got 64"),
        ("out.mp4", {"codec": "ffv1", "quality": Quality(crf=1)}, UsageError, "ffv1 is lossless"),
        ("out.gif", {"quality": Quality(bitrate=10**6)}, UsageError, "256 colours"),
        ("out.mp4", {"quality": Quality(1, 10**6)}, UsageError, "exclude each other"),
        ("out.mp4", {"quality": Quality(bitrate=9)}, UsageError, "expected 10k"),
        ("out", {}, UsageError, "suffix ''"),
        ("out.mp4", {"codec": "h265"}, UsageError, "did you mean 'h264'"),
        ("out.mov", {"codec": "ffv1"}, UsageError, "cannot hold ffv1: use one of"),
        ("nowhere/out.mp4", {}, OutputError, "no folder"),
        ("folder.mp4", {}, OutputError, "is a folder"),
        ("file.txt/out.mp4", {}, OutputError, "no folder|cannot be written"),
        ("o" * 300 + ".mp4", {}, OutputError, "cannot be written"),
        ("out.mp4", {"tracks_from": "nothing.mp4"}, InputError, "no such file"),
    ],
)
def test_refusals_say_why_and_leave_nothing(tmp_path, name, options, kind, message) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file.txt").write_text("text")
    with pytest.raises(kind, match=message) as caught:
        FileSink(tmp_path / name, INFO, **options)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, RtfilterError)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.txt", "folder.mp4"]


@pytest.mark.skipif(
    sys.platform == "win32", reason="needs a limit on file sizes (RLIMIT_FSIZE), which is missing"
)
@pytest.mark.parametrize(
    ("codec", "suffix", "limit_bytes"),
    [("ffv1", ".mkv", 4_000), ("ffv1", ".mp4", 40_000), ("h264", ".mp4", 4_000), ("h264", ".mp4", 400_000)],
)
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path, codec, suffix, limit_bytes) -> None:
    """A real refusal by the system, in a process of its own: no file may grow past the limit."""
    program = f"""
        import resource, signal, sys
        from fractions import Fraction
        import numpy as np
        from rtfilter.errors import OutputError
        from rtfilter.frame import Frame
        from rtfilter.sinks.file import FileSink
        from rtfilter.media.info import SourceInfo
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit_bytes}, {limit_bytes}))
        info = SourceInfo("made", 160, 120, Fraction(30), False)
        sink = FileSink(r"{tmp_path / ("out" + suffix)}", info, codec="{codec}")
        rng = np.random.default_rng(0)
        try:
            for index in range(120):
                rgb = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
                sink.write(Frame.from_rgb(rgb, pts=index * 33_333_333, seq=index))
            sink.close(complete=True)
        except OutputError as error:
            print(error)
            sink.close(complete=False)
            sys.exit(7)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    assert "free some space" in done.stdout
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
