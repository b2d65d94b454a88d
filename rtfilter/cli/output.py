"""Files that a verb writes, and stdin and stdout as video (`-`). Called by the verbs and `cli.endpoints`."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from rtfilter.errors import OutputError, UsageError
from rtfilter.system.files import write_text_atomically

PIPE = "-"


def refuse_existing(path: Path, force: bool) -> None:
    """Raise OutputError when `path` exists and `force` is False, or when its folder does not exist."""
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file in it")
    if path.exists() and not force:
        raise OutputError(f"{path} exists; replace it with --force or choose another name")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; make it first")
    # Before hours of filtering, not after. A file is replaced by renaming, so its folder counts.
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: the folder {path.parent} may not be written to; choose another")


def refuse_same(output: Path, what: str, other: Path, other_what: str) -> None:
    """Raise UsageError when both names mean one file: writing the first would destroy the second."""
    same = (
        output.samefile(other) if output.exists() and other.exists() else output.resolve() == other.resolve()
    )
    if same:
        raise UsageError(f"{output} is both {what} and {other_what}; choose another {what}")


@contextmanager
def text_output(path: str | None) -> Iterator[TextIO]:
    """The terminal for None; else a stream whose text replaces `path` when the block ends well.

    Raises OutputError when it cannot be written.
    """
    if path is None:
        yield sys.stdout
        return
    with tempfile.TemporaryFile("w+", encoding="utf-8") as kept:
        yield kept
        kept.seek(0)
        write_text_atomically(Path(path), kept.read())


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write one JSON document, whole or not at all. Raises OutputError."""
    write_text_atomically(path, json.dumps(document, indent=2) + "\n")


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
