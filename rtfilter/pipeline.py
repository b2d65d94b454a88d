"""File to file: every frame, in order; reading, filtering and writing overlap.

For sources that wait (files, the demo). A live source goes through `loop.py`, which keeps the newest
frame; this keeps all of them.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition

import numpy as np

from rtfilter.errors import RtfilterError
from rtfilter.frame import Frame
from rtfilter.sinks.base import Sink
from rtfilter.sources.base import Source
from rtfilter.system.threads import caught, start_thread

# Enough to ride out a slow frame; an 8K frame is 100 MB, so not more.
_QUEUE_FRAMES = 3
# Waits are cut into pieces: some systems deliver Ctrl-C only between them.
_WAIT_S = 0.2
_JOIN_S = 10.0


@dataclass
class TranscodeReport:
    """What a run did. The lists hold nanoseconds, one entry a frame; the stages overlap in time."""

    frames: int = 0
    wall_s: float = 0.0
    decode_ns: list[int] = field(default_factory=list)
    filter_ns: list[int] = field(default_factory=list)
    encode_ns: list[int] = field(default_factory=list)

    @property
    def fps(self) -> float:
        """Frames a second over the whole run; 0 for a run of no frames."""
        return self.frames / self.wall_s if self.wall_s > 0.0 else 0.0

    def as_dict(self) -> dict[str, object]:
        """JSON-ready: frames, wall_s, fps, and median, p95, p99 of every stage in milliseconds."""
        stages = {"decode": self.decode_ns, "filter": self.filter_ns, "encode": self.encode_ns}
        return {
            "frames": self.frames,
            "wall_s": round(self.wall_s, 3),
            "fps": round(self.fps, 2),
            "stages_ms": {name: percentiles_ms(values) for name, values in stages.items()},
        }


def percentiles_ms(values_ns: list[int]) -> dict[str, float]:
    """Median, p95 and p99 in milliseconds; empty for no values."""
    if not values_ns:
        return {}
    points = np.percentile(np.asarray(values_ns, np.float64) / 1e6, (50, 95, 99))
    return {name: round(float(value), 3) for name, value in zip(("p50", "p95", "p99"), points, strict=True)}


def transcode(
    source: Source,
    step: Callable[[Frame], Frame],
    sink: Sink,
    progress: Callable[[int, int | None], None] | None = None,
) -> TranscodeReport:
    """Pass every frame of `source` through `step` into `sink`, then close the sink as complete.

    `step` and `progress` run in the calling thread, `source.read` and `sink.write` in one thread each.
    progress: called after every frame with the frames filtered so far and `source.info.frame_count`.

    Whatever goes wrong anywhere (Ctrl-C included) stops all three within a frame, closes the sink as
    incomplete and is raised here, unchanged; the source is closed then. Otherwise it stays open: it is the
    caller's.
    """
    report = TranscodeReport()
    started_s = time.monotonic()
    read, filtered = _Channel(), _Channel()
    errors: list[BaseException] = []

    def decode() -> None:
        while True:
            start_ns = time.perf_counter_ns()
            frame = source.read()
            if frame is None:
                return read.finish()
            report.decode_ns.append(time.perf_counter_ns() - start_ns)
            read.put(frame)

    def encode() -> None:
        while (frame := filtered.get()) is not None:
            start_ns = time.perf_counter_ns()
            sink.write(frame)
            report.encode_ns.append(time.perf_counter_ns() - start_ns)

    def stop() -> None:
        read.stop()
        filtered.stop()

    def run(work: Callable[[], None]) -> None:
        error = caught(work)
        if error is not None:
            if not isinstance(error, _StoppedError):
                errors.append(error)
            stop()

    workers = [start_thread("decode", lambda: run(decode)), start_thread("encode", lambda: run(encode))]
    complete = False
    try:
        while (frame := read.get()) is not None:
            start_ns = time.perf_counter_ns()
            result = step(frame)
            report.filter_ns.append(time.perf_counter_ns() - start_ns)
            filtered.put(result)
            report.frames += 1
            if progress is not None:
                progress(report.frames, source.info.frame_count)
        filtered.finish()
        for worker in workers:
            while worker.is_alive():
                worker.join(_WAIT_S)
        complete = not errors
    except _StoppedError:
        pass  # a thread failed; its error is raised below
    finally:
        if not complete:
            stop()
            # A read may wait for another program.
            source.close()
            for worker in workers:
                worker.join(_JOIN_S)
            # The error that stopped the run is the one to hear about.
            with contextlib.suppress(RtfilterError):
                sink.close(complete=False)
    if errors:
        raise errors[0]
    sink.close(complete=True)
    report.wall_s = time.monotonic() - started_s
    return report


class _StoppedError(Exception):
    """The run ends early: raised to whoever waits at a channel."""


class _Channel:
    """A bounded queue of frames between two threads that either of them, or a third, can stop."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()
        self._changed = Condition()
        self._finished = self._stopped = False

    def put(self, frame: Frame) -> None:
        """Append, waiting for room. Raises _StoppedError."""
        with self._changed:
            while len(self._frames) >= _QUEUE_FRAMES and not self._stopped:
                self._changed.wait(_WAIT_S)
            if self._stopped:
                raise _StoppedError
            self._frames.append(frame)
            self._changed.notify_all()

    def get(self) -> Frame | None:
        """The oldest frame, waiting for one; None after the last. Raises _StoppedError."""
        with self._changed:
            while not self._frames and not self._finished and not self._stopped:
                self._changed.wait(_WAIT_S)
            if self._stopped:
                raise _StoppedError
            if not self._frames:
                return None
            frame = self._frames.popleft()
            self._changed.notify_all()
            return frame

    def finish(self) -> None:
        """No more frames will be put."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Everybody who waits, or will, is told to end. Frames inside are dropped."""
        with self._changed:
            self._stopped = True
            self._frames.clear()
            self._changed.notify_all()
