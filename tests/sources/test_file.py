"""Files as a source: every frame, its time, its orientation, its colours; and files that are none."""

from __future__ import annotations

import itertools
import os
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from rtfilter.errors import InputError
from rtfilter.frame import Frame
from rtfilter.media.container import video_stream
from rtfilter.sources.file import FileSource
from tests.clips import clip, picture_rgb, video_planes

RED_CORNER = {  # rotation in degrees counter-clockwise, mirrored first -> where the red corner must be
    (0, False): "top left",
    (90, False): "bottom left",
    (180, False): "bottom right",
    (-90, False): "top right",
    (0, True): "top right",
    (180, True): "bottom left",
}


def read_all(source: FileSource) -> list[Frame]:
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    return frames


def corner_of_red(rgb: np.ndarray) -> str:
    height, width = rgb.shape[:2]
    rows, columns = np.nonzero((rgb[..., 0] > 210) & (rgb[..., 1] < 60))
    side = "left" if columns.mean() < width / 2 else "right"
    return f"{'top' if rows.mean() < height / 2 else 'bottom'} {side}"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".ts"])
def test_every_frame_in_order_with_its_own_time(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip{suffix}"
    times = clip(path, frames=14)
    source = FileSource(path)
    frames = read_all(source)
    assert [frame.seq for frame in frames] == list(range(14))
    start_s = frames[0].pts * frames[0].time_base
    got = [frame.pts * frame.time_base - start_s for frame in frames]
    tick = frames[0].time_base if suffix == ".mkv" else Fraction(1, 90_000)
    for seconds, wanted in zip(got, times, strict=True):
        assert abs(seconds - Fraction(wanted, 90_000)) <= tick
    assert all(f.captured_ns == int(f.pts * f.time_base * 1_000_000_000) for f in frames)
    for index, frame in enumerate(frames):
        assert np.abs(frame.rgb.astype(int) - picture_rgb(index, 64, 48)).mean() < 12
    assert source.damage is None
    assert source.read() is None


def test_an_avi_runs_at_its_constant_rate(tmp_path: Path) -> None:
    clip(tmp_path / "clip.avi", frames=9, steps=(1,), time_base=Fraction(1, 30), codec="mpeg4")
    frames = read_all(FileSource(tmp_path / "clip.avi"))
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(i, 30) for i in range(9)]


def test_info_describes_the_file(tmp_path: Path) -> None:
    clip(tmp_path / "clip.mp4", frames=30, steps=(3000,))
    info = FileSource(tmp_path / "clip.mp4").info
    assert (info.width, info.height, info.fps, info.live) == (64, 48, 30, False)
    assert info.frame_count == 30


def test_frame_count_is_estimated_where_the_file_has_none(tmp_path: Path) -> None:
    clip(tmp_path / "clip.mkv", frames=30, steps=(3000,))
    assert FileSource(tmp_path / "clip.mkv").info.frame_count == pytest.approx(30, abs=2)


@pytest.mark.parametrize(("rotation", "corner"), RED_CORNER.items(), ids=str)
def test_rotation_is_applied_to_rgb_and_native_alike(tmp_path: Path, rotation, corner) -> None:
    clip(tmp_path / "clip.mp4", frames=3, rotation=rotation)
    source = FileSource(tmp_path / "clip.mp4")
    frame = source.read()
    shown = (48, 64) if abs(rotation[0]) == 90 else (64, 48)
    assert (source.info.width, source.info.height) == shown
    assert (frame.native.width, frame.native.height) == shown == (frame.width, frame.height)
    assert frame.native.format.name == "yuv420p"
    assert corner_of_red(frame.rgb) == corner
    assert corner_of_red(frame.native.to_ndarray(format="rgb24")) == corner


def test_a_turned_picture_keeps_its_bytes(tmp_path: Path) -> None:
    clip(tmp_path / "flat.mp4", frames=2, options={"qp": "0"})
    clip(tmp_path / "turned.mp4", frames=2, options={"qp": "0"}, rotation=(90, False))
    source = FileSource(tmp_path / "turned.mp4")
    for planes, frame in zip(video_planes(tmp_path / "flat.mp4"), read_all(source), strict=True):
        for plane, turned in zip(planes, frame.native.planes, strict=True):
            rows = np.frombuffer(memoryview(turned), np.uint8).reshape(turned.height, turned.line_size)
            assert np.array_equal(np.rot90(plane, 1), rows[:, : turned.width])


def test_a_turned_422_picture_is_shown_with_all_its_chroma(tmp_path: Path) -> None:
    clip(tmp_path / "turned.mp4", frames=2, pix_fmt="yuv422p", rotation=(-90, False))
    frame = FileSource(tmp_path / "turned.mp4").read()
    assert frame.native.format.name == "yuv444p"
    assert corner_of_red(frame.rgb) == "top right"


@pytest.mark.parametrize("tags", [(1, 1), (5, 1), (9, 1), (1, 2), (2, 0)], ids=str)
def test_colours_follow_the_files_tags(tmp_path: Path, tags: tuple[int, int]) -> None:
    """Lossless grey 180 with a known tint: the RGB must be what the tagged matrix and range say."""
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        video.codec_context.colorspace, video.codec_context.color_range = tags
        picture = av.VideoFrame(64, 64, "yuv420p")
        for plane, value in zip(picture.planes, (126, 110, 160), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        picture.colorspace, picture.color_range = tags
        container.mux(video.encode(picture))
        container.mux(video.encode(None))
    kr, kb = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 9: (0.2627, 0.0593), 2: (0.299, 0.114)}[tags[0]]
    if tags[1] == 2:
        luma, cb, cr = 126 / 255, (110 - 128) / 255, (160 - 128) / 255
    else:
        luma, cb, cr = (126 - 16) / 219, (110 - 128) / 224, (160 - 128) / 224
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    rgb = FileSource(path).read().rgb
    assert np.abs(rgb - 255 * np.array([red, green, blue])).max() <= 1.0


@pytest.mark.parametrize(
    "pix_fmt", ["yuv420p10le", "gray", "bgr0", "yuv444p", "yuv440p", "yuva420p", "gray16le"]
)
@pytest.mark.parametrize("size", [(64, 48), (63, 47), (1, 1)], ids=str)
def test_any_pixel_format_and_size(tmp_path: Path, pix_fmt: str, size: tuple[int, int]) -> None:
    path = tmp_path / "clip.mkv"
    clip(path, frames=2, size=size, pix_fmt=pix_fmt, codec="ffv1", options={"level": "1"})
    frames = read_all(FileSource(path))
    assert len(frames) == 2
    assert frames[0].rgb.shape == (size[1], size[0], 3)
    assert frames[0].native.format.name == pix_fmt
    wanted = picture_rgb(0, *size).astype(int)
    if pix_fmt.startswith("gray"):
        wanted = np.repeat((wanted @ (0.299, 0.587, 0.114))[..., None], 3, axis=2)
    assert np.abs(frames[0].rgb - wanted).mean() < 12


def test_raw_video_without_timestamps_runs_at_its_rate(tmp_path: Path) -> None:
    path = tmp_path / "clip.h264"
    clip(path, frames=9, steps=(3000,), options={"bf": "0"})
    frames = read_all(FileSource(path))
    assert len(frames) == 9
    times = [frame.pts * frame.time_base for frame in frames]
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    assert float(times[-1] - times[0]) == pytest.approx(8 / float(FileSource(path).info.fps), rel=0.02)


def test_pixel_shape_is_reported_and_turned(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height = 64, 48
        video.codec_context.sample_aspect_ratio = Fraction(4, 3)
        video.set_display_rotation(90)
        container.mux(video.encode(av.VideoFrame.from_ndarray(picture_rgb(0, 64, 48))))
        container.mux(video.encode(None))
    assert FileSource(path).sample_aspect_ratio == Fraction(3, 4)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_cut_file_gives_what_it_has_and_says_so(tmp_path: Path, suffix: str) -> None:
    whole, cut = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    clip(whole, frames=90, muxer_options={"movflags": "+faststart"} if suffix == ".mp4" else None)
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) * 6 // 10])
    source = FileSource(cut)
    frames = read_all(source)
    assert 20 <= len(frames) < 90
    assert "cut off" in source.damage
    assert str(cut) in source.damage
    for index, frame in enumerate(frames[:-3]):
        assert np.abs(frame.rgb.astype(int) - picture_rgb(index, 64, 48)).mean() < 12


def test_damage_in_the_middle_does_not_end_the_film(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    clip(path, frames=60, size=(320, 240), options={"g": "10"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    source = FileSource(path)
    frames = read_all(source)
    assert len(frames) > 45
    assert np.abs(frames[-1].rgb.astype(int) - picture_rgb(59, 320, 240)).mean() < 12


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=44_100)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 44_100
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    with pytest.raises(InputError, match="holds audio but no moving picture"):
        FileSource(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.mp4", b"", "is empty"),
        ("text.mp4", b"not a video\n" * 60, "cannot be opened as a video"),
        ("notes.txt", b"hello\n" * 60, "cannot be opened as a video"),
        ("letter.txt", b"hello\n" * 200, "is text"),
        ("words.srt", b"1\n00:00:01,000 --> 00:00:02,000\nhi\n", "holds subtitle but no moving picture"),
        ("noise.mkv", bytes(np.random.default_rng(0).integers(0, 256, 4000, dtype=np.uint8)), "cannot be"),
    ],
)
def test_files_that_are_no_video(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        FileSource(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_an_mp4_cut_before_its_index(tmp_path: Path) -> None:
    clip(tmp_path / "clip.mp4", frames=60)
    data = (tmp_path / "clip.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="cut off before its index"):
        FileSource(tmp_path / "cut.mp4")


def test_a_header_without_pictures(tmp_path: Path) -> None:
    clip(tmp_path / "clip.mkv", frames=30)
    data = (tmp_path / "clip.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: data.index(b"\x1f\x43\xb6\x75")])  # up to the first cluster
    with pytest.raises(InputError, match=r"not one frame|cannot be opened"):
        FileSource(tmp_path / "cut.mkv")


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        FileSource(tmp_path / "nothing.mp4")
    with pytest.raises(InputError, match="is a folder"):
        FileSource(tmp_path)


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(InputError, match="not a regular file"):
        FileSource(tmp_path / "pipe.mp4")


def test_a_name_with_a_colon_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    clip(tmp_path / "clip.mp4", frames=2)
    (tmp_path / "clip.mp4").rename(tmp_path / "http:clip.mp4")
    assert len(read_all(FileSource("http:clip.mp4"))) == 2


def test_close_ends_the_reading_from_any_thread(tmp_path: Path) -> None:
    clip(tmp_path / "clip.mp4", frames=12)
    source = FileSource(tmp_path / "clip.mp4")
    assert source.read() is not None
    closer = threading.Thread(target=source.close)
    closer.start()
    closer.join(5)
    source.close()
    assert source.read() is None


def test_a_picture_in_tiles_is_refused_rather_than_one_tile_shown(tmp_path: Path) -> None:
    """As FFmpeg gives a phone's HEIC: one stream a tile, each marked as a part of something."""
    clip(tmp_path / "clip.mp4", frames=2)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        container.streams.video[0].disposition = Disposition.dependent
        with pytest.raises(InputError, match=r"in tiles.* convert it to JPEG"):
            video_stream(container, tmp_path / "photo.heic")
