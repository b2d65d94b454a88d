"""`LiveLoop`: source to filter to sink with the least delay. Called by `cam.job` and `cli.run`.

Three threads: the source takes frames off its device, the filter takes the newest of them, and the writer
the newest that is filtered. What is replaced before its turn is dropped and counted; so a slow stage lowers
the rate but never lets the delay grow.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from rtfilter.cam.writer import SinkWriter
from rtfilter.errors import DeviceError, RtfilterError, UsageError
from rtfilter.frame import Frame
from rtfilter.gpu.lane import StepResult
from rtfilter.pipeline import FrameWorker
from rtfilter.sources.base import Source
from rtfilter.sources.paced import Paced
from rtfilter.system.clock import NS_PER_S, StageSummary, monotonic_ns
from rtfilter.system.threads import caught, run_bounded

# How soon a stop, the end of the duration and an error of the sink are noticed.
POLL_S = 0.05
# A frame that is being waited for when the stop comes gets this long before the source is closed under it.
GRACE_S = 0.5
# How long a stop waits for each thread before it gives it up with an error.
JOIN_S = 10.0
# An unplugged camera is waited for; one that only stutters is not worth ending a call for.
SOURCE_TIMEOUT_S = 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoopReport:
    """Counts of frames since the loop began, and its timings.

    captured: from the first frame that the loop took to the last one, dropped ones included.
    filtered: frames that went through the filter; written: frames that the device took.
    seconds: since the first frame.
    timings: by stage; `age_at_filter` and `age_at_sink` (from capture until the device took it) are delays
        of whole frames, `filter`, `filter.*` and `sink` are work.
    """

    captured: int
    filtered: int
    written: int
    seconds: float
    timings: dict[str, StageSummary]

    @property
    def dropped_before_filter(self) -> int:
        """Frames replaced by a newer one before the filter was free."""
        return self.captured - self.filtered

    @property
    def dropped_before_sink(self) -> int:
        """Filtered frames replaced before the device was free. A frame on its way counts, too."""
        return self.filtered - self.written

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON-ready values, the drops included."""
        return {
            **asdict(self),
            "dropped_before_filter": self.dropped_before_filter,
            "dropped_before_sink": self.dropped_before_sink,
        }


class LiveLoop:
    """Runs once. It owns source and writer: both are closed when `run` is over, however it ends.

    Args:
        source: one that is not live is wrapped in `Paced`. One that gives nothing for `SOURCE_TIMEOUT_S`
            ends the loop with its DeviceError.
        step: called in one thread, for one frame at a time.
        duration_s: ends so long after the first frame.
        on_tick: called from `run`'s thread every `tick_s` with the report so far.
    """

    def __init__(
        self,
        source: Source,
        step: Callable[[Frame], StepResult],
        writer: SinkWriter,
        *,
        duration_s: float | None = None,
        on_tick: Callable[[LoopReport], None] | None = None,
        tick_s: float = 1.0,
    ) -> None:
        if duration_s is not None and not duration_s > 0:
            raise UsageError(f"duration: expected more than 0 s, got {duration_s:g}")
        self._source: Source = source if source.info.live else Paced(source)
        self._step = step
        self._writer = writer
        self._duration_ns = math.inf if duration_s is None else duration_s * NS_PER_S
        self._on_tick = on_tick
        self._tick_ns = int(tick_s * NS_PER_S)
        self._timings = writer.timings
        self._ran = self._stopping = False
        self._ended = threading.Event()
        self._first_error = threading.Lock()
        self._error: BaseException | None = None
        self._started_ns: int | None = None
        self._first_seq = self._last_seq = self._filtered = 0

    def stop(self) -> None:
        """End the loop soon, cleanly. From any thread, or a signal handler: it takes no lock."""
        self._stopping = True

    def report(self) -> LoopReport:
        """Counts and timings so far; from any thread."""
        # In this order, so that a running loop never counts a frame written before it was filtered.
        written, filtered = self._writer.written, self._filtered
        started = self._started_ns is not None
        return LoopReport(
            captured=self._last_seq - self._first_seq + 1 if started else 0,
            filtered=filtered,
            written=written,
            seconds=self._lasted_ns() / NS_PER_S,
            timings=self._timings.summary(),
        )

    def run(self) -> LoopReport:
        """Filter until the source ends, `stop`, the duration's end, or the first error of any part.

        That error is raised here once, after all threads have ended (or were given up after `JOIN_S`, which
        is itself an error) and source and sink are closed: the sink as complete only without error.
        """
        if self._ran:
            raise UsageError("this loop has run already: make a new LiveLoop with a new source and sink")
        self._ran = True
        worker = FrameWorker("filter", self._next, self._filter, self._filter_ended)
        waiting_error = caught(self._wait)
        # Ctrl-C without a handler is a stop like any other, and still a KeyboardInterrupt afterwards.
        interrupted = isinstance(waiting_error, KeyboardInterrupt)
        if not interrupted:
            self._fail(waiting_error)
        self._finish(worker)
        if self._error is not None:
            raise self._error
        if interrupted:
            raise KeyboardInterrupt
        return self.report()

    def _wait(self) -> None:
        next_tick_ns = monotonic_ns() + self._tick_ns
        while not self._ended.wait(POLL_S):
            if self._stopping or self._writer.error is not None or self._lasted_ns() >= self._duration_ns:
                return
            if self._on_tick is not None and monotonic_ns() >= next_tick_ns:
                next_tick_ns += self._tick_ns
                self._on_tick(self.report())

    def _lasted_ns(self) -> int:
        return 0 if self._started_ns is None else monotonic_ns() - self._started_ns

    def _finish(self, worker: FrameWorker[Frame]) -> None:
        self._stopping = True
        self._fail(self._writer.error)
        worker.join(GRACE_S)
        self._fail(run_bounded("close-source", self._source.close, JOIN_S))
        if not worker.join(JOIN_S):
            name = self._source.info.name
            self._fail(DeviceError(f"{name}: source or filter did not stop within {JOIN_S:g} s"))
        self._fail(caught(lambda: self._writer.close(self._error is None, JOIN_S)))

    def _next(self) -> Frame | None:
        try:
            frame = None if self._stopping else self._source.read(SOURCE_TIMEOUT_S)
        except RtfilterError:
            if self._stopping:
                return None  # it was closed under the read, to end it
            raise
        return None if self._stopping else frame

    def _filter(self, frame: Frame) -> bool:
        started_ns = monotonic_ns()
        if self._started_ns is None:
            self._started_ns, self._first_seq = started_ns, frame.seq
        self._last_seq = frame.seq
        filtered, report = self._step(frame)
        self._timings.record("age_at_filter", started_ns - frame.captured_ns)
        self._timings.record("filter", monotonic_ns() - started_ns)
        self._timings.record_all(report.stage_ns, prefix="filter.")
        self._filtered += 1
        return self._writer.put(filtered)

    def _filter_ended(self, error: BaseException | None) -> None:
        self._fail(error)
        self._ended.set()

    def _fail(self, error: BaseException | None) -> None:
        """Keep the first error, the cause, for the caller; the later ones are its consequences."""
        with self._first_error:
            if error is None or error is self._error:
                return
            if self._error is None:
                self._error = error
                self._stopping = True
            else:
                _log.warning("after %r: %s", self._error, error)
