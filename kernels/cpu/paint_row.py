"""The pixels of one row: filtered where they move, multiplied where their skin changes. For `resample`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE
from rtfilter.kernels.cpu.filter_step import filter_step_4, filter_step_6, lit_step_4, lit_step_6

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

PHASE_BITS = 8
PHASES = 1 << PHASE_BITS


@njit(cache=CACHE, nogil=True, fastmath=True)
def paint_row(
    rgbx: U8,
    stride: int,
    left: int,
    row: int,
    moves_x: F32,
    moves_y: F32,
    still: np.float32,
    weights: F32,
    lanes: F32,
    taps: int,
    last_at: tuple[np.int32, np.int32],
    out: U8,
    line: int,
) -> None:
    """The pixels of a row that move.

    Args:
        rgbx: of `resample_rows`, flat, rows `stride` bytes apart; the first pixel is at (left, row).
        moves_x, moves_y: float32 [N], backward flow in pixels; where shorter than the root of `still`, none.
        weights, lanes: flat, of a filter of 4 or 6 `taps`.
        last_at: the last column and row that a pixel may be taken from.
        out: flat; `line` is its first byte of the row.
    """
    for k in range(moves_x.shape[0]):
        dx, dy = moves_x[k], moves_y[k]
        if dx * dx + dy * dy < still:
            continue
        start, px, py = _window(dx, dy, k + left, row, stride, taps, last_at)
        if taps == 4:
            filter_step_4(rgbx, start, stride, weights, py, lanes, px, out, line + k * 3)
        else:
            filter_step_6(rgbx, start, stride, weights, py, lanes, px, out, line + k * 3)


@njit(cache=CACHE, nogil=True, fastmath=True)
def paint_lit_row(
    rgbx: U8,
    stride: int,
    left: int,
    row: int,
    moves_x: F32,
    moves_y: F32,
    still: np.float32,
    weights: F32,
    lanes: F32,
    taps: int,
    last_at: tuple[np.int32, np.int32],
    gains: F32,
    colour: F32,
    quiet: np.float32,
    out: U8,
    line: int,
) -> None:
    """`paint_row`, with gains: pixels that stay in their place are multiplied only.

    gains: float32 [N]; channel c is multiplied by 1 + colour[c] * gain. quiet: of a pixel that stays, a
    smaller gain is none.
    """
    for k in range(moves_x.shape[0]):
        dx, dy, gain, target = moves_x[k], moves_y[k], gains[k], line + k * 3
        if dx * dx + dy * dy < still:
            if abs(gain) >= quiet:
                for c in range(3):
                    before = np.float32(rgbx[row * stride + (k + left) * 4 + c])
                    after = before * (np.float32(1.0) + colour[c] * gain)
                    after = min(max(after, np.float32(0.0)), np.float32(255.0))
                    out[target + c] = np.uint8(np.int32(after + np.float32(0.5)))
            continue
        start, px, py = _window(dx, dy, k + left, row, stride, taps, last_at)
        if taps == 4:
            lit_step_4(rgbx, start, stride, weights, py, lanes, px, colour, gain, out, target)
        else:
            lit_step_6(rgbx, start, stride, weights, py, lanes, px, colour, gain, out, target)


@njit(cache=CACHE, nogil=True, fastmath=True, inline="always")
def _window(
    dx: np.float32,
    dy: np.float32,
    column: int,
    row: int,
    stride: int,
    taps: int,
    last_at: tuple[np.int32, np.int32],
) -> tuple[np.int32, np.int32, np.int32]:
    """Where the filter of a pixel begins, and its phases."""
    before = np.int32(taps // 2 - 1)
    # In phases, whole pixels and the rest apart from the place in `rgbx`: which part of the source that holds
    # must not show in the rounding.
    qx = np.int32(np.floor(dx * PHASES + np.float32(0.5)))
    qy = np.int32(np.floor(dy * PHASES + np.float32(0.5)))
    # Clamped as integers, which holds for NaN too: the flow is the caller's, memory is ours.
    jx = min(max(np.int32(column + (qx >> PHASE_BITS)), before), last_at[0])
    jy = min(max(np.int32(row + (qy >> PHASE_BITS)), before), last_at[1])
    return (jy - before) * stride + (jx - before) * 4, qx & (PHASES - 1), qy & (PHASES - 1)
