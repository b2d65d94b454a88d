"""Which inputs are addresses, and how an address is shown."""

from __future__ import annotations

import re

LIVE_SCHEMES = ("rtsp", "rtsps")
SCHEMES = ("http", "https", *LIVE_SCHEMES)


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
