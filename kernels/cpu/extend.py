"""The mesh around and within the landmarks: a ring that fades the edit out, and the irises' rigid cores.

Scalar loops over a hundred vertices, for `render.mesh`: as array calls these are fifty a frame, whose code
and data come back into the caches more slowly than the work takes.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]


@njit(cache=CACHE, nogil=True)
def extend_ring(
    points: F32, offset: F32, iod_px: float, oval: I32, loops: F32, vertices: F32, offsets: F32
) -> None:
    """Landmarks and ring after the edit.

    Args:
        points, offset: float32 [N, 3] before the edit, and float32 [N, 2], in pixels.
        oval: int32 [K].
        loops: float32 [L, 2], each loop's distance from the oval in IODs and its share of the oval's offset.
        vertices, offsets: float32 [>= N + L * K, 3] and [.., 2], written: landmarks first, then loop by loop.
    """
    count, around = points.shape[0], oval.shape[0]
    farthest = np.float32(-3.0e38)
    for n in range(count):
        vertices[n, 0], vertices[n, 1] = points[n, 0] + offset[n, 0], points[n, 1] + offset[n, 1]
        vertices[n, 2] = points[n, 2]
        offsets[n, 0], offsets[n, 1] = offset[n, 0], offset[n, 1]
        farthest = max(farthest, points[n, 2])
    middle_x, middle_y = 0.0, 0.0
    for k in oval:
        middle_x += points[k, 0] / around
        middle_y += points[k, 1] / around
    for k in range(around):
        x, y = points[oval[k], 0], points[oval[k], 1]
        away_x, away_y = x - middle_x, y - middle_y
        length = max(np.sqrt(away_x * away_x + away_y * away_y), 1e-6)
        for loop in range(loops.shape[0]):
            n = count + loop * around + k
            distance, share = loops[loop, 0] * iod_px / length, loops[loop, 1]
            offsets[n, 0], offsets[n, 1] = share * offset[oval[k], 0], share * offset[oval[k], 1]
            vertices[n, 0] = x + away_x * distance + offsets[n, 0]
            vertices[n, 1] = y + away_y * distance + offsets[n, 1]
            # Behind the face, so that a turned cheek covers the ring and not the other way round.
            vertices[n, 2] = farthest + iod_px


@njit(cache=CACHE, nogil=True)
def line_clearance(polygon: F32, x: float, y: float) -> float:
    """Least distance of a point from the lines of a polygon's [K, 2] sides; negative outside."""
    count = polygon.shape[0]
    turn, least, most = 0.0, 3.0e38, -3.0e38
    for k in range(count):
        n = (k + 1) % count
        side_x, side_y = polygon[n, 0] - polygon[k, 0], polygon[n, 1] - polygon[k, 1]
        cross = side_x * (y - polygon[k, 1]) - side_y * (x - polygon[k, 0])
        distance = cross / max(np.sqrt(side_x * side_x + side_y * side_y), 1e-6)
        turn += cross
        least, most = min(least, distance), max(most, distance)
    # The sum is twice the area, whose sign says which way around the polygon goes.
    return least if turn > 0.0 else (-most if turn < 0.0 else 0.0)


@njit(cache=CACHE, nogil=True)
def extend_iris(
    points: F32, offset: F32, iris: I32, lids: I32, design: F32, first: int, vertices: F32, offsets: F32
) -> None:
    """One iris's rigid core: a loop of K vertices towards the lids, and its middle.

    Args:
        iris: int32 [5], centre first.
        lids: int32 [K], once around the opening.
        design: float32 [3], the core's radius in iris radii, its largest share of the way to the lids, and
            the clearance from the lids' lines, in iris radii, below which it moves with the lids.
        first: index in vertices and offsets of what is written.
    """
    count = lids.shape[0]
    before, after = np.empty((count, 2), np.float32), np.empty((count, 2), np.float32)
    mean = np.zeros(5)
    for k in range(count):
        n = lids[k]
        for c in range(2):
            before[k, c], after[k, c] = points[n, c], points[n, c] + offset[n, c]
            mean[c] += points[n, c] / count
            mean[2 + c] += offset[n, c] / count
        mean[4] += points[n, 2] / count
    x, y = points[iris[0], 0], points[iris[0], 1]
    dx, dy = offset[iris[0], 0], offset[iris[0], 1]
    radius = 0.0
    for k in range(1, iris.shape[0]):
        radius += np.sqrt((points[iris[k], 0] - x) ** 2 + (points[iris[k], 1] - y) ** 2) / (iris.shape[0] - 1)
    clearance = min(line_clearance(before, x, y), line_clearance(after, x + dx, y + dy))
    hold = min(max(clearance / max(design[2] * radius, 1e-6), 0.0), 1.0)
    middle_x, middle_y = hold * x + (1.0 - hold) * mean[0], hold * y + (1.0 - hold) * mean[1]
    moved_x, moved_y = hold * dx + (1.0 - hold) * mean[2], hold * dy + (1.0 - hold) * mean[3]
    for k in range(count):
        out_x, out_y = after[k, 0] - (middle_x + moved_x), after[k, 1] - (middle_y + moved_y)
        far = np.sqrt(out_x * out_x + out_y * out_y)
        was = np.sqrt((before[k, 0] - middle_x) ** 2 + (before[k, 1] - middle_y) ** 2)
        reach = min(design[1] * min(far, was), design[0] * radius) / max(far, 1e-6)
        vertices[first + k, 0] = middle_x + moved_x + out_x * reach
        vertices[first + k, 1] = middle_y + moved_y + out_y * reach
        vertices[first + k, 2] = points[lids[k], 2]
        offsets[first + k, 0], offsets[first + k, 1] = moved_x, moved_y
    vertices[first + count, 0], vertices[first + count, 1] = middle_x + moved_x, middle_y + moved_y
    vertices[first + count, 2] = mean[4]
    offsets[first + count, 0], offsets[first + count, 1] = moved_x, moved_y


@njit(cache=CACHE, nogil=True)
def place_on_grid(vertices: F32, offsets: F32, cell: float, side_max: int) -> tuple[F64, int, int]:
    """Pixels to cells of a grid that holds all vertices, and offsets to backward flow: in place.

    cell: its least size in pixels; larger where a side would have more than `side_max` of them.
    Returns the grid's corner and the size of its cells, float64 [3], and how many rows and columns it has.
    """
    low_x, low_y = float(vertices[0, 0]), float(vertices[0, 1])
    high_x, high_y = low_x, low_y
    for n in range(vertices.shape[0]):
        low_x, high_x = min(low_x, float(vertices[n, 0])), max(high_x, float(vertices[n, 0]))
        low_y, high_y = min(low_y, float(vertices[n, 1])), max(high_y, float(vertices[n, 1]))
    wide, tall = high_x - low_x, high_y - low_y
    cell = max(cell, max(wide, tall) / side_max)
    x, y = math.floor(low_x) - cell, math.floor(low_y) - cell
    for n in range(vertices.shape[0]):
        vertices[n, 0], vertices[n, 1] = (vertices[n, 0] - x) / cell, (vertices[n, 1] - y) / cell
        offsets[n, 0], offsets[n, 1] = -offsets[n, 0], -offsets[n, 1]
    return np.array([x, y, cell]), math.ceil(tall / cell) + 3, math.ceil(wide / cell) + 3
