"""The comparison shows the original left of the result; the null sink counts."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from rtfilter.errors import UsageError
from rtfilter.frame import Frame
from rtfilter.media.info import SourceInfo
from rtfilter.sinks.base import NullSink
from rtfilter.sinks.compare import CompareSink, compared_info
from rtfilter.sinks.file import FileSink
from rtfilter.sources.file import FileSource
from rtfilter.system.arrays import Box
from tests.clips import audio_packets, clip, video_times


class Kept:
    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.complete: bool | None = None

    def write(self, frame: Frame) -> None:
        self.frames.append(frame)

    def close(self, complete: bool) -> None:
        self.complete = complete


def inverted(frame: Frame) -> Frame:
    return frame.filtered(255 - frame.rgb, Box(0, 0, frame.width, frame.height))


def test_original_left_result_right_same_time() -> None:
    frame = Frame.from_rgb(np.full((4, 6, 3), 30, np.uint8), pts=123, seq=7)
    kept = Kept()
    sink = CompareSink(kept)
    sink.write(inverted(inverted(inverted(frame))))
    sink.write(frame)
    sink.close(complete=True)
    both, alone = kept.frames
    assert both.rgb.shape == (4, 12, 3)
    assert (both.rgb[:, :6] == 30).all()
    assert (both.rgb[:, 6:] == 225).all()
    assert (both.pts, both.seq) == (123, 7)
    assert (alone.rgb == 30).all()
    assert kept.complete is True


@pytest.mark.parametrize("size", [(64, 48), (63, 47)], ids=str)
@pytest.mark.parametrize(("codec", "tolerance"), [("ffv1", 0.0), ("h264", 8.0)])
def test_a_compared_file_with_sound(tmp_path: Path, size, codec: str, tolerance: float) -> None:
    path, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    clip(path, size=size, codec="ffv1", audio="aac", options={"level": "1"})
    source = FileSource(path)
    sink = CompareSink(FileSink(target, compared_info(source.info), codec=codec, tracks_from=path))
    originals = []
    while (frame := source.read()) is not None:
        originals.append(frame.rgb)
        sink.write(inverted(frame))
    sink.close(complete=True)
    result = FileSource(target)
    assert (result.info.width, result.info.height) == (size[0] * 2, size[1])
    for rgb in originals:
        shown = result.read().rgb.astype(int)
        assert np.abs(shown - np.concatenate([rgb, 255 - rgb], axis=1)).mean() <= tolerance
    assert [data for _, data in audio_packets(target)] == [data for _, data in audio_packets(path)]
    assert len(video_times(target)) == len(originals) == 12


def test_a_comparison_given_up_leaves_nothing(tmp_path: Path) -> None:
    info = SourceInfo("made", 4, 4, Fraction(30), live=False)
    sink = CompareSink(FileSink(tmp_path / "out.mp4", compared_info(info)))
    sink.write(Frame.from_rgb(np.zeros((4, 4, 3), np.uint8)))
    sink.close(complete=False)
    assert not list(tmp_path.iterdir())


def test_a_picture_too_wide_to_compare_is_refused() -> None:
    with pytest.raises(UsageError, match="9000 px"):
        compared_info(SourceInfo("made", 9000, 4, Fraction(30), live=False))


def test_the_null_sink_counts() -> None:
    sink = NullSink()
    assert sink.complete is None
    for _ in range(3):
        sink.write(Frame.from_rgb(np.zeros((2, 2, 3), np.uint8)))
    sink.close(complete=False)
    assert (sink.frames, sink.complete) == (3, False)
