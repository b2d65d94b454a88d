"""The pixels of one row: filtered where they move, multiplied where their skin changes. For `resample`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE
from rtfilter.kernels.cpu.filter_step import filter_step_4, filter_step_6, lit_step_4, lit_step_6

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]

PHASE_BITS = 8
PHASES = 1 << PHASE_BITS


@njit(cache=CACHE, nogil=True, fastmath=True)
def find_windows(
    stride: int,
    left: int,
    row: int,
    moves_x: F32,
    moves_y: F32,
    still: np.float32,
    taps: int,
    last_at: tuple[np.int32, np.int32],
    starts: I32,
    phases: I32,
) -> None:
    """Where the filter of each pixel of a row begins: apart from the filtering, it is vector code.

    Args:
        stride, left, row: bytes a row of `rgbx` of `resample_rows`, and where the first pixel lies in it.
        moves_x, moves_y: float32 [N], backward flow in pixels; where shorter than the root of `still`, none.
        taps: 4 or 6.
        last_at: the last column and row that a pixel may be taken from.
        starts: int32 [N], written: the window's first byte, or -1 for a pixel that stays in its place.
        phases: int32 [N], written: the phase across, and PHASES times the one down.
    """
    before, last_x, last_y = np.int32(taps // 2 - 1), last_at[0], last_at[1]
    pitch, first, line = np.int32(stride), np.int32(left), np.int32(row)
    many, half, fine = np.float32(PHASES), np.float32(0.5), np.int32(PHASES - 1)
    bits = np.int32(PHASE_BITS)
    for k in range(moves_x.shape[0]):
        dx, dy = moves_x[k], moves_y[k]
        # In phases, whole pixels and the rest apart from the place in `rgbx`: which part of the source that
        # holds must not show in the rounding.
        qx, qy = np.int32(np.floor(dx * many + half)), np.int32(np.floor(dy * many + half))
        # Clamped as integers, which holds for NaN too: the flow is the caller's, memory is ours.
        jx = min(max(np.int32(np.int32(k) + first + (qx >> bits)), before), last_x)
        jy = min(max(np.int32(line + (qy >> bits)), before), last_y)
        start = np.int32((jy - before) * pitch + (jx - before) * np.int32(4))
        starts[k] = start if dx * dx + dy * dy >= still else np.int32(-1)
        phases[k] = np.int32((qx & fine) | ((qy & fine) << bits))


@njit(cache=CACHE, nogil=True, fastmath=True)
def paint_row(
    rgbx: U8, stride: int, starts: I32, phases: I32, weights: F32, lanes: F32, taps: int, out: U8, line: int
) -> None:
    """The pixels of a row that move.

    Args:
        rgbx: of `resample_rows`, flat, rows `stride` bytes apart.
        starts, phases: of `find_windows`.
        weights, lanes: flat, of a filter of 4 or 6 `taps`.
        out: flat; `line` is its first byte of the row.
    """
    for k in range(starts.shape[0]):
        start, px, py = starts[k], phases[k] & (PHASES - 1), phases[k] >> PHASE_BITS
        if start < 0:
            continue
        if taps == 4:
            filter_step_4(rgbx, start, stride, weights, py, lanes, px, out, line + k * 3)
        else:
            filter_step_6(rgbx, start, stride, weights, py, lanes, px, out, line + k * 3)


@njit(cache=CACHE, nogil=True, fastmath=True)
def paint_lit_row(
    rgbx: U8,
    stride: int,
    starts: I32,
    phases: I32,
    weights: F32,
    lanes: F32,
    taps: int,
    here: int,
    gains: F32,
    colour: F32,
    quiet: np.float32,
    out: U8,
    line: int,
) -> None:
    """`paint_row`, with gains: pixels that stay in their place are multiplied only.

    here: where the row's first pixel lies in `rgbx`. gains: float32 [N]; channel c is multiplied by
    1 + colour[c] * gain. quiet: of a pixel that stays, a smaller gain is none.
    """
    for k in range(starts.shape[0]):
        start, px, py = starts[k], phases[k] & (PHASES - 1), phases[k] >> PHASE_BITS
        gain, target = gains[k], line + k * 3
        if start < 0:
            if abs(gain) >= quiet:
                for c in range(3):
                    before = np.float32(rgbx[here + k * 4 + c])
                    after = before * (np.float32(1.0) + colour[c] * gain)
                    after = min(max(after, np.float32(0.0)), np.float32(255.0))
                    out[target + c] = np.uint8(np.int32(after + np.float32(0.5)))
        elif taps == 4:
            lit_step_4(rgbx, start, stride, weights, py, lanes, px, colour, gain, out, target)
        else:
            lit_step_6(rgbx, start, stride, weights, py, lanes, px, colour, gain, out, target)
