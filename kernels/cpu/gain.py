"""The skin's gain on the flow's grid: maps added up, sampled where skin is shown, softened. For `render`.

A cell holds exp(L) - 1 of its log gain L: what the renderer interpolates, and multiplies pixels by.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE
from rtfilter.kernels.cpu.rasterise import SHARP, SKIN

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]

# A smaller change of the brightest pixel rounds to the same level.
HALF_LEVEL = 0.5 / 255


def quiet_gain(colour: F32) -> float:
    """A gain that changes no pixel by half a level, with each channel's share float32 [3] of it."""
    return HALF_LEVEL / max(float(np.abs(colour).max()), 1e-6)


@njit(cache=CACHE, nogil=True, fastmath=True)
def add_maps(maps: F32, weights: F32, out: F32) -> None:
    """The maps' weighted sum.

    maps: float32 [K, N]. weights: float32 [K]. out: float32 [N], overwritten.
    """
    out[:] = 0.0
    for k in range(maps.shape[0]):
        weight, one = weights[k], maps[k]
        if weight != 0.0:
            for n in range(out.shape[0]):
                out[n] += weight * one[n]


@njit(cache=CACHE, nogil=True, fastmath=True)
def draw_gain(
    vertices: F32, uv: F32, gain_log: F32, triangles: I32, shown: I32, label: U8, texture: F32, log_gain: F32
) -> None:
    """Fill a grid with the log gain of the skin at cell centres: the texture's, and that of the landmarks.

    Args:
        vertices: float32 [V, 3] on the grid, as of `rasterise_flow`, and triangles: int32 [T, 3].
        uv: float32 [N, 2], 0..1, and gain_log: float32 [N], of the landmarks, which all corners of skin are.
        shown, label: int32 and uint8 [H, W], the nearest triangle of each cell and its label.
        texture: float32 [S, S], log gain in UV; texel (i, j) has its centre at v = (i + 0.5) / S.
        log_gain: float32 [H, W], overwritten; 0 where there is no skin.
    """
    rows, columns = label.shape
    side = texture.shape[0]
    last = np.float32(side - 1)
    log_gain[:] = 0.0
    for i in range(rows):
        y = np.float32(i + 0.5)
        for j in range(columns):
            if label[i, j] != SKIN and label[i, j] != SHARP:
                continue
            x = np.float32(j + 0.5)
            t = shown[i, j]
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            ax, ay, bx, by = vertices[a, 0], vertices[a, 1], vertices[b, 0], vertices[b, 1]
            cx, cy = vertices[c, 0], vertices[c, 1]
            area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
            if abs(area) < 1e-9:  # rounded otherwise than in `rasterise_flow`; a division by 0 raises
                continue
            inverse = np.float32(1.0) / area
            u = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) * inverse
            v = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) * inverse
            w = np.float32(1.0) - u - v
            column = (w * uv[a, 0] + u * uv[b, 0] + v * uv[c, 0]) * np.float32(side) - np.float32(0.5)
            row = (w * uv[a, 1] + u * uv[b, 1] + v * uv[c, 1]) * np.float32(side) - np.float32(0.5)
            column = min(max(column, np.float32(0.0)), last)
            row = min(max(row, np.float32(0.0)), last)
            k, n = min(int(column), max(side - 2, 0)), min(int(row), max(side - 2, 0))
            right, below = min(k + 1, side - 1), min(n + 1, side - 1)
            tx, ty = column - np.float32(k), row - np.float32(n)
            upper = texture[n, k] + (texture[n, right] - texture[n, k]) * tx
            lower = texture[below, k] + (texture[below, right] - texture[below, k]) * tx
            light = w * gain_log[a] + u * gain_log[b] + v * gain_log[c]
            log_gain[i, j] = light + upper + (lower - upper) * ty


@njit(cache=CACHE, nogil=True, fastmath=True)
def soften_gain(log_gain: F32, label: U8, most: float, out: F32) -> None:
    """Binomial 3x3 over skin, then exp(L) - 1 with L within +-`most`; lips and lids keep their edges.

    log_gain, out: float32 [H, W] (different arrays), 0 where there is no skin. label: uint8 [H, W].
    """
    rows, columns = label.shape
    limit = np.float32(most)
    out[:] = 0.0
    for i in range(1, rows - 1):
        above, here, below = log_gain[i - 1], log_gain[i], log_gain[i + 1]
        for j in range(1, columns - 1):
            if label[i, j] == SKIN:
                around = above[j - 1] + above[j + 1] + below[j - 1] + below[j + 1]
                beside = above[j] + below[j] + here[j - 1] + here[j + 1]
                value = np.float32(0.0625) * (around + 2 * beside + 4 * here[j])
            elif label[i, j] == SHARP:
                value = here[j]
            else:
                continue
            out[i, j] = math.expm1(min(max(value, -limit), limit))


@njit(cache=CACHE, nogil=True, fastmath=True)
def lit_extent(gain: F32, quiet: float) -> tuple[int, int, int, int]:
    """As `rasterise.moving_extent`, of the cells of `gain` [H, W] that are at least `quiet`."""
    rows, columns = gain.shape
    left, top, right, bottom = columns, rows, -1, -1
    for i in range(rows):
        for j in range(columns):
            if abs(gain[i, j]) >= quiet:
                left, right = min(left, j), max(right, j)
                top, bottom = min(top, i), i
    return left, top, right, bottom
