"""`Sink`, the contract of all that takes frames, and `NullSink`. Called by `pipeline`, `cam` and `cli`."""

from __future__ import annotations

from typing import Protocol

from rtfilter.frame import Frame


class Sink(Protocol):
    """A destination of frames, used by one thread."""

    def write(self, frame: Frame) -> None:
        """Take one frame. Raises OutputError or DeviceError."""
        ...

    def close(self, complete: bool) -> None:
        """Finish. With `complete` False nothing is left that looks like a whole result."""
        ...


class NullSink:
    """A sink that counts frames and keeps none, for measurements and dry runs.

    complete: None until closed, then whether the run was whole.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.complete: bool | None = None

    def write(self, frame: Frame) -> None:
        self.frames += 1

    def close(self, complete: bool) -> None:
        self.complete = complete
