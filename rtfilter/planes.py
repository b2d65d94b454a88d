"""`Planes`: a picture as the 8-bit YUV planes of a decoder, with RGB of parts. Called by stages and sinks.

Converting a whole picture to RGB takes half as long as filtering the face in it, and converting it back moves
many bytes by a level. So only the face's part is converted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rtfilter.colour import PLANAR_FORMATS, YuvSpec, planes_of, yuv_to_rgb
from rtfilter.system.arrays import U8, Box
from rtfilter.system.buffers import Allocate, fresh

if TYPE_CHECKING:
    import av

# Samples of chroma on either side that a bicubic sample is made of, in pixels; even.
_REACH_PX = 4
# Strips of this size take two thirds of the time of a whole picture (fresh pages), smaller ones more again.
_STRIP_PX = 1 << 19


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a picture in planes, its own memory, contiguous.

    corner: x and y in the picture, even. luma, cb, cr: its samples. rgb: uint8 [h, w, 3], exact but for the
    outermost pixels where the picture goes on.
    """

    corner: tuple[int, int]
    luma: U8
    cb: U8
    cr: U8
    rgb: U8


class Planes:
    """Y, Cb and Cr of one picture. Read-only: they may be shared, and the decoder's own.

    luma: uint8 [H, W]. cb, cr: uint8 [h, w], sides divided by 2**shift, rounded up. Rows may be padded.
    shift: log2 of the chroma subsampling (x, y): (1, 1) is 4:2:0. spec: what the numbers mean.
    """

    __slots__ = ("_rgb", "cb", "cr", "luma", "shift", "spec")

    def __init__(self, luma: U8, cb: U8, cr: U8, shift: tuple[int, int], spec: YuvSpec) -> None:
        self.luma, self.cb, self.cr = luma, cb, cr
        self.shift, self.spec = shift, spec
        self._rgb: U8 | None = None

    @classmethod
    def of_picture(cls, picture: av.VideoFrame, spec: YuvSpec) -> Planes:
        """Views of a decoded picture in one of `PLANAR_FORMATS`, which they keep alive."""
        luma, cb, cr = planes_of(picture)
        return cls(luma, cb, cr, PLANAR_FORMATS[picture.format.name], spec)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture, in pixels."""
        height, width = self.luma.shape
        return height, width

    @property
    def all(self) -> list[U8]:
        """Y, Cb, Cr."""
        return [self.luma, self.cb, self.cr]

    @property
    def rgb(self) -> U8:
        """The whole picture as RGB, uint8 [H, W, 3], read-only; converted at the first access, and kept."""
        if self._rgb is None:
            height, width = self.shape
            rgb = np.empty((height, width, 3), np.uint8)
            rows = max(_STRIP_PX // width, 8) & ~1
            for top in range(0, height, rows):
                bottom = min(top + rows, height)
                part = self.around(Box(0, top, width, bottom))
                rgb[top:bottom] = part.rgb[top - part.corner[1] : bottom - part.corner[1]]
            self._rgb = rgb
        return self._rgb

    def around(self, box: Box, empty: Allocate = fresh) -> Part:
        """A part of the picture that holds `box`, and around it what its RGB is made of; newly made."""
        height, width = self.shape
        x0, y0 = max(box.x0 - _REACH_PX, 0) & ~1, max(box.y0 - _REACH_PX, 0) & ~1
        whole = Box(x0, y0, min(box.x1 + _REACH_PX, width), min(box.y1 + _REACH_PX, height))
        luma, cb, cr = copies = [empty(*plane.shape) for plane in self.part(whole)]
        for copy, plane in zip(copies, self.part(whole), strict=True):
            copy[...] = plane
        return Part((x0, y0), luma, cb, cr, yuv_to_rgb(copies, self.spec, empty))

    def part(self, box: Box) -> list[U8]:
        """Views of Y, Cb and Cr within a box of the picture, whose corner lies between chroma samples."""
        shift_x, shift_y = self.shift
        x0, y0 = box.x0 >> shift_x, box.y0 >> shift_y
        x1, y1 = -(-box.x1 // (1 << shift_x)), -(-box.y1 // (1 << shift_y))
        return [
            self.luma[box.y0 : box.y1, box.x0 : box.x1],
            self.cb[y0:y1, x0:x1],
            self.cr[y0:y1, x0:x1],
        ]

    def copy(self, empty: Allocate = fresh) -> Planes:
        """The same samples in memory of its own, to be painted on: without padding, plane after plane."""
        flat = empty(sum(plane.size for plane in self.all))
        copies: list[U8] = []
        first = 0
        for plane in self.all:
            copies.append(flat[first : first + plane.size].reshape(plane.shape))
            copies[-1][...] = plane
            first += plane.size
        return Planes(copies[0], copies[1], copies[2], self.shift, self.spec)

    def with_edit(self, before: U8, after: U8, box: Box) -> Planes:
        """A copy with an edit that was made in RGB: see `kernels.add_edit`.

        before: uint8 [H, W, 3], `rgb`. after: uint8 [H, W, 3], which differs within `box` alone; that is
        widened to whole chroma blocks. Where it does not differ samples stay, bit for bit.
        """
        from rtfilter.kernels.cpu.add_edit import (
            add_edit_rows,  # Numba, which sources and most sinks never need
        )
        from rtfilter.kernels.cpu.resample import MARGIN_PX

        out = self.copy()
        x0, y0, x1, y1 = self._whole_blocks(box)
        if x0 >= x1 or y0 >= y1:
            return out
        pad = (MARGIN_PX, MARGIN_PX)
        rgbx = np.pad(before[y0:y1, x0:x1], (pad, pad, (0, 1)))
        bounds = np.array([x0, y0, x1, y1] + 2 * [x0, y0], np.int32)
        luma, cb, cr = (np.array(plane, order="C") for plane in self.part(Box(x0, y0, x1, y1)))
        add_edit_rows(
            luma,
            cb,
            cr,
            rgbx.reshape(rgbx.shape[0], -1).view(np.uint32),
            np.array(after[y0:y1, x0:x1], order="C"),
            self.spec.yuv_from_rgb.astype(np.float32),
            self.shift,
            bounds,
            out.luma,
            out.cb,
            out.cr,
            y0,
            y1,
        )
        return out

    def _whole_blocks(self, box: Box) -> Box:
        wide, tall = 1 << self.shift[0], 1 << self.shift[1]
        height, width = self.shape
        return Box(
            max(box.x0, 0) // wide * wide,
            max(box.y0, 0) // tall * tall,
            min(-(-box.x1 // wide) * wide, width),
            min(-(-box.y1 // tall) * tall, height),
        )
