"""An edit that was painted in RGB, added to the YUV planes of the source. Called by `planes` and `render`.

    Y' = Y + M_y (after - before)        C' = C + mean over the block of M_c (after - before)

with M the RGB -> YUV matrix: no difference, no change, bit for bit. A YUV -> RGB -> YUV round trip would move
a good part of all bytes by a level or two.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE
from rtfilter.kernels.cpu.resample import MARGIN_PX, changing_part, resample_rows
from rtfilter.kernels.cpu.two_workers import begin, claimed_rows, finish

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U32 = npt.NDArray[np.uint32]
U8 = npt.NDArray[np.uint8]

# Luma may differ from its RGB by rounding alone, unless RGB was clipped (highlights above nominal white,
# shadows below black). There the excess belongs to the old pixel and must not move into the new.
CLIPPED_FROM = 3.0
# Added to a number below 2^22 and taken away again: what is left is rounded to nearest, halves to even.
_ROUNDER = 12582912.0


@njit(cache=CACHE, nogil=True)
def add_edit_rows(
    luma: U8,
    cb: U8,
    cr: U8,
    before: U32,
    after: U8,
    yuv_from_rgb: F32,
    shift: tuple[int, int],
    box: I32,
    out_luma: U8,
    out_cb: U8,
    out_cr: U8,
    first: int,
    last: int,
) -> None:
    """Write rows `first` <= y < `last` of the box into the planes `out_*`: those of the source, and the edit.

    Luma is exact to 1 level (to CLIPPED_FROM + 1 where the source lay outside of what RGB can show), chroma
    to 1 level of its block's mean.

    Args:
        luma, cb, cr: uint8, a part of the source's planes, which `before` was made of.
        before: uint32 [h, w], a part of the source with MARGIN_PX more pixels on every side: bytes R, G, B
            and an unused one.
        after: uint8 [h, w, 3], the edit.
        yuv_from_rgb: float32 [3, 4], in units of 0..255.
        shift: log2 of the chroma subsampling (x, y).
        box: int32 [8], x0, y0, x1, y1 of the edit in the picture, and there the corners of `before`, margin
            not counted, and of `after` and the source's planes. The box, the rows and the latter corner begin
            with a chroma block; box and rows end with one, or with the picture.
    """
    x0, width = box[0], box[2] - box[0]
    wide, tall = 1 << shift[0], 1 << shift[1]
    left, above = x0 - box[6], box[7]
    blocks, column, inner = (width + wide - 1) >> shift[0], x0 >> shift[0], left >> shift[0]
    colours = np.empty((6, width), np.float32)
    sums = np.empty((2, width), np.float32)
    for top in range(first, last, tall):
        bottom = min(top + tall, last)
        sums[:] = 0.0
        for y in range(top, bottom):
            i, old = y - above, before[y - box[5] + MARGIN_PX, x0 - box[4] + MARGIN_PX :]
            _unpack(old[:width], after[i, left : left + width], colours)
            there = luma[i, left : left + width]
            _add_row(there, colours, yuv_from_rgb, sums, out_luma[y, x0 : x0 + width])
        row, i = top >> shift[1], (top - above) >> shift[1]
        for n in range(blocks):
            start, stop = n << shift[0], min((n + 1) << shift[0], width)
            share = np.float32(1.0) / np.float32((stop - start) * (bottom - top))
            b, r = np.float32(0.0), np.float32(0.0)
            for k in range(start, stop):
                b += sums[0, k]
                r += sums[1, k]
            out_cb[row, column + n] = _to_byte(np.float32(cb[i, inner + n]) + b * share)
            out_cr[row, column + n] = _to_byte(np.float32(cr[i, inner + n]) + r * share)


@njit(cache=CACHE, nogil=True)
def paint_planes_shared(
    rgbx: U8,
    flow: F32,
    origin: F32,
    weights: F32,
    lanes: F32,
    still_px: float,
    gain: F32,
    colour: F32,
    quiet: float,
    box: I32,
    planes: tuple[U8, U8, U8],
    after: U8,
    yuv_from_rgb: F32,
    shift: tuple[int, int],
    out: tuple[U8, U8, U8],
    progress: I32,
    from_top: bool,
) -> bool:
    """`resample_shared`, and its change in `after` added to planes: rows while they are in the cache.

    rgbx to quiet: of `resample_rows`, which paints into `after`. box, planes, after, yuv_from_rgb, shift
    and out: of `add_edit_rows`. progress, from_top: of `claimed_rows`. Returns as `finish` does.
    """
    before = rgbx.view(np.uint32)
    begin(progress, from_top)
    first, last = claimed_rows(progress, from_top)
    part = np.empty(8, np.int32)
    while first < last:
        if changing_part(flow, gain, origin, still_px, quiet, box, first, last, part):
            how = (flow, origin, weights, lanes, still_px, gain, colour, quiet)
            resample_rows(rgbx, *how, part, after, first, last)
            add_edit_rows(*planes, before, after, yuv_from_rgb, shift, part, *out, first, last)
        first, last = claimed_rows(progress, from_top)
    whole: bool = finish(progress, from_top)
    return whole


@njit(cache=CACHE, nogil=True)
def _unpack(old: U32, new: U8, colours: F32) -> None:
    """Colours of a row, apart: those of `old`, then those of `new`. Apart, the sums run many at a time."""
    r, g, b, new_r, new_g, new_b = colours[0], colours[1], colours[2], colours[3], colours[4], colours[5]
    for k in range(old.shape[0]):
        word = np.int32(old[k])
        r[k] = np.float32(word & 255)
        g[k] = np.float32((word >> 8) & 255)
        b[k] = np.float32((word >> 16) & 255)
    for k in range(old.shape[0]):
        new_r[k], new_g[k], new_b[k] = np.float32(new[k, 0]), np.float32(new[k, 1]), np.float32(new[k, 2])


@njit(cache=CACHE, nogil=True)
def _add_row(luma: U8, colours: F32, m: F32, sums: F32, out: U8) -> None:
    """The row's luma with its change, into `out`; the changes of Cb and Cr onto `sums`."""
    r, g, b, new_r, new_g, new_b = colours[0], colours[1], colours[2], colours[3], colours[4], colours[5]
    sum_b, sum_r = sums[0], sums[1]
    y_r, y_g, y_b, y_0 = m[0, 0], m[0, 1], m[0, 2], m[0, 3]
    b_r, b_g, b_b = m[1, 0], m[1, 1], m[1, 2]
    r_r, r_g, r_b = m[2, 0], m[2, 1], m[2, 2]
    limit, none = np.float32(CLIPPED_FROM), np.float32(0.0)
    for k in range(luma.shape[0]):
        dr, dg, db = new_r[k] - r[k], new_g[k] - g[k], new_b[k] - b[k]
        sum_b[k] += b_r * dr + b_g * dg + b_b * db
        sum_r[k] += r_r * dr + r_g * dg + r_b * db
        change = y_r * dr + y_g * dg + y_b * db
        there = np.float32(luma[k])
        gap = there - _rounded(y_r * r[k] + y_g * g[k] + y_b * b[k] + y_0)
        excess = gap - min(max(gap, -limit), limit)
        out[k] = _to_byte(there + (change - excess if change != none else none))


@njit(cache=CACHE, nogil=True, inline="always")
def _rounded(value: np.float32) -> np.float32:
    """The nearest whole number of 0..255, halves to even; still a float."""
    value = min(max(value, np.float32(0.0)), np.float32(255.0))
    return (value + np.float32(_ROUNDER)) - np.float32(_ROUNDER)


@njit(cache=CACHE, nogil=True, inline="always")
def _to_byte(value: np.float32) -> np.uint8:
    # By way of int32, which processors convert many of at a time.
    return np.uint8(np.int32(_rounded(value)))
