"""`ImageSink`: one picture, as JPEG, PNG or WebP, with its colour profile (ICC). Called by `cli.endpoints`.

Without its profile a phone's picture in Display P3 looks pale.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from rtfilter.errors import OutputError, UsageError
from rtfilter.frame import Frame
from rtfilter.media.container import reason
from rtfilter.media.depth import sample_bits
from rtfilter.media.info import SourceInfo
from rtfilter.media.side_data import has_exif, side_data
from rtfilter.sinks.place import FilePlace
from rtfilter.system.arrays import U8

_QUALITY = 95
_JPEG_PART = 65_519  # bytes a segment, less its head
# As many parts as a JPEG numbers.
LARGEST_PROFILE = 255 * _JPEG_PART
_WEBP_ICC, _WEBP_ALPHA = 0x20, 0x10
_JPEG_SAMPLING = {
    (1, 1): cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    (1, 0): cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    (0, 0): cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
}
# How EXIF begins in a JPEG, a PNG and a WebP: FFmpeg before 8 does not give it.
_EXIF_MARKS = (b"Exif\0\0", b"eXIf", b"EXIF")
_EXIF_WITHIN_BYTES = 1 << 20
_PNG_MARK = b"\x89PNG"
_HEAD_BYTES = LARGEST_PROFILE + (1 << 20)


class ImageSink:
    """A writer of the one frame of a picture. PNG is lossless; JPEG and WebP have quality 95 of 100.

    Colour profile and, but for JPEG, transparency are those of the source.

    path: .jpg, .jpeg, .png or .webp. info: of the source, which must have one frame.
    made_from: the source's own file, for EXIF and a PNG's colour profile.
    notes: what of the source is lost, one line each. strict: refuse a loss instead.

    Raises UsageError for a source that is no single picture, OutputError for a target that exists, cannot be
    written, or (strict) cannot keep all of the source.
    """

    def __init__(
        self,
        path: str | Path,
        info: SourceInfo,
        *,
        made_from: Path | None = None,
        strict: bool = False,
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path)
        if info.live or info.frame_count not in (None, 1):
            raise UsageError(
                f"{path} holds one picture, and {info.name} is a video: name the output like clip.mp4"
            )
        self._made_from, self._strict = made_from, strict
        self._place = FilePlace(self.path, overwrite)
        self._encoded: bytes | None = None
        self.notes: list[str] = []

    def write(self, frame: Frame) -> None:
        """Encode the frame. Raises OutputError for a second one."""
        if self._encoded is not None:
            raise OutputError(f"{self.path} holds one picture, and there are more: name it like clip.mp4")
        picture = frame.source.native
        alpha = None if picture is None else _alpha_of(picture, frame)
        if alpha is not None and self._place.suffix in (".jpg", ".jpeg"):
            self._lacks("transparency")
            alpha = None
        if picture is not None and sample_bits(picture) > 8:
            self._lacks("more than 8 bits")
        head = self._head(_EXIF_WITHIN_BYTES)
        if (picture is not None and has_exif(picture)) or any(mark in head for mark in _EXIF_MARKS):
            self._lacks("EXIF (camera, time, place)")
        layers = [frame.rgb[..., 2], frame.rgb[..., 1], frame.rgb[..., 0]]
        pixels = np.dstack(layers if alpha is None else [*layers, alpha])
        try:
            done, encoded = cv2.imencode(self._place.suffix, pixels, self._options(frame))
        except cv2.error:  # sides that a format does not have: WebP ends at 16383 px
            done = False
        if not done:
            raise OutputError(f"{self.path}: the picture could not be encoded: use .png")
        data = encoded.tobytes()
        # Of a PNG from the file: the decoder's own is taken off, see `WITHOUT_PROFILE`.
        profile = profile_of_png(self._head(_HEAD_BYTES)) if head.startswith(_PNG_MARK) else None
        if profile is None and picture is not None:
            profile = side_data(picture, "ICC_PROFILE")
        if profile and len(profile) > LARGEST_PROFILE:
            self._lacks(f"colour profile of more than {LARGEST_PROFILE:,} bytes")
        elif profile:
            size = (frame.width, frame.height)
            data = _with_profile(data, self._place.suffix, profile, size, alpha is not None)
        self._encoded = data

    def close(self, complete: bool) -> None:
        """Finish: with `complete` the picture gets its name. Raises OutputError."""
        data, self._encoded = self._encoded, None
        if not complete:
            return
        if data is None:
            raise OutputError(f"{self.path} was not written: there was no picture")
        try:
            address = Path(self._place.open().removeprefix("file:"))
            address.write_bytes(data)
            self._place.publish()
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written ({reason(error)}): choose another") from error
        finally:
            self._place.discard()

    def _lacks(self, what: str) -> None:
        note = f"{self.path} has no {what}, which the picture had"
        if self._strict:
            raise OutputError(f"{note}: write another kind of file, or allow it (leave --strict away)")
        self.notes.append(note)

    def _head(self, size: int) -> bytes:
        if self._made_from is None:
            return b""
        with self._made_from.open("rb") as file:
            return file.read(size)

    def _options(self, frame: Frame) -> list[int]:
        if self._place.suffix == ".webp":
            return [cv2.IMWRITE_WEBP_QUALITY, _QUALITY]
        if self._place.suffix == ".png":
            return []
        planes = frame.source.planes
        sampling = _JPEG_SAMPLING[(0, 0) if planes is None else planes.shift]
        return [cv2.IMWRITE_JPEG_QUALITY, _QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]


def _alpha_of(picture: av.VideoFrame, frame: Frame) -> U8 | None:
    """The picture's alpha, uint8 [H, W]; None where it has none, or is opaque everywhere."""
    form: Any = picture.format
    if not any(component.is_alpha for component in form.components) and form.name != "pal8":
        return None
    alpha = np.asarray(picture.to_ndarray(format="rgba"), np.uint8)[..., 3]
    return None if alpha.shape != (frame.height, frame.width) or bool((alpha == 255).all()) else alpha


def _with_profile(encoded: bytes, suffix: str, profile: bytes, size: tuple[int, int], alpha: bool) -> bytes:
    """`encoded` (JPEG, PNG or WebP, by the suffix) with the ICC profile in it.

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
