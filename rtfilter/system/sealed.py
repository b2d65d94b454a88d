"""Files of the cache that say what they are and notice when they are not whole: header, checksum, content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from rtfilter.system.cache import CacheError, write_atomically

Header = Mapping[str, str | int]

_MAGIC = b"rtfilter sealed 1\n"
_LENGTH_BYTES = 4
_LONGEST_HEADER = 1 << 16


class SealError(Exception):
    """A file that is not whole, or is none of ours; the message completes "the file ..."."""


def write_sealed(path: Path, header: Header, content: bytes) -> None:
    """Write both in one step. CacheError where the folder cannot be written."""
    sealed = {**header, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    text = json.dumps(sealed, sort_keys=True).encode()
    write_atomically(path, _MAGIC + len(text).to_bytes(_LENGTH_BYTES, "little") + text + content)


def read_sealed(path: Path) -> tuple[dict[str, str | int], bytes] | None:
    """Header and content; None when there is no such file.

    SealError when it is not as it was written, CacheError when it cannot be read.
    """
    data = _read(path)
    if data is None:
        return None
    header, start = _header(data)
    content = data[start:]
    if len(content) != header.get("bytes"):
        raise SealError(f"is cut short: it holds {len(content)} of {header.get('bytes')} bytes")
    if hashlib.sha256(content).hexdigest() != header.get("sha256"):
        raise SealError("is damaged: its checksum is wrong")
    return header, content


def read_header(path: Path) -> dict[str, str | int]:
    """The header alone; the content is not looked at. SealError and CacheError as of `read_sealed`."""
    data = _read(path, len(_MAGIC) + _LENGTH_BYTES + _LONGEST_HEADER)
    if data is None:
        raise SealError("is gone")
    return _header(data)[0]


def _header(data: bytes) -> tuple[dict[str, str | int], int]:
    if not data.startswith(_MAGIC):
        raise SealError("was not written by this rtfilter")
    begin = len(_MAGIC) + _LENGTH_BYTES
    end = begin + int.from_bytes(data[len(_MAGIC) : begin], "little")
    try:
        header = json.loads(data[begin:end])
    except ValueError:
        header = None
    if end > begin + _LONGEST_HEADER or not isinstance(header, dict):
        raise SealError("is damaged: its header is not readable")
    return header, end


def _read(path: Path, limit: int = -1) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CacheError(
            f"{path.parent}: {path.name} cannot be read: {error.strerror or error}. Let your user read that "
            "folder, or set RTFILTER_CACHE to another"
        ) from error
