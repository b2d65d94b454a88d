"""Mesh to backward flow: triangles rasterised with depth order, then softened. For `CpuRenderer`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]

# The label of a grid cell; 0 is "no triangle".
OUTSIDE, SKIN, SHARP, MOUTH, EYE_RIGHT, EYE_LEFT = range(6)


@njit(cache=CACHE, nogil=True, fastmath=True)
def rasterise_flow(
    vertices: F32, offsets: F32, triangles: I32, labels: U8, flow: F32, label: U8, depth: F32, shown: I32
) -> None:
    """Fill a grid with the offsets of the nearest triangle over each cell centre.

    vertices: float32 [V, 3], x and y in cells (cell (i, j) has its centre at x = j + 0.5, y = i + 0.5),
        z in any unit, smaller is nearer. offsets: float32 [V, 2], what to interpolate.
    triangles: int32 [T, 3]. labels: uint8 [T].
    flow: float32 [H, W, 2], label: uint8 [H, W], depth: float32 [H, W], shown: int32 [H, W], the nearest
        triangle or -1: overwritten.
    """
    rows, columns = label.shape
    flow[:] = 0.0
    label[:] = 0
    depth[:] = np.float32(3.0e38)
    shown[:] = -1
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by = vertices[a, 0], vertices[a, 1], vertices[b, 0], vertices[b, 1]
        cx, cy = vertices[c, 0], vertices[c, 1]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < 1e-9:
            continue
        inverse = np.float32(1.0) / area
        i0 = max(0, int(np.ceil(min(ay, by, cy) - 0.5)))
        i1 = min(rows - 1, int(np.floor(max(ay, by, cy) - 0.5)))
        j0 = max(0, int(np.ceil(min(ax, bx, cx) - 0.5)))
        j1 = min(columns - 1, int(np.floor(max(ax, bx, cx) - 0.5)))
        for i in range(i0, i1 + 1):
            y = np.float32(i + 0.5)
            for j in range(j0, j1 + 1):
                x = np.float32(j + 0.5)
                # Barycentric weights of b and c; the sign of the area cancels, so both windings fill.
                u = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) * inverse
                v = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) * inverse
                w = np.float32(1.0) - u - v
                # A hair of overlap, so that no cell falls between two triangles.
                if u < -1e-5 or v < -1e-5 or w < -1e-5:
                    continue
                # From one corner on, so that a flat triangle has its depth exactly: the ring's are all equal
                # where a turned head folds it, and the first one must win, not a rounding.
                z = (
                    vertices[a, 2]
                    + u * (vertices[b, 2] - vertices[a, 2])
                    + v * (vertices[c, 2] - vertices[a, 2])
                )
                if z < depth[i, j]:
                    depth[i, j] = z
                    label[i, j] = labels[t]
                    shown[i, j] = t
                    flow[i, j, 0] = w * offsets[a, 0] + u * offsets[b, 0] + v * offsets[c, 0]
                    flow[i, j, 1] = w * offsets[a, 1] + u * offsets[b, 1] + v * offsets[c, 1]


@njit(cache=CACHE, nogil=True, fastmath=True)
def soften_flow(flow: F32, label: U8, out: F32) -> None:
    """Binomial 3x3 over skin; cells at lips, lids, mouth and eyes keep their value and their edges.

    flow, out: float32 [H, W, 2] (different arrays). label: uint8 [H, W].
    """
    rows, columns = label.shape
    width = 2 * columns  # both components of a row in one line, so that the inner loop is plain vectors
    lines, soft = flow.reshape(rows, width), out.reshape(rows, width)
    soft[0], soft[rows - 1] = lines[0], lines[rows - 1]
    column = np.empty(width, np.float32)
    for i in range(1, rows - 1):
        above, here, below, target = lines[i - 1], lines[i], lines[i + 1], soft[i]
        for c in range(width):
            column[c] = above[c] + 2 * here[c] + below[c]
        target[0], target[1], target[width - 2], target[width - 1] = (
            here[0],
            here[1],
            here[width - 2],
            here[width - 1],
        )
        for c in range(2, width - 2):
            target[c] = np.float32(0.0625) * (column[c - 2] + 2 * column[c] + column[c + 2])
        for j in range(columns):
            if label[i, j] > SKIN:
                target[2 * j], target[2 * j + 1] = here[2 * j], here[2 * j + 1]


@njit(cache=CACHE, nogil=True, fastmath=True)
def moving_extent(flow: F32, still: float) -> tuple[int, int, int, int]:
    """First and last column and row of the cells in which either component of the flow [H, W, 2] is at
    least `still`: (left, top, right, bottom), with right < left when there are none."""
    rows, columns = flow.shape[0], flow.shape[1]
    left, top, right, bottom = columns, rows, -1, -1
    for i in range(rows):
        for j in range(columns):
            if abs(flow[i, j, 0]) >= still or abs(flow[i, j, 1]) >= still:
                left, right = min(left, j), max(right, j)
                top, bottom = min(top, i), i
    return left, top, right, bottom
