"""Memory that is free within the process, given back to the system."""

from __future__ import annotations

import ctypes
import functools
from typing import Any


@functools.cache
def _trim_function() -> Any:
    """glibc's malloc_trim; None where the C library has none."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # musl and macOS lack the function, Windows the library
        return None


def give_back_free_memory() -> None:
    """Return freed memory to the system, where the C library can.

    glibc keeps what was freed, in an arena for each thread. A connection has threads of its own, so that
    after a thousand of them the arenas hold hundreds of megabytes that nobody uses. Takes some
    milliseconds and lets other threads run meanwhile.
    """
    trim = _trim_function()
    if trim is not None:
        trim(0)
