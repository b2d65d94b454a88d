"""The frame worker, and files: every frame in order while reading, filtering and writing overlap.

Called by `cli.run`, and by `cam.loop` and `serve.app.pipeline`, whose workers take the newest frame alone.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from rtfilter.errors import RtfilterError
from rtfilter.frame import Frame
from rtfilter.sinks.base import Sink
from rtfilter.sources.base import Source
from rtfilter.system.clock import StageTimings
from rtfilter.system.latest import InOrder
from rtfilter.system.threads import caught, start_thread

T = TypeVar("T")

# Enough to ride out a slow frame; an 8K frame is 100 MB, so not more.
_QUEUE_FRAMES = 3
# Ten minutes at 30 frames a second.
_KEPT_FRAMES = 18_000
# Waits are cut into pieces: some systems deliver Ctrl-C only between them.
_WAIT_S = 0.2
_JOIN_S = 10.0


class FrameWorker(Generic[T]):
    """A thread that takes one item after another and does its work with it.

    What it takes from is its policy: `InOrder.get` gives every item, `Latest.get` and the `read` of a live
    source give the newest.

    Args:
        name: of the thread.
        take: the next item, waited for; None ends the worker.
        work: called with each item. False ends the worker, as a closed hand-off answers.
        ended: called last, with the error that ended the worker, or None.
    """

    def __init__(
        self,
        name: str,
        take: Callable[[], T | None],
        work: Callable[[T], bool | None],
        ended: Callable[[BaseException | None], None],
    ) -> None:
        def run() -> None:
            while (item := take()) is not None and work(item) is not False:
                pass

        self._thread = start_thread(name, lambda: ended(caught(run)))

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; whether it came in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()


@dataclass
class TranscodeReport:
    """What a run did. timings: by stage; the stages overlap in time."""

    frames: int = 0
    wall_s: float = 0.0
    timings: StageTimings = field(default_factory=lambda: StageTimings(_KEPT_FRAMES))

    def as_dict(self) -> dict[str, object]:
        """JSON-ready: frames, wall_s, fps, and median, p95, p99 of every stage in milliseconds."""
        stages: dict[str, dict[str, float]] = {"decode": {}, "filter": {}, "encode": {}}
        for stage, times in self.timings.summary().items():
            stages[stage] = {"p50": times["p50_ms"], "p95": times["p95_ms"], "p99": times["p99_ms"]}
        return {
            "frames": self.frames,
            "wall_s": round(self.wall_s, 3),
            "fps": round(self.frames / self.wall_s, 2) if self.wall_s > 0.0 else 0.0,
            "stages_ms": stages,
        }


def transcode(
    source: Source,
    step: Callable[[Frame], Frame],
    sink: Sink,
    progress: Callable[[int, int | None], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> TranscodeReport:
    """Pass every frame of `source` through `step` into `sink`, then close the sink as complete.

    `source.read`, `step` and `sink.write` run in one thread each. Whatever goes wrong in one of them, and
    Ctrl-C, stops all three within a frame, closes the source, closes the sink as incomplete and is raised
    here, unchanged. Otherwise the source stays open: it is the caller's.

    Args:
        progress: called after every step with the frames filtered so far and `source.info.frame_count`.
        stopped: read before every frame; once True, the frames read so far are all.
    """
    started_s = time.monotonic()
    report = TranscodeReport()
    read: InOrder[Frame] = InOrder(_QUEUE_FRAMES)
    filtered: InOrder[Frame] = InOrder(_QUEUE_FRAMES)
    errors: list[BaseException] = []
    done = threading.Event()

    def timed_since(start_ns: int, stage: str) -> None:
        report.timings.record(stage, time.perf_counter_ns() - start_ns)

    def decode() -> Frame | None:
        start_ns = time.perf_counter_ns()
        frame = None if stopped() else source.read()
        if frame is not None:
            timed_since(start_ns, "decode")
        return frame

    def filter_one(frame: Frame) -> bool:
        start_ns = time.perf_counter_ns()
        result = step(frame)
        timed_since(start_ns, "filter")
        if not filtered.put(result):
            return False
        report.frames += 1
        if progress is not None:
            progress(report.frames, source.info.frame_count)
        return True

    def encode(frame: Frame) -> None:
        start_ns = time.perf_counter_ns()
        sink.write(frame)
        timed_since(start_ns, "encode")

    def stop() -> None:
        read.close(drop=True)
        filtered.close(drop=True)
        done.set()

    def then(finish: Callable[[], None]) -> Callable[[BaseException | None], None]:
        def ended(error: BaseException | None) -> None:
            if error is None:
                finish()
            else:
                errors.append(error)
                stop()

        return ended

    workers = [
        FrameWorker("decode", decode, read.put, then(read.close)),
        FrameWorker("filter", read.get, filter_one, then(filtered.close)),
        FrameWorker("encode", filtered.get, encode, then(done.set)),
    ]
    complete = False
    try:
        while not done.wait(_WAIT_S):
            pass
        complete = not errors
    finally:
        if not complete:
            stop()
            # A read may wait for another program.
            source.close()
            for worker in workers:
                worker.join(_JOIN_S)
            # The error that stopped the run is the one to report.
            with contextlib.suppress(RtfilterError):
                sink.close(complete=False)
    if errors:
        raise errors[0]
    sink.close(complete=True)
    report.wall_s = time.monotonic() - started_s
    return report
