"""`Paced`: a file or the demo, released in real time as if a camera had taken it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from rtfilter.errors import DeviceError
from rtfilter.frame import NANOSECONDS, Frame
from rtfilter.media.info import SourceInfo
from rtfilter.sources.base import Source
from rtfilter.system.clock import NS_PER_S, Clock, monotonic_ns
from rtfilter.system.latest import Latest
from rtfilter.system.threads import caught, start_thread

# Later than this and the timeline is moved: a decoder slower than real time shows slow motion, not nothing.
STALL_NS = NS_PER_S // 2
# A longer hole in a file's timestamps is a fault of the file, and is not waited for.
LONGEST_GAP_NS = 2 * NS_PER_S
CLOSE_S = 2.0


class Paced:
    """A live source made of one that is not: newest frame wins, late frames are dropped.

    The clock starts at the first `read`. A frame is given out once its pts has come and carries that
    moment as `captured_ns`; `seq` counts every frame of the source, so that a gap shows the drops.
    With `reopen`, which returns the source anew, the frames repeat for ever, pts running on.
    """

    def __init__(
        self, source: Source, *, reopen: Callable[[], Source] | None = None, clock: Clock = monotonic_ns
    ) -> None:
        self._source = source
        self._reopen = reopen
        self._clock = clock
        count = None if reopen else source.info.frame_count
        self._info = replace(source.info, live=True, frame_count=count)
        self._interval_ns = int(1 / max(source.info.fps, Fraction(1)) / NANOSECONDS)
        self._slot: Latest[Frame] = Latest()
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._anchor_ns: int | None = None
        self._released_ns = 0

    @property
    def info(self) -> SourceInfo:
        return self._info

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        """The newest frame that is due and was not read yet, or None at the end or after `close`.

        Raises DeviceError when none came within `timeout_s`, and whatever the source itself raised.
        """
        with self._starting:
            if self._thread is None and not self._stopping.is_set():
                self._thread = start_thread("paced", self._run)
        try:
            return self._slot.get(timeout_s)
        except TimeoutError as error:
            raise DeviceError(
                f"{self._info.name}: no frame for {timeout_s:g} s,"
                f" expected {float(self._info.fps):g} a second: is the disk or the decoder stuck?"
            ) from error

    def close(self) -> None:
        """Stop releasing and close the source; a waiting `read` returns None."""
        self._stopping.set()
        self._slot.close()
        with self._starting:
            thread = self._thread
        if thread is None:
            self._source.close()
        else:
            # The thread closes the source itself, between two reads.
            thread.join(CLOSE_S)

    def _run(self) -> None:
        reading_error = caught(self._release_all)
        closing_error = caught(self._source.close)
        error = reading_error or closing_error
        if error is not None:
            self._slot.fail(error)
        self._slot.close()

    def _release_all(self) -> None:
        seq = 0
        shift_ns = 0
        while not self._stopping.is_set():
            next_ns = shift_ns
            frame = self._source.read()
            while frame is not None and not self._stopping.is_set():
                next_ns = shift_ns + frame.pts_ns + self._interval_ns
                self._release(frame, seq, shift_ns)
                seq += 1
                frame = self._source.read()
            # A source without a single frame would be reopened for ever.
            if self._reopen is None or next_ns == shift_ns or self._stopping.is_set():
                return
            shift_ns = next_ns
            self._source.close()
            self._source = self._reopen()

    def _release(self, frame: Frame, seq: int, shift_ns: int) -> None:
        now_ns = self._clock()
        pts_ns = frame.pts_ns + shift_ns
        due_ns = pts_ns + self._anchor_ns if self._anchor_ns is not None else now_ns
        ahead_ns = due_ns - now_ns
        if ahead_ns < -self._interval_ns and now_ns - self._released_ns < STALL_NS:
            return
        if self._anchor_ns is None or ahead_ns > LONGEST_GAP_NS or ahead_ns < -self._interval_ns:
            self._anchor_ns = now_ns - pts_ns
            due_ns = now_ns
        elif ahead_ns > 0 and self._stopping.wait(ahead_ns / NS_PER_S):
            return
        self._released_ns = self._clock()
        pts = frame.pts + round(shift_ns * NANOSECONDS / frame.time_base)
        self._slot.put(replace(frame, pts=pts, captured_ns=due_ns, seq=seq))
