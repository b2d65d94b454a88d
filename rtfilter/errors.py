"""The one error hierarchy, and `Notify` for other lines to the user.

Every message shows what came, what was expected, and what to do next.

The command line prints the message alone, on one line, and exits with `exit_code`: 2 for a usage
mistake that another command line would mend, 1 for a failure of the world (device, file, disk).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

# Called with one line for the user, of what takes long or went another way.
Notify = Callable[[str], None]


class RtfilterError(Exception):
    """Base of every error that rtfilter raises on purpose."""

    exit_code = 1


class UsageError(RtfilterError, ValueError):
    """The request itself cannot be met: unknown name, value out of range, contradictory options."""

    exit_code = 2


class FrameError(UsageError):
    """An array that is not a picture rtfilter can filter (shape, dtype, NaN)."""


class MissingExtraError(UsageError):
    """A feature whose optional dependency is not installed; the message names the extra."""


class InputError(RtfilterError):
    """A source that cannot be opened or read: no such file, no video stream, truncated, empty."""


class DeviceError(RtfilterError):
    """A camera or virtual camera that is absent, busy, frozen or gone."""


class GpuError(RtfilterError):
    """A GPU, its driver or its software that is missing, too old, out of memory, or gone."""


class GpuMemoryError(GpuError):
    """The GPU's memory, or the share of it that is ours, does not suffice. The GPU itself goes on working."""


class GpuLostError(GpuError):
    """The GPU failed while it worked: what it held is gone, and this process may never reach it again."""


class OutputError(RtfilterError):
    """A destination that exists, cannot be written, or ran out of space."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Suffix for a message about an unknown `name`: the closest known one, then all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    hint = f" did you mean {close[0]!r}?" if close else ""
    return f"{hint} Known: {', '.join(names)}."
