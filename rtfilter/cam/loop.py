"""`LiveLoop`: source to filter to sink with the least delay. Newest frame wins; nothing queues.

Three threads, and each waits for nobody: the source takes frames off its device in its own, the filter
always takes the newest, the sink always writes the newest that is filtered. What is replaced before its
turn is dropped and counted; so a slow stage lowers the rate but never lets the delay grow.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from rtfilter.cam.loop_report import LoopReport
from rtfilter.errors import DeviceError, OutputError, RtfilterError, UsageError
from rtfilter.frame import Frame
from rtfilter.gpu.lane import StepResult
from rtfilter.sinks.base import Sink
from rtfilter.sources.base import Source
from rtfilter.sources.paced import Paced
from rtfilter.system.clock import NS_PER_S, Clock, StageTimings, monotonic_ns
from rtfilter.system.latest import Latest
from rtfilter.system.threads import caught, run_bounded, start_thread

# How soon a stop is noticed by the thread that called `run`; a frame notices it at once.
POLL_S = 0.05
# A frame that is being waited for when the stop comes gets this long before the source is closed under it.
GRACE_S = 0.5

_log = logging.getLogger(__name__)


class LiveLoop:
    """Runs once. It owns the source and the sink: both are closed when `run` is over, however it ends.

    step: called in one thread, for one frame at a time.
    max_frames: ends after so many filtered frames. duration_s: ends so long after the first frame.
    source_timeout_s: a source that gives nothing for so long ends the loop with its DeviceError.
    join_s: how long a stop waits for each thread before it gives it up with an error.
    on_tick: called from `run`'s thread every `tick_s` with the report so far.

    A source that is not live is wrapped in `Paced`.
    """

    def __init__(
        self,
        source: Source,
        step: Callable[[Frame], StepResult],
        sink: Sink,
        *,
        max_frames: int | None = None,
        duration_s: float | None = None,
        source_timeout_s: float = 5.0,
        join_s: float = 10.0,
        on_tick: Callable[[LoopReport], None] | None = None,
        tick_s: float = 1.0,
        clock: Clock = monotonic_ns,
    ) -> None:
        if max_frames is not None and max_frames < 1:
            raise UsageError(f"number of frames: expected at least 1, got {max_frames}")
        if duration_s is not None and not duration_s > 0:
            raise UsageError(f"duration: expected more than 0 s, got {duration_s:g}")
        self._source: Source = source if source.info.live else Paced(source, clock=clock)
        self._step = step
        self._sink = sink
        self._max_frames = max_frames
        self._duration_ns = None if duration_s is None else int(duration_s * NS_PER_S)
        self._source_timeout_s = source_timeout_s
        self._join_s = join_s
        self._on_tick = on_tick
        self._tick_ns = int(tick_s * NS_PER_S)
        self._clock = clock
        self._results: Latest[Frame] = Latest()
        self._timings = StageTimings()
        self._ran = False
        self._stopping = False
        self._ended = threading.Event()
        self._first_error = threading.Lock()
        self._error: BaseException | None = None
        self._started_ns: int | None = None
        self._first_seq = self._last_seq = 0
        self._filtered = self._written = 0

    def stop(self) -> None:
        """End the loop soon, cleanly. From any thread, or a signal handler: it takes no lock."""
        self._stopping = True

    def report(self) -> LoopReport:
        """What happened so far; from any thread."""
        started_ns = self._started_ns
        # In this order, so that a running loop never counts a frame written before it was filtered.
        written, filtered = self._written, self._filtered
        return LoopReport(
            captured=0 if started_ns is None else self._last_seq - self._first_seq + 1,
            filtered=filtered,
            written=written,
            seconds=0.0 if started_ns is None else (self._clock() - started_ns) / NS_PER_S,
            timings=self._timings.summary(),
        )

    def run(self) -> LoopReport:
        """Filter until the source ends, `stop`, a limit, or the first error of any part.

        That error is raised here once, after all threads have ended (or were given up after `join_s`,
        which is itself an error) and source and sink are closed: the sink as complete only without error.
        """
        if self._ran:
            raise UsageError("this loop has run already: make a new LiveLoop with a new source and sink")
        self._ran = True
        sinking = start_thread("sink", self._run_sink)
        filtering = start_thread("filter", self._run_filter)
        waiting_error = caught(self._wait)
        # Ctrl-C without a handler is a stop like any other, and still a KeyboardInterrupt afterwards.
        interrupted = isinstance(waiting_error, KeyboardInterrupt)
        if waiting_error is not None and not interrupted:
            self._fail(waiting_error)
        self._finish(filtering, sinking)
        if self._error is not None:
            raise self._error
        if interrupted:
            raise KeyboardInterrupt
        return self.report()

    def _wait(self) -> None:
        next_tick_ns = self._clock() + self._tick_ns
        while not self._ended.wait(POLL_S) and not self._stopping and not self._overdue():
            if self._on_tick is not None and self._clock() >= next_tick_ns:
                next_tick_ns += self._tick_ns
                self._on_tick(self.report())

    def _overdue(self) -> bool:
        """Whether its time is over although no frame came to notice it: the source is silent."""
        if self._duration_ns is None or self._started_ns is None:
            return False
        return self._clock() - self._started_ns >= self._duration_ns + int(GRACE_S * NS_PER_S)

    def _finish(self, filtering: threading.Thread, sinking: threading.Thread) -> None:
        self._stopping = True
        name = self._source.info.name
        filtering.join(GRACE_S)
        closing_error = run_bounded("close-source", self._source.close, self._join_s)
        if closing_error is not None:
            self._fail(closing_error)
        filtering.join(self._join_s)
        if filtering.is_alive():
            self._fail(DeviceError(f"{name}: source or filter did not stop within {self._join_s:g} s"))
        self._results.close()
        sinking.join(self._join_s)
        if sinking.is_alive():
            late = f"the output did not finish within {self._join_s:g} s"
            self._fail(OutputError(f"{late}: is its disk or device stuck?"))

    def _run_filter(self) -> None:
        error = caught(self._filter_all)
        if error is not None:
            self._fail(error)
        self._results.close()
        self._ended.set()

    def _filter_all(self) -> None:
        while not self._stopping:
            frame = self._read()
            if frame is None or self._stopping:
                return
            started_ns = self._clock()
            if self._started_ns is None:
                self._started_ns, self._first_seq = started_ns, frame.seq
            elif self._duration_ns is not None and started_ns - self._started_ns >= self._duration_ns:
                return
            self._last_seq = frame.seq
            result = self._step(frame)
            self._timings.record("age_at_filter", started_ns - frame.captured_ns)
            self._timings.record("filter", self._clock() - started_ns)
            self._timings.record_all(result.report.stage_ns, prefix="filter.")
            self._filtered += 1
            self._results.put(result.frame)
            if self._filtered == self._max_frames:
                return

    def _read(self) -> Frame | None:
        try:
            return self._source.read(self._source_timeout_s)
        except RtfilterError:
            if self._stopping:
                return None  # it was closed under the read, to end it
            raise

    def _run_sink(self) -> None:
        error = caught(self._write_all)
        if error is not None:
            self._fail(error)
        # Here, not in run(): only the thread that writes may call the sink.
        error = caught(lambda: self._sink.close(complete=self._error is None))
        if error is not None:
            self._fail(error)
        self._ended.set()

    def _write_all(self) -> None:
        while (frame := self._results.get()) is not None:
            started_ns = self._clock()
            self._sink.write(frame)
            done_ns = self._clock()
            self._written += 1
            self._timings.record("sink", done_ns - started_ns)
            self._timings.record("age_at_sink", done_ns - frame.captured_ns)

    def _fail(self, error: BaseException) -> None:
        """Keep the first error, the cause, for the caller; the later ones are its consequences."""
        with self._first_error:
            if self._error is None:
                self._error = error
                self._stopping = True
            elif error is not self._error:
                _log.warning("after %r: %s", self._error, error)
