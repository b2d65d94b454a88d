"""Pictures with more than 8 bits a sample: an 8-bit view, and the edit scaled back to their bits.

The edit is a difference, so the samples keep what the view leaves out:

    Y' = Y + (after - before) scale        scale = 2^(bits - 8), or (2^bits - 1) / 255 in full range

No difference, no change, bit for bit. Called by `media.pixels` and `sinks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from rtfilter.system.arrays import U8, U16, Box

if TYPE_CHECKING:
    import av

# By name of a family, log2 of the chroma subsampling (x, y).
_FAMILIES = {"yuv420p": (1, 1), "yuv422p": (1, 0), "yuv444p": (0, 0), "gbrp": (0, 0)}
_BITS = (9, 10, 12, 14, 16)


@dataclass(frozen=True, slots=True)
class DeepFormat:
    """A planar format of 9 to 16 bits, in little-endian words of 16.

    family: `yuv420p`, `yuv422p`, `yuv444p`, or `gbrp`, whose planes are G, B and R.
    """

    family: str
    bits: int

    @property
    def name(self) -> str:
        """FFmpeg's."""
        return f"{self.family}{self.bits}le"

    @property
    def shift(self) -> tuple[int, int]:
        """log2 of the chroma subsampling (x, y)."""
        return _FAMILIES[self.family]

    def scale(self, full_range: bool) -> float:
        """Steps of these samples to one of 8 bits."""
        return (2**self.bits - 1) / 255 if full_range or self.family == "gbrp" else 2.0 ** (self.bits - 8)


DEEP_FORMATS = {
    deep.name: deep for deep in (DeepFormat(family, bits) for family in _FAMILIES for bits in _BITS)
}
# Formats with the same samples in another order -> the planar one.
_SAME_SAMPLES = {
    **{
        f"p{digit}{bits}le": f"yuv{sampling}p{bits}le"
        for digit, sampling in ((0, 420), (2, 422), (4, 444))
        for bits in (10, 12, 16)
    },
    **dict.fromkeys(("nv20le", "y210le"), "yuv422p10le"),
    **dict.fromkeys(("rgb48le", "rgb48be", "bgr48le"), "gbrp16le"),
    **{"y212le": "yuv422p12le", "xv30le": "yuv444p10le", "x2rgb10le": "gbrp10le"},
    **{name.removesuffix("le") + "be": name for name in DEEP_FORMATS},
}


def opaque_name(name: str) -> str:
    """A planar pixel format without its plane of transparency, which is the last."""
    return name.replace("yuva", "yuv").replace("gbrap", "gbrp")


def planar_name(name: str) -> str | None:
    """The format of `DEEP_FORMATS` that holds the samples of a pixel format; None where there is none."""
    return name if name in DEEP_FORMATS else _SAME_SAMPLES.get(name)


def sample_bits(picture: av.VideoFrame) -> int:
    """Bits of the deepest component."""
    return max(component.bits for component in picture.format.components)


def has_alpha(picture: av.VideoFrame) -> bool:
    """Whether the pixel format has transparency."""
    return any(component.is_alpha for component in picture.format.components)


def words_of(picture: av.VideoFrame) -> list[U16]:
    """Views, one per plane, of a picture in one of `DEEP_FORMATS`: uint16 [h, w], without row padding.

    They share the picture's memory; a decoded picture may be the decoder's own reference: only read it.
    """
    views = []
    for plane in picture.planes:
        rows = np.frombuffer(memoryview(plane), "<u2").reshape(plane.height, plane.line_size // 2)
        views.append(rows[:, : plane.width])
    return views


def eight_bits(words: Sequence[U16], deep: DeepFormat, full_range: bool) -> list[U8]:
    """The planes in 8 bits, rounded to nearest; uint8 [h, w] each."""
    scale = 1.0 / deep.scale(full_range)
    return [np.asarray(cv2.convertScaleAbs(plane, alpha=scale), np.uint8) for plane in words]


def add_edit(
    words: Sequence[U16],
    before: Sequence[U8],
    after: Sequence[U8],
    deep: DeepFormat,
    full_range: bool,
    box: Box,
) -> list[U16]:
    """Copies of the planes with `after - before`, their 8-bit views, added within an even-aligned `box`."""
    scale, top = deep.scale(full_range), 2**deep.bits - 1
    out = []
    for index, (plane, old, new) in enumerate(zip(words, before, after, strict=True)):
        plane = plane.copy()
        shift_x, shift_y = deep.shift if index else (0, 0)
        rows = slice(box.y0 >> shift_y, -(-box.y1 >> shift_y))
        columns = slice(box.x0 >> shift_x, -(-box.x1 >> shift_x))
        change = np.rint((new[rows, columns].astype(np.int16) - old[rows, columns]) * np.float32(scale))
        inside = plane[rows, columns]
        inside[...] = np.clip(inside + change, 0, top)
        out.append(plane)
    return out


def rescaled(words: Sequence[U16], bits: int, to_bits: int) -> list[U16]:
    """Samples of `bits` as samples of `to_bits`: widened exactly, or rounded to nearest."""
    if to_bits >= bits:
        return [plane << np.uint16(to_bits - bits) for plane in words]
    down = bits - to_bits
    top = np.uint16(2**to_bits - 1)
    half = 1 << (down - 1)
    return [np.minimum((plane.astype(np.uint32) + half) >> down, top).astype(np.uint16) for plane in words]
