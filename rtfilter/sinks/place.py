"""Destinations of a media file: an open pipe, or a name that appears when the file is whole. For sinks."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

from rtfilter.errors import OutputError
from rtfilter.media.container import reason

# At most 96 bytes in UTF-8, of the 255 (143 on an encrypted disk) that a name may have.
_NAME_START = 24


class PipePlace:
    """An open descriptor, such as stdout's. What has gone into it cannot be taken back.

    suffix: names the container, with its dot, in lower case.
    """

    def __init__(self, descriptor: int, suffix: str) -> None:
        self._address, self.suffix = f"pipe:{descriptor}", suffix

    def open(self) -> str:
        """The address for FFmpeg, made ready. Raises OSError."""
        return self._address

    def publish(self) -> None:
        """Give the whole file its name. Raises OutputError."""

    def discard(self) -> None:
        """Remove what is not published. May be called twice, and after `publish`."""


class FilePlace(PipePlace):
    """A file that is written under a hidden name beside `path`, and renamed when it is whole.

    Raises OutputError when it exists and `overwrite` is False, is no regular file, or has no folder.
    """

    def __init__(self, path: Path, overwrite: bool) -> None:
        self._path, self._overwrite = path, overwrite
        self.suffix = path.suffix.lower()
        self._target = _checked_target(path, overwrite)
        # Same suffix, same folder: renaming at the end is then one atomic step. The start of the name is
        # enough: the whole one may be as long as a name may be.
        start = self._target.stem[:_NAME_START]
        self._part = self._target.with_name(f".{start}.{secrets.token_hex(4)}{path.suffix}")

    def open(self) -> str:
        # Made here: FFmpeg would open it with the first frame, after the user has waited for models.
        self._part.touch(exist_ok=False)
        # The prefix keeps FFmpeg from reading a protocol into a name that has a colon.
        return f"file:{self._part}"

    def publish(self) -> None:
        if self._target.exists() and not self._overwrite:
            raise OutputError(f"{self._path} has appeared meanwhile: choose another name and run again")
        self._part.replace(self._target)

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)


def _checked_target(path: Path, overwrite: bool) -> Path:
    try:
        # A link is followed: the file that it points to is replaced, not the link.
        target = path.resolve()
        if target.is_dir():
            raise OutputError(f"{path} is a folder: name a file inside it")
        if target.exists() and not target.is_file():
            raise OutputError(f"{path} is not a regular file: name one")
        if target.exists() and not overwrite:
            raise OutputError(f"{path} exists already: choose another name, or allow overwriting")
        if not target.parent.is_dir():
            raise OutputError(f"{path}: there is no folder {path.parent}: make it first")
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise OutputError(f"{path} cannot be written ({reason(error)}): choose another name") from error
    return target
