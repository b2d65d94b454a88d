"""The user's cache: files that can be made again, each whole or absent, made by one process at a time.

Called by `kernels.compile`, `engines.prepare`, `engines.trt` and `rtfilter doctor`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rtfilter.errors import InputError, UsageError
from rtfilter.system.files import user_cache, write_atomically

_log = logging.getLogger(__name__)

LOCK_LIMIT_S = 600.0  # longer than the slowest build of an engine that was seen
_NOTICE_AFTER_S = 1.0
_FIX = "Set RTFILTER_CACHE to a folder you may write"

# A file is _MAGIC, the header's length (little endian), the header as JSON, the content.
_MAGIC = b"rtfilter sealed 1\n"
_LENGTH_BYTES = 4
_LONGEST_HEADER = 1 << 16

Header = Mapping[str, str | int]

_warned: set[str] = set()


class CacheError(InputError):
    """A cache folder that cannot be read or written."""


class DamagedError(Exception):
    """A file that is not whole, or not of this program; the message completes "the file ..."."""


def cache_folder() -> Path:
    """The folder of everything that can be made again; it need not exist.

    `$RTFILTER_CACHE` itself, else the system's own (`files.user_cache`). Raises UsageError where
    $RTFILTER_CACHE is relative.
    """
    own = os.environ.get("RTFILTER_CACHE")
    if not own:
        return user_cache()
    if not Path(own).is_absolute():
        raise UsageError(f"RTFILTER_CACHE: expected an absolute path, got {own!r}")
    return Path(own)


def unusable(folder: Path) -> str:
    """Why nothing can be kept in `folder`, which need not exist; "" where it can. Leaves nothing there."""
    place = folder
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    try:
        next(place.iterdir(), None)
        # Written to, because permissions alone say nothing to root, or of read-only disks.
        with tempfile.TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return f"{place} cannot be used: {_reason(error)}"


@dataclass(frozen=True, slots=True)
class CacheFile:
    """One file of the cache: header, checksum and content.

    made_of: what the content depends on, kept in the header; a file with another one is not used.
    """

    path: Path
    made_of: Header

    def read(self) -> bytes | None:
        """The content; None when there is none, or when it is damaged, which is logged once.

        Raises CacheError where the file cannot be read.
        """
        data = _read(self.path)
        if data is None:
            return None
        try:
            header, start = _header(data)
            content = data[start:]
            if len(content) != header.get("bytes"):
                raise DamagedError(f"is cut short: it holds {len(content)} of {header.get('bytes')} bytes")
            if hashlib.sha256(content).hexdigest() != header.get("sha256"):
                raise DamagedError("is damaged: its checksum is wrong")
            if any(header.get(name) != value for name, value in self.made_of.items()):
                raise DamagedError("belongs to something else")
        except DamagedError as problem:
            message = f"{self.path} {problem}; it is made anew"
            _warn_once(message, message)
            return None
        return content

    def write(self, content: bytes) -> None:
        """Replace header and content in one step. Raises CacheError."""
        checked = {**self.made_of, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        header = json.dumps(checked, sort_keys=True).encode()
        write_cached(self.path, _MAGIC + len(header).to_bytes(_LENGTH_BYTES, "little") + header + content)

    def get(self, make: Callable[[], bytes], *, required: bool = False) -> bytes:
        """The content, made by `make` where there is none; see `made_once`."""
        return made_once(self.path, self.read, make, self.write, required=required)


def made_once(
    path: Path,
    read: Callable[[], bytes | None],
    make: Callable[[], bytes],
    write: Callable[[bytes], None],
    *,
    required: bool = False,
) -> bytes:
    """What `read` finds of the file `path`, else what `make` makes and `write` keeps.

    Of several processes one makes it, and the others wait. Where the cache cannot be used, that is logged
    once, and the content is made without being kept; with `required` it raises CacheError. Errors of `make`
    pass through.
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
        message = f"{error}. Until then every start makes anew what {path.parent} should keep"
        _warn_once(str(path.parent), message)
    return make() if content is None else content


def read_header(path: Path) -> dict[str, str | int]:
    """The header of a `CacheFile`; the content is not checked. Raises DamagedError or CacheError."""
    data = _read(path, len(_MAGIC) + _LENGTH_BYTES + _LONGEST_HEADER)
    if data is None:
        raise DamagedError("is gone")
    return _header(data)[0]


def write_cached(path: Path, content: bytes) -> None:
    """`write_atomically` in the cache. Raises CacheError, which names the folder and what to do."""
    try:
        write_atomically(path, content)
    except OSError as error:
        raise CacheError(
            f"{path.parent}: {path.name} ({len(content)} bytes) cannot be written: {_reason(error)}. "
            "Free some space, or set RTFILTER_CACHE to a folder you may write"
        ) from error


@contextmanager
def locked(path: Path, limit_s: float = LOCK_LIMIT_S) -> Iterator[None]:
    """Hold the lock of `path` between processes and threads; it is freed when its holder ends, in any way.

    The lock is a file beside `path`. Waiting for longer than a second is logged. Raises InputError after
    `limit_s`, CacheError where the folder cannot be written.
    """
    import filelock  # 20 ms, and of use only where something is made

    lock = filelock.FileLock(path.with_name(f"{path.name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=min(_NOTICE_AFTER_S, limit_s))
        except filelock.Timeout:
            if limit_s > _NOTICE_AFTER_S:
                _log.warning("waiting for another process that is making %s", path)
            lock.acquire(timeout=max(limit_s - _NOTICE_AFTER_S, 0.0))
    except filelock.Timeout as error:
        raise InputError(
            f"{path}: another process has been making it for {limit_s:.0f} s. Wait for it or end it, "
            "then try again"
        ) from error
    except OSError as error:
        raise CacheError(f"{path.parent}: cannot be written: {_reason(error)}. {_FIX}") from error
    try:
        yield
    finally:
        lock.release()


def _header(data: bytes) -> tuple[dict[str, str | int], int]:
    """The header, and where the content begins."""
    if not data.startswith(_MAGIC):
        raise DamagedError("was not written by this rtfilter")
    begin = len(_MAGIC) + _LENGTH_BYTES
    end = begin + int.from_bytes(data[len(_MAGIC) : begin], "little")
    try:
        header = json.loads(data[begin:end])
    except ValueError:
        header = None
    if end > begin + _LONGEST_HEADER or not isinstance(header, dict):
        raise DamagedError("is damaged: its header is not readable")
    return header, end


def _read(path: Path, limit: int = -1) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CacheError(
            f"{path.parent}: {path.name} cannot be read: {_reason(error)}. Let your user read that folder, "
            "or set RTFILTER_CACHE to another"
        ) from error


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _warn_once(key: str, message: str) -> None:
    if key not in _warned:
        _warned.add(key)
        _log.warning("%s", message)
