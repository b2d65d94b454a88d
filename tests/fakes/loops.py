"""Live loops made of fakes, and a run of one that cannot hang the test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from rtfilter.cam.loop import LiveLoop, LoopReport
from rtfilter.cam.writer import SinkWriter
from rtfilter.frame import Frame
from rtfilter.gpu.lane import StepReport, StepResult
from rtfilter.sources.camera import CameraSource
from rtfilter.system.arrays import Box
from rtfilter.system.clock import NS_PER_MS, monotonic_ns
from rtfilter.system.threads import caught, start_thread
from tests.fakes.live import (
    GUARD_S,
    ListSink,
    Opener,
    ScriptedCapture,
    picture,
)

PIXELS = np.zeros((6, 8, 3), np.uint8)


def frames(count: int | None = None) -> Iterator[Frame]:
    for n in itertools.count() if count is None else range(count):
        now_ns = monotonic_ns()
        yield Frame(PIXELS, now_ns, captured_ns=now_ns, seq=n)


def file_frames(count: int) -> list[Frame]:
    return [Frame(PIXELS, n, Fraction(1, 100), n * 10 * NS_PER_MS, n) for n in range(count)]


def camera(interval_s: float = 0.001) -> CameraSource:
    """Endless, with a capture thread of its own, as a real one."""
    capture = ScriptedCapture((picture() for _ in itertools.count()), interval_s=interval_s)
    return CameraSource(0, open_capture=Opener([capture]))


def edit(frame: Frame) -> StepResult:
    return StepResult(frame.filtered(frame.rgb + np.uint8(1), Box(0, 0, 8, 6)), StepReport())


def same(frame: Frame) -> StepResult:
    return StepResult(frame, StepReport())


def loop_of(
    source: Any,
    sink: ListSink,
    step: Callable[[Frame], StepResult] = edit,
    *,
    max_frames: int | None = None,
    **options: Any,
) -> LiveLoop:
    """A loop, which is stopped after `max_frames` filtered frames."""
    count = itertools.count(1)

    def counted(frame: Frame) -> StepResult:
        result = step(frame)
        if next(count) == max_frames:
            loop.stop()
        return result

    loop = LiveLoop(source, counted, SinkWriter(sink), **options)
    return loop


def run(loop: LiveLoop) -> LoopReport:
    """`loop.run()`, for a limited time; its error is raised here."""
    reports: list[LoopReport] = []
    errors: list[BaseException | None] = []
    thread = start_thread("run", lambda: errors.append(caught(lambda: reports.append(loop.run()))))
    thread.join(3 * GUARD_S)
    assert not thread.is_alive(), "run() hangs"
    if errors[0] is not None:
        raise errors[0]
    return reports[0]


def check_counts(report: LoopReport, sink: ListSink) -> None:
    assert report.written == len(sink.frames)
    assert report.captured >= report.filtered >= report.written
    assert report.captured == report.filtered + report.dropped_before_filter
    assert report.filtered == report.written + report.dropped_before_sink
