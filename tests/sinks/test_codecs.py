"""WebM, AVI and GIF, and quality as it is asked for: real files, read again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from rtfilter.frame import Frame
from rtfilter.media.info import SourceInfo
from rtfilter.sinks.codecs import Quality
from rtfilter.sinks.file import FileSink
from tests.clips import picture_rgb

FRAMES = 12


def written(path: Path, *, fps: int = 25, size: tuple[int, int] = (64, 48), **options) -> FileSink:
    sink = FileSink(path, SourceInfo("made", *size, Fraction(fps), live=False), **options)
    for index in range(FRAMES):
        picture = Frame.from_rgb(picture_rgb(index, *size), pts=index * 1_000_000_000 // fps, seq=index)
        sink.write(picture.unchanged())
    sink.close(complete=True)
    return sink


def read(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


@pytest.mark.parametrize(
    ("name", "codec"), [("out.webm", "vp9"), ("out.avi", "h264"), ("out.gif", "gif"), ("out.mp4", "h264")]
)
@pytest.mark.parametrize("size", [(64, 48), (63, 47)], ids=str)
def test_a_suffix_has_its_codec_every_frame_and_its_time(
    tmp_path: Path, name: str, codec: str, size: tuple[int, int]
) -> None:
    written(tmp_path / name, size=size)
    with av.open(str(tmp_path / name)) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == codec
    frames = read(tmp_path / name)
    assert len(frames) == FRAMES
    for index, frame in enumerate(frames):
        since_first = (frame.pts - frames[0].pts) * frame.time_base
        assert abs(since_first - Fraction(index, 25)) <= Fraction(1, 1000)
        rgb = frame.to_ndarray(format="rgb24")
        assert rgb.shape[:2] == (size[1], size[0])
        assert np.abs(rgb.astype(int) - picture_rgb(index, *size)).mean() < 12


def test_ffv1_in_avi_is_lossless(tmp_path: Path) -> None:
    written(tmp_path / "out.avi", codec="ffv1")
    for index, frame in enumerate(read(tmp_path / "out.avi")):
        assert np.array_equal(frame.to_ndarray(format="rgb24"), picture_rgb(index, 64, 48))


def test_a_gif_is_never_faster_than_browsers_show_it_and_says_what_it_lacks(tmp_path: Path) -> None:
    """Below 2/100 s a frame lasts 10/100 s in a browser: 100 frames a second become 50."""
    sink = written(tmp_path / "out.gif", fps=100)
    times = [frame.pts for frame in read(tmp_path / "out.gif")]
    assert np.diff(times).tolist() == [2] * (FRAMES // 2 - 1)
    assert "no sound" in sink.notes[0]


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_crf_and_bitrate_reach_the_encoder(tmp_path: Path, suffix: str) -> None:
    def size_of(name: str, quality: Quality) -> int:
        path = tmp_path / (name + suffix)
        written(path, quality=quality, size=(320, 240))
        return path.stat().st_size

    fine, coarse = size_of("fine", Quality(crf=5)), size_of("coarse", Quality(crf=45))
    assert coarse < fine / 2
    low, high = size_of("low", Quality(bitrate=100_000)), size_of("high", Quality(bitrate=4_000_000))
    assert low < high / 2
