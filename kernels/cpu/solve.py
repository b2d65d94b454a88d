"""The fit's small solves as compiled loops: fixed size and number of steps, no branches. For `face`.

As array calls they are two hundred a frame, and between frames the networks empty the caches: calling costs
more than computing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]


@njit(cache=CACHE, nogil=True)
def moments(shape: F64, points: F64, weights: F64) -> tuple[F64, F64, F64, F64]:
    """Weighted means [3] of both point sets [N, 3], their cross moments [3, 3] (points by shape) about
    them, and the shape's own second moments [3, 3]. weights: float64 [N], of sum 1."""
    shape_mean, points_mean = np.zeros(3), np.zeros(3)
    cross, power = np.zeros((3, 3)), np.zeros((3, 3))
    for n in range(shape.shape[0]):
        for c in range(3):
            shape_mean[c] += weights[n] * shape[n, c]
            points_mean[c] += weights[n] * points[n, c]
    for n in range(shape.shape[0]):
        for c in range(3):
            s = weights[n] * (shape[n, c] - shape_mean[c])
            for r in range(3):
                cross[r, c] += (points[n, r] - points_mean[r]) * s
                power[r, c] += (shape[n, r] - shape_mean[r]) * s
    return shape_mean, points_mean, cross, power


@njit(cache=CACHE, nogil=True)
def orthogonal_factor(start: F64, steps: int) -> F64:
    """Newton's iteration X <- (X + X^-T) / 2 (Higham 1986, eq. 3.4) on a [3, 3] matrix of determinant 1."""
    x, cofactor = start.copy(), np.empty((3, 3))
    for _ in range(steps):
        for r in range(3):
            for c in range(3):
                r1, r2, c1, c2 = (r + 1) % 3, (r + 2) % 3, (c + 1) % 3, (c + 2) % 3
                cofactor[r, c] = x[r1, c1] * x[r2, c2] - x[r1, c2] * x[r2, c1]
        determinant = x[0, 0] * cofactor[0, 0] + x[0, 1] * cofactor[0, 1] + x[0, 2] * cofactor[0, 2]
        for r in range(3):
            for c in range(3):
                x[r, c] = 0.5 * (x[r, c] + cofactor[r, c] / determinant)
    return x


@njit(cache=CACHE, nogil=True, fastmath=True)
def box_least_squares(
    gram_inverse: F64, split_inverse: F64, target: F64, rho: float, relaxation: float, steps: int
) -> F64:
    """argmin x.G.x / 2 - target.x over 0 <= x <= 1 by ADMM (Boyd et al. 2011, section 5.2, over-relaxed).

    gram_inverse: G^-1, split_inverse: (G + rho I)^-1, both float64 [N, N]. target: float64 [N]. Starts from
    the clipped unconstrained solution.
    """
    count = target.shape[0]
    inside, dual, pull, free = np.empty(count), np.zeros(count), np.empty(count), np.empty(count)
    for i in range(count):
        total = 0.0
        for j in range(count):
            total += gram_inverse[i, j] * target[j]
        inside[i] = min(max(total, 0.0), 1.0)
    for _ in range(steps):
        for j in range(count):
            pull[j] = target[j] + rho * (inside[j] - dual[j])
        for i in range(count):
            total = 0.0
            for j in range(count):
                total += split_inverse[i, j] * pull[j]
            free[i] = total
        for i in range(count):
            ahead = dual[i] + relaxation * free[i] + (1.0 - relaxation) * inside[i]
            inside[i] = min(max(ahead, 0.0), 1.0)
            dual[i] = ahead - inside[i]
    return inside
