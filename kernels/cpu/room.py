"""Room to move: how far the flow, the gain and the landmarks' offsets may go beside what must not change.

For `render`. A square around the face has at each place the distance to what is held; see `face.deform.Room`.
Twin: limit.cu.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE
from rtfilter.kernels.cpu.iris import IRIS_REACH

F32 = npt.NDArray[np.float32]

# A shift is at most this share of the distance to what is held. Below 1 no sample comes from a held place,
# and nothing folds. At 0.5 a wall beside the cheek took 13 % of a broad smile, at 0.65 it takes 6 (clip d9).
SLOPE = 0.65
# Cells and pixels around what is held in which nothing moves: a pixel's flow is mixed from cells up to a
# cell's diagonal away, and a chroma sample belongs to pixels of two rows. Tests find no held pixel changed.
STILL_CELLS, STILL_MORE_PX = 1.6, 1.0
FADE_CELLS = 3.0  # beyond that, over which the skin's gain fades in
# A shape, such as the mouth, that is limited in places goes less far as a whole, down to this share: a smile
# whose corners end before a wall was a grimace. Landmarks are members of it from this weight on.
SHAPE_LEAST, SHAPE_MEMBER = 0.5, 0.9
IRIS_FADE_RADII = 0.4  # beyond an iris's reach, over which its painting fades in
# Comparisons must hold for what is no number, so not all of `fastmath`.
FAST = {"contract", "arcp", "nsz", "reassoc"}


@njit(cache=CACHE, nogil=True, fastmath=FAST, inline="always")
def distance_at(distance: F32, column: np.float32, row: np.float32) -> np.float32:
    """Bilinear, the square's edge repeated; 0 for what is no number.

    column, row: places in the square, where sample (i, j) lies at row i and column j.
    """
    rows, columns = distance.shape
    zero = np.float32(0.0)
    x = min(column if column > zero else zero, np.float32(columns - 1))
    y = min(row if row > zero else zero, np.float32(rows - 1))
    j, i = min(int(x), columns - 2), min(int(y), rows - 2)
    tx, ty = x - np.float32(j), y - np.float32(i)
    upper = distance[i, j] + (distance[i, j + 1] - distance[i, j]) * tx
    lower = distance[i + 1, j] + (distance[i + 1, j + 1] - distance[i + 1, j]) * tx
    far = upper + (lower - upper) * ty
    return far if far > zero else zero


@njit(cache=CACHE, nogil=True, fastmath=FAST, inline="always")
def finite(value: np.float32) -> np.float32:
    """The value, or 0 for what is no number and for what no picture holds."""
    return value if abs(value) < np.float32(1e6) else np.float32(0.0)


@njit(cache=CACHE, nogil=True, fastmath=FAST)
def limit_offsets(
    points: F32, offset: F32, distance: F32, matrix: F32, still_px: float, shapes: F32, out: F32
) -> None:
    """Offsets that end within the room of their place, and shapes that shrink as a whole.

    points, offset: float32 [N, 3] and [N, 2], in pixels. distance, matrix: float32 [S, S] in pixels and
    [2, 3], of `Room`. still_px: a distance in which nothing moves. shapes: float32 [N, G], 0..1, how much of
    each landmark belongs to each shape. out: float32 [N, 2], overwritten.
    """
    half, still, slope = np.float32(0.5), np.float32(still_px), np.float32(SLOPE)
    zero, one = np.float32(0.0), np.float32(1.0)
    count, groups = shapes.shape
    share = np.empty(count, np.float32)
    longest, lost = np.zeros(groups, np.float32), np.zeros(groups, np.float32)
    for n in range(count):
        dx, dy = finite(offset[n, 0]), finite(offset[n, 1])
        x, y = points[n, 0] + dx, points[n, 1] + dy
        column = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] - half
        row = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] - half
        most = slope * max(distance_at(distance, column, row) - still, zero)
        length = np.sqrt(max(dx * dx + dy * dy, np.float32(1e-12)))
        share[n] = min(most / length, one)
        out[n, 0], out[n, 1] = dx, dy
        for g in range(groups):
            if shapes[n, g] > np.float32(SHAPE_MEMBER):
                longest[g] = max(longest[g], length)
                lost[g] = max(lost[g], length * (one - share[n]))
    for g in range(groups):
        lost[g] = min(lost[g] / max(longest[g], np.float32(1e-6)), np.float32(1.0 - SHAPE_LEAST))
    for n in range(count):
        keep = one
        for g in range(groups):
            keep -= shapes[n, g] * lost[g]
        part = min(share[n], keep)
        out[n, 0], out[n, 1] = part * out[n, 0], part * out[n, 1]


@njit(cache=CACHE, nogil=True, fastmath=FAST)
def limit_field(
    flow: F32, gain: F32, origin: F32, distance: F32, matrix: F32, still_px: float, fade_px: float
) -> None:
    """Shorten the flow to the room of each cell, and fade the gain in, in place.

    flow: float32 [H, W, 2], in pixels. gain: float32 [H, W], or [0, 0]. origin: float32 [3], the grid's
    corner and the size of a cell, in pixels. distance to still_px: of `limit_offsets`.
    fade_px: beyond still_px, where the gain is whole.
    """
    rows, columns = flow.shape[0], flow.shape[1]
    half, zero, one = np.float32(0.5), np.float32(0.0), np.float32(1.0)
    still, slope, inverse = np.float32(still_px), np.float32(SLOPE), np.float32(1.0 / max(fade_px, 1e-3))
    free = np.empty(columns, np.float32)
    step_x, step_y = matrix[0, 0] * origin[2], matrix[1, 0] * origin[2]
    for i in range(rows):
        x, y = origin[0] + half * origin[2], origin[1] + (np.float32(i) + half) * origin[2]
        column = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] - half
        row = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] - half
        for j in range(columns):
            there = np.float32(j)
            far = distance_at(distance, column + there * step_x, row + there * step_y)
            free[j] = max(far - still, zero)
        line = flow[i]
        for j in range(columns):
            dx, dy = finite(line[j, 0]), finite(line[j, 1])
            share = min(slope * free[j] / np.sqrt(max(dx * dx + dy * dy, np.float32(1e-12))), one)
            line[j, 0], line[j, 1] = share * dx, share * dy
        if gain.shape[0] > 0:
            lights = gain[i]
            for j in range(columns):
                fade = min(free[j] * inverse, one)
                lights[j] = finite(lights[j]) * fade * fade * (np.float32(3.0) - np.float32(2.0) * fade)


@njit(cache=CACHE, nogil=True, fastmath=FAST)
def limit_iris(record: F32, distance: F32, matrix: F32) -> float:
    """How much of an iris may be painted, 0..1: nothing where its reach touches what is held.

    record: float32 [IRIS_NUMBERS], of `measure_iris`. distance, matrix: of `limit_offsets`.
    """
    x, y, tall = record[0] + record[2], record[1] + record[3], record[5]
    column = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] - np.float32(0.5)
    row = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] - np.float32(0.5)
    beyond = distance_at(distance, column, row) - (np.float32(IRIS_REACH) * tall + np.float32(STILL_MORE_PX))
    share = beyond / max(np.float32(IRIS_FADE_RADII) * tall, np.float32(1e-3))
    return float(min(max(share, np.float32(0.0)), np.float32(1.0)))
