"""What every sink is: something that takes frames and is closed once, complete or not."""

from __future__ import annotations

from typing import Protocol

from rtfilter.frame import Frame


class Sink(Protocol):
    """A destination. Only the thread that writes calls it."""

    def write(self, frame: Frame) -> None:
        """Take one frame. Raises OutputError or DeviceError."""
        ...

    def close(self, complete: bool) -> None:
        """Finish. With `complete` False nothing may be left that looks like a whole result."""
        ...
