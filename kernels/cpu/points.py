"""Landmarks of a square in the picture, and the box around them, as compiled loops. For `tracking.roi`.

As array calls between two frames they take ten times as long, see `fit`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE

F32 = npt.NDArray[np.float32]


@njit(cache=CACHE, nogil=True)
def carried_points(points: F32, a: float, b: float, x: float, y: float, depth: float) -> F32:
    """Points float32 [N, 3], turned and scaled by (a, b), moved by (x, y); z times `depth`: newly made."""
    cos, sin, right, down = np.float32(a), np.float32(b), np.float32(x), np.float32(y)
    out, deep = np.empty(points.shape, np.float32), np.float32(depth)
    for n in range(points.shape[0]):
        out[n, 0] = points[n, 0] * cos - points[n, 1] * sin + right
        out[n, 1] = points[n, 0] * sin + points[n, 1] * cos + down
        out[n, 2] = points[n, 2] * deep
    return out


@njit(cache=CACHE, nogil=True)
def box_of_points(points: F32) -> tuple[float, float, float, float]:
    """Least x and y, then greatest x and y, of points [N, 2+]."""
    x0, y0 = points[0, 0], points[0, 1]
    x1, y1 = x0, y0
    for n in range(points.shape[0]):
        x0, x1 = min(x0, points[n, 0]), max(x1, points[n, 0])
        y0, y1 = min(y0, points[n, 1]), max(y1, points[n, 1])
    return float(x0), float(y0), float(x1), float(y1)
