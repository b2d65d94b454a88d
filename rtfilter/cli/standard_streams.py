"""stdin and stdout as video: `-` for `--input` and `--output`."""

from __future__ import annotations

import os
import sys

from rtfilter.errors import UsageError

PIPE = "-"


def stdin_descriptor() -> int:
    """The descriptor of stdin. Raises UsageError when it is a terminal or closed."""
    if not _is_open(0):
        raise UsageError("input -: stdin is closed; pipe a video into it")
    if os.isatty(0):
        raise UsageError("input -: stdin is a terminal; pipe a video into it, as y4m, mkv or raw RGB")
    return 0


def taken_stdout() -> int:
    """A descriptor of stdout of the caller's own; from now on whatever else is printed goes to stderr.

    Raises UsageError when it is a terminal or closed.
    """
    if not _is_open(1):
        raise UsageError("output -: stdout is closed; pipe it into another program")
    if os.isatty(1):
        raise UsageError("output -: stdout is a terminal; pipe it into another program, or name a file")
    sys.stdout.flush()
    own = os.dup(1)
    os.set_blocking(own, True)
    # Native libraries print, too.
    if _is_open(2):
        os.dup2(2, 1)
    sys.stdout = sys.stderr
    return own


def shown_name(output: str) -> str:
    """How messages call an output."""
    return "stdout" if output == PIPE else output


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
