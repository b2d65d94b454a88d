"""Files that a verb writes: never in place of another unasked, never a part as if it were whole."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from rtfilter.errors import OutputError
from rtfilter.tomlfile import write_text_atomically


def refuse_existing(path: Path, force: bool) -> None:
    """Raise OutputError when `path` exists and `force` is False, or when its folder does not exist."""
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file in it")
    if path.exists() and not force:
        raise OutputError(f"{path} exists; replace it with --force or choose another name")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; make it first")


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
