"""The user's cache folder: where it lies, writing into it all or nothing, and one writer at a time."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

from rtfilter.errors import InputError, UsageError

_log = logging.getLogger(__name__)

LOCK_LIMIT_S = 600.0  # longer than the slowest build of an engine that was seen
_NOTICE_AFTER_S = 1.0
_POLL_S = 0.05
_told: set[Path] = set()


class CacheError(InputError):
    """A cache folder that cannot be read or written; what it should keep can be made without, see `kept`."""


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder for everything that can be made again; it need not exist yet.

    `$RTFILTER_CACHE` itself, else `rtfilter` below `$XDG_CACHE_HOME`, `%LOCALAPPDATA%` (on Windows) or
    `~/.cache`; for a user without a home, as in some containers, a folder that cannot be made. UsageError
    where $RTFILTER_CACHE is relative. As the XDG base directory specification demands, a relative
    XDG_CACHE_HOME is ignored.
    """
    own = environ.get("RTFILTER_CACHE")
    if own:
        if not Path(own).is_absolute():
            raise UsageError(f"RTFILTER_CACHE: expected an absolute path, got {own!r}")
        return Path(own)
    base = environ.get("XDG_CACHE_HOME", "")
    if not Path(base).is_absolute() and sys.platform == "win32":
        base = environ.get("LOCALAPPDATA", "")
    if Path(base).is_absolute():
        return Path(base) / "rtfilter"
    try:
        return Path(environ.get("HOME") or Path.home()) / ".cache" / "rtfilter"
    except RuntimeError:
        return Path("/nonexistent/.cache/rtfilter")


def kept(
    path: Path,
    read: Callable[[], bytes | None],
    make: Callable[[], bytes],
    write: Callable[[bytes], None],
    *,
    required: bool = False,
) -> bytes:
    """What `read` finds of the file `path`, else what `make` makes, which `write` keeps for the next time.

    Of several processes one makes it, the others wait. Where the cache cannot be used, that is told in the
    log once, and the content is made without being kept; required: CacheError then. Else whatever `make`
    raises.
    """
    content = None
    try:
        if (found := read()) is not None:
            return found
        with locked(path):
            if (found := read()) is not None:  # another process made it while this one waited
                return found
            content = make()
            write(content)
    except CacheError as error:
        if required:
            raise
        _tell_once(path.parent, str(error))
    return make() if content is None else content


def unusable(folder: Path) -> str:
    """Why nothing can be kept in `folder`, which need not exist; "" where it can. Leaves nothing there."""
    place = folder
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    try:
        next(place.iterdir(), None)
        with tempfile.TemporaryFile(
            dir=place
        ):  # permissions alone tell nothing to root, or of read-only disks
            return ""
    except OSError as error:
        return f"{place} cannot be used: {_reason(error)}"


def _tell_once(folder: Path, reason: str) -> None:
    if folder in _told:
        return
    _told.add(folder)
    _log.warning("%s. Until then every start makes anew what %s should keep", reason, folder)


def write_atomically(path: Path, content: bytes) -> None:
    """`content` becomes the file `path` in one step: others see the old file or the new one, never a part.

    Missing folders are made. CacheError that names the folder where it cannot be written or is full; an
    older file is untouched then.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # noqa: PTH101 (mkstemp makes it private; a cache may be shared)
        os.replace(temporary, path)  # noqa: PTH105
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
        raise CacheError(
            f"{path.parent}: {path.name} ({len(content)} bytes) cannot be written: {_reason(error)}. "
            "Free some space, or set RTFILTER_CACHE to a folder you may write"
        ) from error


@contextlib.contextmanager
def locked(path: Path, limit_s: float = LOCK_LIMIT_S) -> Iterator[None]:
    """Between processes and threads, only one is inside with the same `path`; the others wait.

    The lock is a file beside `path` that stays; the system frees it when its holder ends, however that is.
    Whoever waits longer than a second is told so. InputError after `limit_s`, CacheError where the folder
    cannot be written.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("ab")
    except OSError as error:
        raise CacheError(
            f"{lock.parent}: cannot be written: {_reason(error)}. "
            "Set RTFILTER_CACHE to a folder you may write"
        ) from error
    with file:
        _wait_for(file, path, limit_s)
        try:
            yield
        finally:
            _unlock(file)


def _wait_for(file: IO[bytes], path: Path, limit_s: float) -> None:
    started_s = time.monotonic()
    told = False
    while not _try_lock(file):
        waited_s = time.monotonic() - started_s
        if waited_s >= limit_s:
            raise InputError(
                f"{path}: another process has been making it for {waited_s:.0f} s. Wait for it or end it, "
                "then try again"
            )
        if not told and waited_s >= _NOTICE_AFTER_S:
            _log.warning("waiting for another process that is making %s", path)
            told = True
        time.sleep(_POLL_S)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
