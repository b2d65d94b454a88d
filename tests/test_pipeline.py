"""Every frame, in order, overlapped; and a stop that is prompt, complete and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from rtfilter.errors import InputError, OutputError
from rtfilter.frame import Frame
from rtfilter.media.info import SourceInfo
from rtfilter.pipeline import TranscodeReport, transcode
from rtfilter.sinks.base import NullSink
from rtfilter.sinks.file import FileSink
from rtfilter.sources.file import FileSource
from rtfilter.system.arrays import Box
from tests.clips import audio_packets, clip, opencv_frames, video_times


class Made:
    """A source of `count` frames (None: endless), each tagged by its pixels; may fail at one of them."""

    def __init__(self, count: int | None, delay_s: float = 0.0, fails_at: int | None = None) -> None:
        self._count, self._delay_s, self._fails_at, self.given = count, delay_s, fails_at, 0

    @property
    def info(self) -> SourceInfo:
        return SourceInfo("made", 4, 4, Fraction(30), live=False, frame_count=self._count)

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        time.sleep(self._delay_s)
        if self.given == self._fails_at:
            raise InputError("the file broke")
        if self._count is not None and self.given >= self._count:
            return None
        self.given += 1
        rgb = np.full((4, 4, 3), self.given % 250, np.uint8)
        return Frame.from_rgb(rgb, pts=self.given, seq=self.given - 1)

    def close(self) -> None:
        pass


class Kept(NullSink):
    """Remembers what it was given; may be slow, or fail at a frame."""

    def __init__(self, delay_s: float = 0.0, fails_at: int | None = None) -> None:
        super().__init__()
        self.seqs: list[int] = []
        self._delay_s, self._fails_at = delay_s, fails_at

    def write(self, frame: Frame) -> None:
        time.sleep(self._delay_s)
        if self.frames == self._fails_at:
            raise OutputError("the disk is full")
        super().write(frame)
        self.seqs.append(frame.seq)


def same(frame: Frame) -> Frame:
    return frame.unchanged()


def workers() -> list[threading.Thread]:
    names = {f"rtfilter-{stage}" for stage in ("decode", "filter", "encode")}
    return [thread for thread in threading.enumerate() if thread.name in names]


@pytest.mark.parametrize("slow", ["source", "step", "sink", "none"])
def test_every_frame_in_order_whoever_is_slow(slow: str) -> None:
    delay_s = 0.002

    def step(frame: Frame) -> Frame:
        time.sleep(delay_s if slow == "step" else 0.0)
        return same(frame)

    sink = Kept(delay_s if slow == "sink" else 0.0)
    seen: list[tuple[int, int | None]] = []
    source = Made(60, delay_s if slow == "source" else 0.0)
    report = transcode(source, step, sink, lambda done, total: seen.append((done, total)))
    assert sink.seqs == list(range(60))
    assert sink.complete is True
    assert report.frames == 60
    assert seen == [(i, 60) for i in range(1, 61)]
    counts = {stage: times["count"] for stage, times in report.timings.summary().items()}
    assert counts == {"decode": 60, "filter": 60, "encode": 60}
    assert not workers()


def test_the_three_stages_overlap() -> None:
    def step(frame: Frame) -> Frame:
        time.sleep(0.01)
        return same(frame)

    report = transcode(Made(40, 0.01), step, Kept(0.01))
    assert report.wall_s < 40 * 0.03 * 0.75


def test_queues_are_short() -> None:
    source = Made(None)
    ahead = []

    def step(frame: Frame) -> Frame:
        time.sleep(0.01)
        ahead.append(source.given - frame.seq)
        if frame.seq == 20:
            raise InputError("enough")
        return same(frame)

    with pytest.raises(InputError):
        transcode(source, step, NullSink())
    assert max(ahead) <= 6


def test_no_frames() -> None:
    sink = NullSink()
    report = transcode(Made(0), same, sink)
    assert (report.frames, sink.frames, sink.complete) == (0, 0, True)
    assert report.as_dict()["stages_ms"] == {"decode": {}, "filter": {}, "encode": {}}


def fails_in_step(frame: Frame) -> Frame:
    if frame.seq == 5:
        raise ZeroDivisionError("a bug in the filter")
    return same(frame)


@pytest.mark.parametrize(
    ("source", "step", "sink", "error"),
    [
        (lambda: Made(None, fails_at=5), same, lambda: Kept(), InputError),
        (lambda: Made(None), fails_in_step, lambda: Kept(), ZeroDivisionError),
        (lambda: Made(None), same, lambda: Kept(fails_at=5), OutputError),
        (lambda: Made(9), same, lambda: Kept(fails_at=8), OutputError),
        (lambda: Made(None), same, lambda: Kept(delay_s=0.05, fails_at=2), OutputError),
    ],
    ids=["source", "step", "sink", "sink, last frame", "slow sink"],
)
def test_an_error_anywhere_stops_everything_at_once(
    source: Callable[[], Made],
    step: Callable[[Frame], Frame],
    sink: Callable[[], Kept],
    error: type[Exception],
) -> None:
    kept = sink()
    started_s = time.monotonic()
    with pytest.raises(error):
        transcode(source(), step, kept)
    assert time.monotonic() - started_s < 2.0
    assert kept.complete is False
    assert not workers()


def test_an_error_of_the_sinks_own_closing_does_not_hide_the_first() -> None:
    class Stubborn(Kept):
        def close(self, complete: bool) -> None:
            super().close(complete)
            raise OutputError("cannot even close")

    with pytest.raises(ZeroDivisionError):
        transcode(Made(None), fails_in_step, Stubborn())


def test_ctrl_c_stops_promptly_and_leaves_no_file(tmp_path: Path) -> None:
    """The real signal, to a process of its own, in the middle of a real file."""
    program = f"""
        import sys
        from rtfilter.sinks.file import FileSink
        from rtfilter.media.info import SourceInfo
        from rtfilter.pipeline import transcode
        from tests.test_pipeline import Made, same
        source = Made(None, 0.001)
        sink = FileSink(r"{tmp_path / "out.mp4"}", source.info)
        try:
            transcode(source, same, sink, lambda done, total: print(done, flush=True))
        except KeyboardInterrupt:
            sys.exit(130)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=Path(__file__).parents[1], **pipes) as process:
        for _ in range(50):
            assert process.stdout.readline()
        assert list(tmp_path.iterdir())
        sent_s = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130, errors
    assert time.monotonic() - sent_s < 5.0
    assert "Traceback" not in errors
    assert not list(tmp_path.iterdir())


def test_a_real_file_through_and_through(tmp_path: Path) -> None:
    path, target = tmp_path / "in.mp4", tmp_path / "out.mkv"
    clip(path, frames=60, audio="aac", size=(128, 96))
    box = Box(32, 24, 64, 48)

    def step(frame: Frame) -> Frame:
        rgb = frame.rgb.copy()
        rgb[box.y0 : box.y1, box.x0 : box.x1] //= 2
        return frame.filtered(rgb, box)

    source = FileSource(path)
    report = transcode(source, step, FileSink(target, source.info, codec="ffv1", tracks_from=path))
    source.close()
    assert report.frames == 60
    offset = video_times(target)[0] - video_times(path)[0]
    for old, new in zip(video_times(path), video_times(target), strict=True):
        assert abs(new - old - offset) <= Fraction(1, 1000)
    assert [data for _, data in audio_packets(target)] == [data for _, data in audio_packets(path)]
    for old, new in zip(opencv_frames(path), opencv_frames(target), strict=True):
        assert np.array_equal(old[64:], new[64:])
        assert new[30:42, 38:58].mean() < 0.6 * old[30:42, 38:58].mean()


def test_a_source_that_breaks_leaves_no_file(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out.mp4", Made(1).info)
    with pytest.raises(InputError):
        transcode(Made(None, fails_at=30), same, sink)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("clip_name", ["d0.mp4", "d20.mp4"])
def test_footage_background_is_equal_for_an_independent_reader(
    shared: Path, tmp_path: Path, clip_name: str
) -> None:
    path, target = shared / "footage" / clip_name, tmp_path / "out.mkv"
    box = Box(160, 160, 320, 320)

    def step(frame: Frame) -> Frame:
        rgb = frame.rgb.copy()
        inside = rgb[box.y0 : box.y1, box.x0 : box.x1]
        inside[...] = np.where(inside > 215, 255, inside + 40)
        return frame.filtered(rgb, box)

    source = FileSource(path)
    transcode(source, step, FileSink(target, source.info, codec="ffv1", tracks_from=path))
    for old, new in zip(opencv_frames(path), opencv_frames(target), strict=True):
        far = np.ones(old.shape[:2], bool)
        far[box.y0 - 8 : box.y1 + 8, box.x0 - 8 : box.x1 + 8] = False
        assert np.array_equal(old[far], new[far])
    assert len(video_times(target)) == len(video_times(path)) > 0


def test_the_report_is_plain_data() -> None:
    report = TranscodeReport(2, 0.5)
    for number in range(2):
        report.timings.record_all(
            {"decode": (1 + 2 * number) * 1_000_000, "filter": 2_000_000, "encode": 4_000_000}
        )
    assert report.as_dict() == {
        "frames": 2,
        "wall_s": 0.5,
        "fps": 4.0,
        "stages_ms": {
            "decode": {"p50": 2.0, "p95": 2.9, "p99": 2.98},
            "filter": {"p50": 2.0, "p95": 2.0, "p99": 2.0},
            "encode": {"p50": 4.0, "p95": 4.0, "p99": 4.0},
        },
    }
    assert TranscodeReport().as_dict()["fps"] == 0.0


def test_stopped_early_it_is_complete_up_to_there() -> None:
    sink, stops = Kept(), []
    report = transcode(Made(None), same, sink, lambda done, _: stops.append(done), lambda: len(stops) >= 5)
    assert sink.complete is True
    assert sink.seqs == list(range(report.frames))
    assert 5 <= report.frames <= 12
