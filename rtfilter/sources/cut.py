"""Media files that are cut off: bytes stated beyond the end, or no end mark. Called by `FileSource`."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_EBML, _SEGMENT, _VOID = 0x1A45DFA3, 0x18538067, 0xEC
# Written as the length of a chunk of unknown end.
_RIFF_UNKNOWN = 0xFFFF_FFF0
# Boxes with pictures and sound. Others, and what some cameras append, are no loss.
_MEDIA_BOXES = {b"mdat", b"moof"}


def stated_bytes(path: Path, format_name: str) -> int | None:
    """The length of the file as its own structure states it, where that is more than what is there.

    format_name: FFmpeg's name of the demuxer. Only AVI, WebP, Matroska, WebM, MP4 and MOV state one; None for
    others, for a file that is whole, and where the writer left the length open.
    """
    names = set(format_name.split(","))
    readers = {"avi": _riff_end, "webp_pipe": _riff_end, "matroska": _segment_end, "mp4": _last_box_end}
    read = next((reader for name, reader in readers.items() if name in names), None)
    if read is None or not path.is_file():
        return None
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            end = read(file, size)
    except (OSError, struct.error):
        return None
    return end if end is not None and end > size else None


def lacks_end(path: Path) -> bool:
    """Whether a JPEG or PNG breaks off before the mark of its end; False for other files."""
    try:
        data = path.read_bytes() if path.is_file() else b""
    except OSError:
        return False
    if data.startswith(b"\x89PNG"):
        return _png_end(data) > len(data)
    if not data.startswith(b"\xff\xd8"):
        return False
    place = 2
    # Segments up to the first scan, for a preview in one of them has an end of its own.
    while data[place : place + 1] == b"\xff" and data[place + 1 : place + 2] != b"\xda":
        filled = data[place + 1 : place + 2] == b"\xff"
        place += 1 if filled else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return b"\xff\xd9" not in data[place:]


def _png_end(data: bytes) -> int:
    """Where the last chunk ends, or the first one that is not whole."""
    place, kind = 8, b""
    while kind != b"IEND" and place <= len(data):
        kind = data[place + 4 : place + 8]
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    return place


def _riff_end(file: BinaryIO, _size: int) -> int | None:
    length = struct.unpack("<4xI", file.read(8))[0]
    return None if length >= _RIFF_UNKNOWN else int(length) + 8


def _segment_end(file: BinaryIO, size: int) -> int | None:
    while file.tell() < size:
        element, length = _vint(file, keep_marker=True), _vint(file, keep_marker=False)
        if element not in (_EBML, _SEGMENT, _VOID) or length is None:
            return None
        if element == _SEGMENT:
            return file.tell() + length
        file.seek(length, 1)
    return None


def _vint(file: BinaryIO, keep_marker: bool) -> int | None:
    """A number as EBML writes it: its own length is in the leading zeros. None: of unknown size."""
    first = struct.unpack("B", file.read(1))[0]
    extra = 8 - first.bit_length()
    if extra > 7:
        return None
    bits = first if keep_marker else first & ((1 << (7 - extra)) - 1)
    value = int.from_bytes(bytes([bits]) + file.read(extra), "big")
    unknown = (1 << 7 * (extra + 1)) - 1
    return None if not keep_marker and value == unknown else value


def _last_box_end(file: BinaryIO, size: int) -> int | None:
    start = 0
    while start + 8 <= size:
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1:
            length = struct.unpack(">Q", file.read(8))[0]
        if length < 8:  # 0: up to the end of the file, however long it is
            return None
        start += length
        if start > size:
            return start if kind in _MEDIA_BOXES else None
    return None
