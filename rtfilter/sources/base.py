"""`Source`, the contract of everything that yields frames. Called by `pipeline`, `cam` and `cli`."""

from __future__ import annotations

from typing import Protocol

from rtfilter.frame import Frame
from rtfilter.media.info import SourceInfo


class Source(Protocol):
    """A source of frames. A `live` one drops frames that were not read in time; others give every frame."""

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
