"""`SteadySink`: a camera's even rhythm, whatever the frames do; and still cards in their place.

Readers of a virtual camera expect what a webcam does: a picture every 1/30 s. Frames go out as they come,
so that nothing is added to their age; one that is missing is replaced by the last, one too many is dropped.
"""

from __future__ import annotations

import threading
from typing import Protocol

from rtfilter.errors import OutputError
from rtfilter.frame import Frame
from rtfilter.sinks.base import Sink
from rtfilter.system.arrays import U8
from rtfilter.system.clock import NS_PER_S, Clock, monotonic_ns
from rtfilter.system.threads import caught, start_thread

CLOSE_S = 5.0


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
        self._interval_ns = interval_ns
        # Not before here for a new picture, not before there for a repeat.
        self._fresh_ns: int | None = None
        self._repeat_ns: int | None = None

    def restart(self, interval_ns: int) -> None:
        """Go on with another interval; a new picture may follow at once."""
        self._interval_ns = interval_ns
        self._fresh_ns = self._repeat_ns = None

    def wait_ns(self, now_ns: int, fresh: bool) -> int:
        """Nanoseconds until the next picture, 0 or less when it is due. fresh: it is a new one."""
        due_ns = self._fresh_ns if fresh else self._repeat_ns
        return 0 if due_ns is None else due_ns - now_ns

    def wrote(self, now_ns: int, fresh: bool) -> None:
        """A picture went out. Time that was lost before is not made up for with a burst."""
        half_ns = self._interval_ns // 2
        before_ns = now_ns - half_ns if self._fresh_ns is None else max(self._fresh_ns, now_ns - 2 * half_ns)
        self._fresh_ns = before_ns + self._interval_ns
        self._repeat_ns = now_ns + self._interval_ns + (half_ns if fresh else 0)


class SteadySink:
    """Hands `inner` a picture at an even rate from a thread of its own, the only one that uses it.

    fps: pictures a second. While a card is held (`hold`), frames are ignored and the card is repeated;
    after `release` it stays until the next frame, so that nothing old flashes up.
    `write`, `hold`, `release` and `check` may be called from any thread and never wait for `inner`.
    """

    def __init__(self, inner: RepeatingSink, fps: float, *, clock: Clock = monotonic_ns) -> None:
        self._inner = inner
        self._clock = clock
        self._interval_ns = round(NS_PER_S / fps)
        self._pace = Pace(self._interval_ns)
        self._changed = threading.Condition()
        self._next: Frame | None = None
        self._held = False
        self._closing: bool | None = None
        self._error: BaseException | None = None
        self.written = self.repeated = 0
        self._thread = start_thread("steady", self._run)

    def write(self, frame: Frame) -> None:
        """Show `frame` next, in place of one that still waits.

        Raises what `inner` raised before, and OutputError once this sink is closed.
        """
        self.check()
        if self._closing is not None:
            raise OutputError("this sink is closed; open a new one")
        with self._changed:
            if not self._held:
                self._next = frame
                self._changed.notify()

    def hold(self, card: U8, fps: float | None = None) -> None:
        """Show `card`, RGB uint8 [H, W, 3], instead of frames, `fps` times a second; None: as frames."""
        with self._changed:
            self._held = True
            self._next = Frame(card, captured_ns=self._clock())
            interval_ns = self._interval_ns if fps is None else round(NS_PER_S / fps)
            self._pace.restart(interval_ns)
            self._changed.notify()

    def release(self) -> None:
        """Show frames again, from the next one on."""
        with self._changed:
            self._held = False
            self._pace.restart(self._interval_ns)
            self._changed.notify()

    def check(self) -> None:
        """Raise what `inner` raised, if it did."""
        if self._error is not None:
            raise self._error

    def close(self, complete: bool) -> None:
        """Close `inner`. May be called twice. Raises what it raises; what it raised at a write, too."""
        with self._changed:
            if self._closing is None:
                self._closing = complete
            self._changed.notify()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            raise OutputError(f"the output did not finish within {CLOSE_S:g} s: is its device stuck?")
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        self._error = caught(self._show_all)
        closing_error = caught(lambda: self._inner.close(bool(self._closing) and self._error is None))
        self._error = self._error or closing_error

    def _show_all(self) -> None:
        showing = False
        while True:
            with self._changed:
                if self._closing is not None:
                    return
                now_ns = self._clock()
                fresh = self._next is not None
                wait_ns = self._pace.wait_ns(now_ns, fresh)
                if wait_ns > 0 or not (fresh or showing):
                    self._changed.wait(max(wait_ns, 0) / NS_PER_S if fresh or showing else None)
                    continue
                frame, self._next = self._next, None
                self._pace.wrote(now_ns, fresh)
            if frame is not None:
                self._inner.write(frame)
                self.written += 1
                showing = True
            else:
                self._inner.repeat()
                self.repeated += 1
