"""Sources, sinks and cameras that misbehave on demand, and threads that are waited for with a limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from rtfilter.errors import DeviceError
from rtfilter.frame import Frame
from rtfilter.media.info import SourceInfo
from rtfilter.sources.capture import Picture
from rtfilter.system.clock import monotonic_ns

GUARD_S = 10.0


def picture(level: int = 0, width: int = 8, height: int = 6) -> Picture:
    return Picture(np.full((height, width, 3), level, np.uint8), monotonic_ns())


def eventually(condition: Callable[[], bool], timeout_s: float = GUARD_S) -> bool:
    """Whether `condition` becomes true in time."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.002)
    return True


def own_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("rtfilter-")]


@dataclass
class ScriptedCapture:
    """A camera that gives the pictures of a script. None in it: unplugged. An Event: frozen until set."""

    script: Iterable[Picture | threading.Event | None]
    fps: float = 100.0
    size: tuple[int, int] = (8, 6)
    interval_s: float = 0.001
    closed: int = 0

    def __post_init__(self) -> None:
        self._script = iter(self.script)

    def read(self) -> Picture | None:
        assert not self.closed
        for item in self._script:
            if isinstance(item, threading.Event):
                item.wait(GUARD_S)
                continue
            time.sleep(self.interval_s)
            return item
        return None

    def close(self) -> None:
        self.closed += 1


@dataclass
class Opener:
    """Opens the given captures one after another; a DeviceError in the list is raised in its turn."""

    captures: list[ScriptedCapture | DeviceError]
    asked: list[tuple[int | str, int, int, float]] = field(default_factory=list)

    def __call__(self, target: int | str, width: int, height: int, fps: float) -> ScriptedCapture:
        self.asked.append((target, width, height, fps))
        if not self.captures:
            raise DeviceError(f"camera:{target} is not there")
        capture = self.captures.pop(0)
        if isinstance(capture, DeviceError):
            raise capture
        return capture


class ListSource:
    """Frames from a list, without pace: `live` false gives each; an exception in it is raised."""

    def __init__(self, frames: Iterable[Frame | Exception], *, live: bool = False, fps: int = 100) -> None:
        self._frames = iter(frames)
        self.info = SourceInfo("list", 8, 6, Fraction(fps), live)
        self.closed = threading.Event()

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        if self.closed.is_set():
            return None
        frame = next(self._frames, None)
        if isinstance(frame, Exception):
            raise frame
        return frame

    def close(self) -> None:
        self.closed.set()


class HangingSource(ListSource):
    """Gives its frames, then nothing until it is closed; `deaf` does not even hear the close."""

    def __init__(self, frames: Iterable[Frame | Exception] = (), *, deaf: bool = False) -> None:
        super().__init__(frames, live=True)
        self.release = threading.Event()
        self._deaf = deaf

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        frame = super().read(timeout_s)
        if frame is None:
            (self.release if self._deaf else self.closed).wait(GUARD_S)
        return frame


class ListSink:
    """Keeps what it is given. `hold`: every write waits for it. `error`: raised at write number `fail_at`."""

    def __init__(
        self, *, hold: threading.Event | None = None, error: Exception | None = None, fail_at: int = 0
    ) -> None:
        self.frames: list[Frame] = []
        self.closes: list[bool] = []
        self.threads: set[str] = set()
        self.writing = threading.Event()
        self.close_error: Exception | None = None
        self._hold, self._error, self._fail_at = hold, error, fail_at

    def write(self, frame: Frame) -> None:
        self.threads.add(threading.current_thread().name)
        self.writing.set()
        if self._hold is not None:
            self._hold.wait(GUARD_S)
        if self._error is not None and len(self.frames) == self._fail_at:
            raise self._error
        self.frames.append(frame)

    def close(self, complete: bool) -> None:
        self.threads.add(threading.current_thread().name)
        self.closes.append(complete)
        if self.close_error is not None:
            raise self.close_error
