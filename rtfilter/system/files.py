"""The user's folders, and files that are written whole or not at all.

Called by `config` (settings), `system.cache` and `cli.output`.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import platformdirs
from platformdirs.unix import Unix

from rtfilter.errors import OutputError

_APP = "rtfilter"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
# Of a user without a home, as in some containers: can be neither made nor read.
_NO_HOME = Path("/nonexistent") / _APP


def user_cache() -> Path:
    """The system's cache folder for rtfilter: on Linux `$XDG_CACHE_HOME/rtfilter`, or `~/.cache/rtfilter`."""
    try:
        return platformdirs.user_cache_path(_APP, appauthor=False)
    except RuntimeError:
        return _NO_HOME


def user_config() -> Path:
    """On every system `$XDG_CONFIG_HOME/rtfilter`, or `~/.config/rtfilter`."""
    try:
        return Unix(_APP).user_config_path
    except RuntimeError:
        return _NO_HOME


def user_data() -> Path:
    """The system's folder for what cannot be made again: on Linux `$XDG_DATA_HOME/rtfilter`, or
    `~/.local/share/rtfilter`."""
    try:
        return platformdirs.user_data_path(_APP, appauthor=False)
    except RuntimeError:
        return _NO_HOME


def write_atomically(path: Path, content: bytes, *, private: bool = False) -> None:
    """Replace the file `path` in one step: readers see the old content or the new, never a part.

    Missing folders are made. private: file, and folders that are made, are for their owner alone. Raises
    OSError; an older file is then unchanged.
    """
    path.parent.mkdir(0o700 if private else 0o777, parents=True, exist_ok=True)
    temporary = path.with_name(f"{temporary_prefix(path)}{secrets.token_hex(8)}")
    try:
        # Not by chmod afterwards: the file would be open to others for a moment.
        descriptor = os.open(temporary, _NEW, 0o600 if private else 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_prefix(path: Path) -> str:
    """What the names begin with of files that `write_atomically` leaves where it is killed.

    The start of the name alone: a name may already be as long as the file system permits.
    """
    return f".{path.name[:24]}."


def write_text_atomically(path: Path, text: str) -> None:
    """`write_atomically` as UTF-8. Raises OutputError when the file or its folder cannot be written."""
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
