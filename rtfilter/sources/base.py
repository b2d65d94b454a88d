"""What every source is: something that yields frames and knows their shape and rate."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from rtfilter.frame import Frame


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Facts known when a source is open. `frame_count` is None when unknown or endless."""

    name: str
    width: int
    height: int
    fps: Fraction
    live: bool
    frame_count: int | None = None


class Source(Protocol):
    """A source of frames. `live` sources drop what nobody read; others give every frame."""

    @property
    def info(self) -> SourceInfo: ...

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        """The next frame (live: the newest not yet read), or None at the end.

        Raises DeviceError when a live source gave nothing within `timeout_s`, InputError when a
        file cannot be decoded further.
        """
        ...

    def close(self) -> None:
        """Release the device or file. May be called twice and from another thread."""
        ...
