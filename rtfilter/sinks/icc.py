"""Colour profiles (ICC) in pictures: without its own a phone's picture in Display P3 looks pale."""

from __future__ import annotations

import struct
import zlib

_JPEG_PART = 65_519  # bytes a segment, less its head
# As many parts as a JPEG numbers.
LARGEST_PROFILE = 255 * _JPEG_PART
_WEBP_ICC, _WEBP_ALPHA = 0x20, 0x10


def with_profile(encoded: bytes, suffix: str, profile: bytes, size: tuple[int, int], alpha: bool) -> bytes:
    """`encoded` (JPEG, PNG or WebP, as the suffix says) with the ICC profile in it.

    profile: at most `LARGEST_PROFILE` bytes.
    size: width and height in pixels. alpha: whether it is transparent; both matter to WebP only.
    """
    if suffix == ".png":
        return _png(encoded, profile)
    if suffix == ".webp":
        return _webp(encoded, profile, size, alpha)
    return _jpeg(encoded, profile)


def profile_of_png(encoded: bytes) -> bytes | None:
    """The ICC profile in (the beginning of) a PNG file; None where there is none.

    One above `LARGEST_PROFILE` is cut one byte above it.
    """
    at = 8
    while at + 8 <= len(encoded) and encoded[at + 4 : at + 8] != b"IDAT":
        length = int.from_bytes(encoded[at : at + 4], "big")
        if encoded[at + 4 : at + 8] == b"iCCP":
            _name, _, packed = encoded[at + 8 : at + 8 + length].partition(b"\0")
            unpacking = zlib.decompressobj()
            try:
                profile = unpacking.decompress(packed[1:], LARGEST_PROFILE + 1)
            except zlib.error:
                return None
            whole = unpacking.eof or len(profile) > LARGEST_PROFILE
            return profile if profile and whole else None
        at += length + 12
    return None


def _jpeg(encoded: bytes, profile: bytes) -> bytes:
    """ICC.1, annex B.4: APP2 segments, numbered, after the start of the image."""
    parts = [profile[i : i + _JPEG_PART] for i in range(0, len(profile), _JPEG_PART)]
    segments = b"".join(
        b"\xff\xe2"
        + struct.pack(">H", len(part) + 16)
        + b"ICC_PROFILE\0"
        + bytes([number, len(parts)])
        + part
        for number, part in enumerate(parts, 1)
    )
    return encoded[:2] + segments + encoded[2:]


def _png(encoded: bytes, profile: bytes) -> bytes:
    """PNG, 11.3.2.3: an iCCP chunk after the header, which is 33 bytes long."""
    body = b"iCCP" + b"ICC profile\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return encoded[:33] + chunk + encoded[33:]


def _webp(encoded: bytes, profile: bytes, size: tuple[int, int], alpha: bool) -> bytes:
    """WebP's extended format: VP8X, ICCP, then the picture's own chunks."""
    chunks = encoded[12:]
    if chunks[:4] == b"VP8X":
        chunks = chunks[8 + 10 :]
    sides = b"".join(struct.pack("<I", side - 1)[:3] for side in size)
    flags = _WEBP_ICC | (_WEBP_ALPHA if alpha else 0)
    extended = b"VP8X" + struct.pack("<IB3x", 10, flags) + sides
    padded = profile + b"\0" * (len(profile) % 2)
    body = b"WEBP" + extended + b"ICCP" + struct.pack("<I", len(profile)) + padded + chunks
    return b"RIFF" + struct.pack("<I", len(body)) + body
