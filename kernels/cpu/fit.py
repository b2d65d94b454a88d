"""The fit of one frame as compiled loops over landmarks. For `face.pose` and `face.fit`.

As array calls they are sixty a frame, and between frames the networks empty the caches: 0.3 ms for what takes
a fifth of that here.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE
from rtfilter.kernels.cpu.solve import box_least_squares, moments, orthogonal_factor

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]


@njit(cache=CACHE, nogil=True)
def rigid_motion(
    shape: F64, points: F64, weights: F64, steps: int, least: float
) -> tuple[F64, F64, float, bool]:
    """Rotation [3, 3], translation [3] and scale that take `shape` [N, 3] to `points` [N, 3]; see `align`.

    Last, whether they hold: cross moments of what is flat, or inside out, have a determinant below `least`.
    weights: float64 [N]. steps: of `orthogonal_factor`.
    """
    total = 0.0
    for n in range(weights.shape[0]):
        total += weights[n]
    shape_mean, points_mean, cross, power = moments(shape, points, weights / total)
    largest = 1e-300
    for r in range(3):
        for c in range(3):
            largest = max(largest, abs(cross[r, c]))
    start = cross / largest
    determinant = (
        start[0, 0] * (start[1, 1] * start[2, 2] - start[1, 2] * start[2, 1])
        - start[0, 1] * (start[1, 0] * start[2, 2] - start[1, 2] * start[2, 0])
        + start[0, 2] * (start[1, 0] * start[2, 1] - start[1, 1] * start[2, 0])
    )
    if determinant < least:
        return start, points_mean, 1.0, False
    rotation = orthogonal_factor(start / determinant ** (1.0 / 3.0), steps)
    spread, together = 0.0, 0.0
    for r in range(2):
        for c in range(3):
            together += rotation[r, c] * cross[r, c]
            for d in range(3):
                spread += rotation[r, c] * power[c, d] * rotation[r, d]
    scale = max(together / max(spread, 1e-12), 1e-6)
    translation = np.empty(3)
    for r in range(3):
        translation[r] = points_mean[r]
        for c in range(3):
            translation[r] -= scale * rotation[r, c] * shape_mean[c]
    return rotation, translation, scale, True


@njit(cache=CACHE, nogil=True, fastmath=True)
def neutral_of(shape: F64, mean: F64, basis: F32, shrink: F64, committed: float) -> tuple[F64, F64]:
    """A person's neutral [N, 3] and identity [I]: what the basis explains of their average shape, and a share
    `committed` of the rest.

    shape, mean: float64 [N, 3]. basis: float32 [I, 3 * N], orthonormal. shrink: float64 [I].
    """
    count, size = basis.shape
    off, flat_shape, flat_mean = np.empty(size, np.float32), shape.reshape(-1), mean.reshape(-1)
    for k in range(size):
        off[k] = flat_shape[k] - flat_mean[k]
    explained, identity = np.zeros(size, np.float32), np.empty(count)
    for i in range(count):
        row, seen = basis[i], np.float32(0.0)
        for k in range(size):
            seen += row[k] * off[k]
        identity[i] = shrink[i] * seen
        share = np.float32(identity[i])
        for k in range(size):
            explained[k] += share * row[k]
    neutral = np.empty_like(shape)
    flat = neutral.reshape(-1)
    for k in range(size):
        flat[k] = flat_mean[k] + explained[k] + committed * (off[k] - explained[k])
    return neutral, identity


@njit(cache=CACHE, nogil=True, fastmath=True)
def unprojected(points: F32, rotation: F64, translation: F64, scale: float) -> F64:
    """`Pose.unproject` of float32 [N, 3] points: float64 [N, 3]."""
    shape = np.empty(points.shape)
    for n in range(points.shape[0]):
        x, y, z = points[n, 0] - translation[0], points[n, 1] - translation[1], points[n, 2] - translation[2]
        for c in range(3):
            shape[n, c] = (x * rotation[0, c] + y * rotation[1, c] + z * rotation[2, c]) / scale
    return shape


@njit(cache=CACHE, nogil=True, fastmath=True)
def explained_by(
    difference: F64,
    basis: F32,
    weights: F64,
    inverses: tuple[F64, F64],
    rho: float,
    relaxation: float,
    steps: int,
) -> F64:
    """Coefficients [E] of the basis, 0..1, that explain a difference [N, 3].

    basis: float32 [E, 3 * N]. weights: float64 [3 * N]. inverses to steps: of `box_least_squares`.
    """
    flat, target = difference.reshape(-1), np.empty(basis.shape[0])
    weighted = np.empty(flat.shape[0], np.float32)
    for k in range(flat.shape[0]):
        weighted[k] = flat[k] * weights[k]
    for e in range(basis.shape[0]):
        row, total = basis[e], np.float32(0.0)
        for k in range(flat.shape[0]):
            total += row[k] * weighted[k]
        target[e] = total
    found: F64 = box_least_squares(inverses[0], inverses[1], target, rho, relaxation, steps)
    return found


@njit(cache=CACHE, nogil=True, fastmath=True)
def moved_by(coefficients: F64, basis: F32) -> F64:
    """`basis . coefficients`, float64 [N, 3]. basis: float32 [E, 3 * N]."""
    moved = np.zeros(basis.shape[1], np.float32)
    for e in range(basis.shape[0]):
        share, row = np.float32(coefficients[e]), basis[e]
        if share != 0.0:
            for k in range(moved.shape[0]):
                moved[k] += share * row[k]
    return moved.astype(np.float64).reshape(-1, 3)


@njit(cache=CACHE, nogil=True)
def without(shape: F64, neutral: F64, moved: F64, surface: int) -> tuple[F64, float]:
    """A shape less its expression [N, 3], and how far the median of the first `surface` points is off."""
    rest, squares = shape - moved, np.empty(surface)
    for n in range(surface):
        squares[n] = 0.0
        for c in range(3):
            squares[n] += (rest[n, c] - neutral[n, c]) ** 2
    return rest, math.sqrt(np.partition(squares, surface // 2)[surface // 2])


@njit(cache=CACHE, nogil=True, fastmath=True)
def apart_iod(one: F64, other: F64) -> float:
    """Root mean square of the distances between the points [N, 3] of two shapes."""
    total = 0.0
    for n in range(one.shape[0]):
        for c in range(3):
            total += (one[n, c] - other[n, c]) ** 2
    return math.sqrt(total / one.shape[0])
