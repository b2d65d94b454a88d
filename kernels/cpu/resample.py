"""Warped resampling: backward flow on a grid, picture in, moved pixels out. For `CpuRenderer`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE
from rtfilter.kernels.cpu.filter_step import LOADED_PIXELS
from rtfilter.kernels.cpu.paint_row import PHASES, find_windows, paint_lit_row, paint_row
from rtfilter.kernels.cpu.two_workers import begin, claimed_rows, finish

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]

# The filter's design, by taps: cycles a pixel up to which a shifted picture keeps its contrast, and how
# fast the weight of an error falls with frequency (pictures have most of their power in low ones).
BAND = {4: (0.42, 3), 6: (0.44, 4)}
MARGIN_PX = 8  # repeated pixels around the picture's copy, so that every filter tap has one


def filter_weights(taps: int) -> F32:
    """Fractional-delay weights float32 [PHASES, taps], each row summing to 1; row p samples at p / PHASES.

    taps: 4 or 6. Weighted least squares over BAND (Laakso et al. 1996, "Splitting the unit delay", section
    on least-squares FIR design), because sharpness is promised: measured on five real clips at intensity
    0.6, six taps keep 0.935 to 1.02 of the face's mean |Laplacian| (mean 0.993; Lanczos-3 0.978, Keys'
    cubic 0.83 to 0.95); four keep 0.956 on average, and are for large faces only.
    """
    band, fall = BAND[taps]
    places = np.arange(taps) - (taps // 2 - 1)
    frequency = np.linspace(0.0, band, 400)
    weight = (0.03 + frequency) ** -fall
    apart = places[:, None] - places
    system = np.ones((taps + 1, taps + 1))
    system[:taps, :taps] = np.einsum(
        "f,fij->ij", weight, np.cos(2 * np.pi * frequency[:, None, None] * apart)
    )
    system[taps, taps] = 0.0
    late = places[:, None] - np.arange(PHASES) / PHASES
    wanted = np.ones((taps + 1, PHASES))
    wanted[:taps] = np.einsum("f,fip->ip", weight, np.cos(2 * np.pi * frequency[:, None, None] * late))
    return np.ascontiguousarray(np.linalg.solve(system, wanted)[:taps].T.astype(np.float32))


def lane_weights(weights: F32) -> F32:
    """Weights [PHASES, taps] spread over the lanes of one row load: float32 [PHASES, 4 * loaded pixels]."""
    taps = weights.shape[1]
    lanes = np.zeros((PHASES, LOADED_PIXELS[taps] * 4), np.float32)
    lanes[:, : taps * 4] = np.repeat(weights, 4, axis=1)
    return lanes


@njit(cache=CACHE, nogil=True, fastmath=True)
def resample_rows(
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
    out: U8,
    first: int,
    last: int,
) -> None:
    """Resample rows `first` <= y < `last` of the picture `out` where flow or gain change it.

    Args:
        rgbx: uint8 [h, 4 * w], a part of the source with four bytes a pixel and MARGIN_PX repeated pixels on
            every side; its first true pixel is the picture's (box[4], box[5]). Samples beyond it take its
            edge.
        flow: float32 [gh, gw, 2], backward flow in pixels: out(x, y) = in((x, y) + flow).
        origin: float32 [3], picture coordinates of the grid's corner and the size of a cell, in pixels.
        weights, lanes: of `filter_weights` and `lane_weights`.
        still_px: where the flow is shorter, the pixel stays in its place.
        gain: float32 [gh, gw]: channel c of a pixel is multiplied by 1 + colour[c] * gain; [0, 0] is none.
        colour: float32 [4].
        quiet: where the gain is smaller too, the pixel is left as it is.
        box: int32 [8], x0, y0, x1, y1 of what to paint, and the corners of `rgbx` and of `out` in the
            picture.
        out: uint8 [h, w, 3], the picture or a part of it, written in place.
    """
    grid_rows, grid_columns = flow.shape[0], flow.shape[1]
    inverse = np.float32(1.0) / origin[2]
    stride = rgbx.shape[1]
    x0, count = box[0], box[2] - box[0]
    left, top = x0 - box[4] + MARGIN_PX, MARGIN_PX - box[5]
    flat_in, flat_out = rgbx.reshape(-1), out.reshape(-1)
    flat_weights, flat_lanes = weights.reshape(-1), lanes.reshape(-1)
    taps = weights.shape[1]
    before = np.int32(taps // 2 - 1)
    still = np.float32(still_px * still_px)
    last_at = (
        np.int32(stride // 4 - (lanes.shape[1] // 4 - before)),
        np.int32(rgbx.shape[0] - (taps - before)),
    )
    cell, part = np.empty(count, np.int32), np.empty(count, np.float32)
    for k in range(count):
        gx = (np.float32(x0 + k) + np.float32(0.5) - origin[0]) * inverse - np.float32(0.5)
        cell[k] = min(max(int(gx), 0), grid_columns - 2)
        part[k] = min(max(gx - np.float32(cell[k]), np.float32(0.0)), np.float32(1.0))
    lit = gain.shape[0] > 0
    # Two rows of the grid, spread over the pixels of a row: what lies between them is then vector code.
    above, below = np.empty((3, count), np.float32), np.empty((3, count), np.float32)
    moves = np.empty((3, count), np.float32)
    starts, phases = np.empty(count, np.int32), np.empty(count, np.int32)
    there = -2
    for y in range(first, last):
        gy = (np.float32(y) + np.float32(0.5) - origin[1]) * inverse - np.float32(0.5)
        gi = min(max(int(gy), 0), grid_rows - 2)
        ty = min(max(gy - np.float32(gi), np.float32(0.0)), np.float32(1.0))
        if gi != there:
            above, below = below, above
            if gi != there + 1:
                _spread(flow, gain, gi, cell, part, above)
            _spread(flow, gain, gi + 1, cell, part, below)
            there = gi
        for n in range(3 if lit else 2):
            upper, lower, between = above[n], below[n], moves[n]
            for k in range(count):
                between[k] = upper[k] + (lower[k] - upper[k]) * ty
        line = ((y - box[7]) * out.shape[1] + x0 - box[6]) * 3
        find_windows(stride, left, y + top, moves[0], moves[1], still, taps, last_at, starts, phases)
        row = (flat_in, stride, starts, phases, flat_weights, flat_lanes, taps)
        if lit:
            here = (y + top) * stride + left * 4
            paint_lit_row(*row, here, moves[2], colour, np.float32(quiet), flat_out, line)
        else:
            paint_row(*row, flat_out, line)


@njit(cache=CACHE, nogil=True, fastmath=True)
def _spread(flow: F32, gain: F32, i: int, cell: I32, part: F32, out: F32) -> None:
    """Row i of the grid at the pixels of a row, float32 [3, N]: flow along x and y, and gain if there is any.

    cell, part: int32 and float32 [N], the cell before each pixel, and how far it is on the way to the next.
    """
    for n in range(2):
        target = out[n]
        for k in range(cell.shape[0]):
            here = flow[i, cell[k], n]
            target[k] = here + (flow[i, cell[k] + 1, n] - here) * part[k]
    if gain.shape[0] > 0:
        target = out[2]
        for k in range(cell.shape[0]):
            here = gain[i, cell[k]]
            target[k] = here + (gain[i, cell[k] + 1] - here) * part[k]


@njit(cache=CACHE, nogil=True, fastmath=True)
def changing_part(
    flow: F32,
    gain: F32,
    origin: F32,
    still_px: float,
    quiet: float,
    box: I32,
    first: int,
    last: int,
    part: I32,
) -> bool:
    """Whether any of a box's rows `first` <= y < `last` can change; `part`: the box with the columns that
    can, in whole fours of pixels.

    flow to box: of `resample_rows`. part: int32 [8], written.
    """
    rows, columns = flow.shape[0], flow.shape[1]
    moving, lit = np.float32(0.7 * still_px), np.float32(quiet)
    begin_row = min(max(int((first + 0.5 - origin[1]) / origin[2] - 0.5), 0), rows - 1)
    end_row = min(max(int((last - 0.5 - origin[1]) / origin[2] - 0.5) + 2, 0), rows)
    left, right = columns, -1
    for i in range(begin_row, end_row):
        for j in range(columns):
            changes = abs(flow[i, j, 0]) >= moving or abs(flow[i, j, 1]) >= moving
            if changes or (gain.shape[0] > 0 and abs(gain[i, j]) >= lit):
                left, right = min(left, j), max(right, j)
    part[:] = box
    # One cell more on either side: pixels between a changing and a still cell change a little.
    x0 = int(np.floor(origin[0] + (left - 0.5) * origin[2])) & ~3
    x1 = (int(np.ceil(origin[0] + (right + 1.5) * origin[2])) + 3) & ~3
    part[0], part[2] = max(x0, box[0]), min(x1, box[2])
    return right >= left and part[0] < part[2]


@njit(cache=CACHE, nogil=True)
def resample_shared(
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
    out: U8,
    progress: I32,
    from_top: bool,
) -> bool:
    """`resample_rows` of the whole box by two workers, one from the top and one from the bottom.

    rgbx to out: of `resample_rows`. progress, from_top: of `claimed_rows`. Returns as `finish` does.
    """
    begin(progress, from_top)
    first, last = claimed_rows(progress, from_top)
    part = np.empty(8, np.int32)
    while first < last:
        if changing_part(flow, gain, origin, still_px, quiet, box, first, last, part):
            how = (flow, origin, weights, lanes, still_px, gain, colour, quiet)
            resample_rows(rgbx, *how, part, out, first, last)
        first, last = claimed_rows(progress, from_top)
    whole: bool = finish(progress, from_top)
    return whole
