"""The thread that owns a live sink. Called by `cam.loop`, `cam.job`, `cli.run` and `cli.cam`.

`SinkWriter` writes each frame as it comes, `SteadyWriter` in the even rhythm of a webcam. The newest frame
wins; frames count as written, with their age, once the sink took them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from rtfilter.errors import OutputError
from rtfilter.frame import Frame
from rtfilter.pipeline import FrameWorker
from rtfilter.sinks.base import Sink
from rtfilter.system.arrays import U8
from rtfilter.system.clock import NS_PER_S, StageTimings, monotonic_ns
from rtfilter.system.latest import Latest
from rtfilter.system.threads import caught

CLOSE_S = 10.0

_log = logging.getLogger(__name__)


class SinkWriter:
    """Writes the newest frame to `sink`, which no other thread uses, and closes it.

    compose: makes of a frame what is written, in the writer's thread; default: the frame itself.
    written: frames that the sink took. timings: `sink`, one write; `age_at_sink`, from capture to its end.
    error: what ended the writer before `close`, or None.
    """

    def __init__(self, sink: Sink, compose: Callable[[Frame], Frame] | None = None) -> None:
        self._sink, self._compose = sink, compose
        self._slot: Latest[Frame] = Latest()
        self._complete = False
        self.written = 0
        self.timings = StageTimings()
        self.error: BaseException | None = None
        self._worker = FrameWorker("sink", self._next, self._write, self._ended)

    def put(self, frame: Frame) -> bool:
        """Leave `frame`, in place of one that still waits; never waits itself. False once closed."""
        return self._slot.put(frame)

    def close(self, complete: bool, timeout_s: float = CLOSE_S) -> None:
        """Write the frame that waits, and close the sink. May be called twice.

        Raises OutputError when that takes too long, and what the sink raised, then or before.
        """
        self._complete = complete
        self._slot.close()
        if not self._worker.join(timeout_s):
            self._complete = False
            late = f"the output did not finish within {timeout_s:g} s"
            raise OutputError(f"{late}: is its disk or device stuck?")
        if self.error is not None:
            raise self.error

    def _next(self) -> Frame | None:
        return self._slot.get()

    def _write(self, frame: Frame) -> None:
        started_ns = monotonic_ns()
        self._sink.write(frame if self._compose is None else self._compose(frame))
        done_ns = monotonic_ns()
        self.written += 1
        self.timings.record("sink", done_ns - started_ns)
        self.timings.record("age_at_sink", done_ns - frame.captured_ns)

    def _ended(self, error: BaseException | None) -> None:
        # First, as closing a sink that failed may take long, or for ever.
        self.error = error
        if error is not None:
            self._slot.close(drop=True)
        closing_error = caught(lambda: self._sink.close(self._complete and error is None))
        if error is not None and closing_error is not None:
            _log.warning("after %r: %s", error, closing_error)
        self.error = error or closing_error


class RepeatingSink(Sink, Protocol):
    """A sink that can show its last picture again for less than a new one costs."""

    def repeat(self) -> None:
        """Show the last frame written once more. Raises what `write` raises."""
        ...


class Pace:
    """When the next picture is due.

    A new one goes out as it comes, unless that made more than one an interval on average. A repeat waits
    half an interval longer, in case the camera is merely late, and then follows every interval. So a camera
    with two thirds of the rate or more is passed on as it is, and a slower one is filled up.
    """

    def __init__(self, interval_ns: int) -> None:
        self.restart(interval_ns)

    def restart(self, interval_ns: int) -> None:
        """Go on with another interval; a new picture may follow at once."""
        self._interval_ns = interval_ns
        # Not before here for a new picture, not before there for a repeat.
        self._fresh_ns: int | None = None
        self._repeat_ns: int | None = None

    def wait_ns(self, now_ns: int, fresh: bool) -> int:
        """Nanoseconds until the next picture, 0 when it is due. fresh: it is a new one."""
        due_ns = self._fresh_ns if fresh else self._repeat_ns
        return 0 if due_ns is None else max(due_ns - now_ns, 0)

    def wrote(self, now_ns: int, fresh: bool) -> None:
        """A picture went out. Time that was lost before is not made up for with a burst."""
        half_ns = self._interval_ns // 2
        before_ns = now_ns - half_ns if self._fresh_ns is None else max(self._fresh_ns, now_ns - 2 * half_ns)
        self._fresh_ns = before_ns + self._interval_ns
        self._repeat_ns = now_ns + self._interval_ns + (half_ns if fresh else 0)


class _Card(Frame):
    """A still picture in place of frames; not counted as written."""

    __slots__ = ()


class SteadyWriter(SinkWriter):
    """A `SinkWriter` in a webcam's even rhythm: a missing frame is replaced by the last, one too many drops.

    fps: pictures a second. While a card is held, frames are ignored and the card is repeated; after
    `release` it stays until the next frame, so that nothing old flashes up.
    Any thread may call anything.
    """

    def __init__(
        self, sink: RepeatingSink, fps: float, compose: Callable[[Frame], Frame] | None = None
    ) -> None:
        self._repeat = sink.repeat
        self._interval_ns = round(NS_PER_S / fps)
        self._pace = Pace(self._interval_ns)
        self._holding = threading.Lock()
        self._held = False
        self._shown: Frame | None = None
        super().__init__(sink, compose)

    def put(self, frame: Frame) -> bool:
        """See `SinkWriter.put`; while a card is held the frame is dropped."""
        with self._holding:
            return self._held or super().put(frame)

    def hold(self, card: U8, fps: float | None = None) -> None:
        """Show `card`, RGB uint8 [H, W, 3], instead of frames, `fps` times a second; None: as frames."""
        with self._holding:
            self._held = True
            self._pace.restart(self._interval_ns if fps is None else round(NS_PER_S / fps))
            self._slot.put(_Card(card, captured_ns=monotonic_ns()))

    def release(self) -> None:
        """Show frames again, from the next one on."""
        with self._holding:
            self._held = False
            self._pace.restart(self._interval_ns)

    def _next(self) -> Frame | None:
        """The newest frame, when its turn has come; or the one shown last, when a repeat is due."""
        try:
            frame = self._slot.get(None if self._shown is None else self._wait_s(fresh=False))
        except TimeoutError:
            return self._shown
        newer = frame
        while newer is not None and (wait_s := self._wait_s(fresh=True)) > 0.0:
            frame = newer
            try:
                newer = self._slot.get(wait_s)
            except TimeoutError:
                break
        return newer or frame

    def _wait_s(self, *, fresh: bool) -> float:
        with self._holding:
            return self._pace.wait_ns(monotonic_ns(), fresh) / NS_PER_S

    def _write(self, frame: Frame) -> None:
        again = frame is self._shown
        with self._holding:
            self._pace.wrote(monotonic_ns(), fresh=not again)
        if again:
            self._repeat()
        elif isinstance(frame, _Card):
            self._sink.write(frame)
        else:
            super()._write(frame)
        self._shown = frame
