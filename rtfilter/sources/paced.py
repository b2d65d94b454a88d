"""`Paced`: a file or the demo, released in real time. Called by `cam.loop` and `cam.camera`."""

from __future__ import annotations

import threading
from dataclasses import replace
from fractions import Fraction

from rtfilter.errors import DeviceError
from rtfilter.frame import NANOSECONDS, Frame
from rtfilter.sources.base import Source
from rtfilter.system.clock import NS_PER_S, monotonic_ns
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
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.info = replace(source.info, live=True)
        self._seq = 0
        self._interval_ns = int(1 / max(source.info.fps, Fraction(1)) / NANOSECONDS)
        self._slot: Latest[Frame] = Latest()
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._anchor_ns: int | None = None
        self._released_ns = 0

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
                f"{self.info.name}: no frame for {timeout_s:g} s,"
                f" expected {float(self.info.fps):g} a second: is the disk or the decoder stuck?"
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
        while not self._stopping.is_set() and (frame := self._source.read()) is not None:
            self._release(replace(frame, seq=self._seq))
            self._seq += 1

    def _release(self, frame: Frame) -> None:
        now_ns = monotonic_ns()
        due_ns = now_ns if self._anchor_ns is None else frame.pts_ns + self._anchor_ns
        ahead_ns = due_ns - now_ns
        if ahead_ns < -self._interval_ns and now_ns - self._released_ns < STALL_NS:
            return
        if self._anchor_ns is None or ahead_ns > LONGEST_GAP_NS or ahead_ns < -self._interval_ns:
            self._anchor_ns = now_ns - frame.pts_ns
            due_ns = now_ns
        elif ahead_ns > 0 and self._stopping.wait(ahead_ns / NS_PER_S):
            return
        self._released_ns = monotonic_ns()
        self._slot.put(replace(frame, captured_ns=due_ns))
