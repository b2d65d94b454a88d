"""`Source`, the contract of all that yields frames, and addresses as inputs. Called by `cli` and `cam`."""

from __future__ import annotations

import re
from typing import Protocol

from rtfilter.frame import Frame
from rtfilter.media.info import SourceInfo

LIVE_SCHEMES = ("rtsp", "rtsps")
SCHEMES = ("http", "https", *LIVE_SCHEMES)


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


def is_address(name: str) -> bool:
    """Whether an input is an address, such as `rtsp://camera/stream`, and no file."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", name) is not None


def is_live(name: str) -> bool:
    """Whether an input is an address of a stream that does not wait for its reader."""
    return is_address(name) and name.partition("://")[0].lower() in LIVE_SCHEMES


def shown_address(name: str) -> str:
    """An address without user, password and query, which may be secrets; other names as they are."""
    if not is_address(name):
        return name
    scheme, _, rest = name.partition("://")
    # Up to the last @: a password may hold a slash, which by the standard would have to be written %2F.
    return f"{scheme}://{re.split(r'[?#]', rest, maxsplit=1)[0].rpartition('@')[2]}"
