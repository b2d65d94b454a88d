"""A face's texture read from its square and drawn into it, in one pass each. For `occlusion.appearance`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]

SURE = np.float32(0.75)  # at the border of what is not free, colours are mixed: less than this counts nothing


@njit(cache=CACHE, nogil=True, fastmath=True)
def place_texels(points: F32, corners: I32, shares: F32, places: F32) -> None:
    """Where texels lie: a weighted sum of three landmarks each.

    points: float32 [V, 3], in pixels. corners: int32 [S, S, 3]. shares: float32 [S, S, 3], 0 off the face.
    places: float32 [S, S, 2], overwritten.
    """
    for i in range(places.shape[0]):
        for j in range(places.shape[1]):
            x = np.float32(0.0)
            y = np.float32(0.0)
            for k in range(3):
                share, corner = shares[i, j, k], corners[i, j, k]
                x += share * points[corner, 0]
                y += share * points[corner, 1]
            places[i, j, 0] = x
            places[i, j, 1] = y


@njit(cache=CACHE, nogil=True, fastmath=True)
def read_texels(
    square: F32, free: F32, places: F32, mask: F32, least_area: float, look: F32, seen: F32
) -> None:
    """The colours at the texels' places, and how far each texel counts.

    square: float32 [3, H, W]; free: float32 [H, W], 0..1. places: float32 [S, S, 2], pixel centres at + 0.5.
    mask: float32 [S, S]. least_area: pixels; a texel that covers fewer is seen from the side, or from behind.
    look: float32 [S, S, 3]; seen: float32 [S, S, 2], whether it is seen, and that times `free` beyond SURE:
    overwritten.
    """
    height, width = free.shape
    size = mask.shape[0]
    look[:] = 0.0
    seen[:] = 0.0
    for i in range(1, size - 1):
        for j in range(1, size - 1):
            x, y = places[i, j, 0] - np.float32(0.5), places[i, j, 1] - np.float32(0.5)
            if mask[i, j] <= 0.0 or x < 0.0 or y < 0.0 or x > width - 1 or y > height - 1:
                continue
            # Twice the distance either way: four times the area.
            area = np.float32(0.25) * (
                (places[i, j + 1, 0] - places[i, j - 1, 0]) * (places[i + 1, j, 1] - places[i - 1, j, 1])
                - (places[i, j + 1, 1] - places[i, j - 1, 1]) * (places[i + 1, j, 0] - places[i - 1, j, 0])
            )
            weight = mask[i, j] * min(max(area / np.float32(least_area) - np.float32(1.0), 0.0), 1.0)
            if weight <= 0.0:
                continue
            column, row = min(int(x), width - 2), min(int(y), height - 2)
            u, v = x - column, y - row
            for c in range(3):
                top = square[c, row, column] * (1 - u) + square[c, row, column + 1] * u
                low = square[c, row + 1, column] * (1 - u) + square[c, row + 1, column + 1] * u
                look[i, j, c] = top * (1 - v) + low * v
            top = free[row, column] * (1 - u) + free[row, column + 1] * u
            low = free[row + 1, column] * (1 - u) + free[row + 1, column + 1] * u
            seen[i, j, 0] = weight
            free_here = (top * (1 - v) + low * v - SURE) / (1 - SURE)
            seen[i, j, 1] = weight * max(free_here, np.float32(0.0))


@njit(cache=CACHE, nogil=True, fastmath=True)
def draw_texels(texture: F32, known: F32, light: F32, dark: float, uv: F32, label: U8, out: F32) -> None:
    """A texture under a light, where a rasterised face lies.

    texture: float32 [S, S, 3], with `dark` added. known: float32 [S, S], 0..1. light: float32 [3, 3], by
    channel: level, and its slopes along u and v. uv: float32 [H, W, 2], 0..1; label: uint8 [H, W], 0 off the
    face. out: float32 [4, H, W], overwritten: colours 0..1 and how far they are known.
    """
    size = known.shape[0]
    height, width = label.shape
    for i in range(height):
        for j in range(width):
            for c in range(4):
                out[c, i, j] = 0.0
            if label[i, j] == 0:
                continue
            u, v = uv[i, j, 0], uv[i, j, 1]
            x = min(max(u * size - np.float32(0.5), 0.0), size - np.float32(1.001))
            y = min(max(v * size - np.float32(0.5), 0.0), size - np.float32(1.001))
            column, row = int(x), int(y)
            x -= column
            y -= row
            w00 = (1 - x) * (1 - y) * known[row, column]
            w01 = x * (1 - y) * known[row, column + 1]
            w10 = (1 - x) * y * known[row + 1, column]
            w11 = x * y * known[row + 1, column + 1]
            total = w00 + w01 + w10 + w11
            if total < 0.05:
                continue
            out[3, i, j] = total
            for c in range(3):
                value = (
                    w00 * texture[row, column, c]
                    + w01 * texture[row, column + 1, c]
                    + w10 * texture[row + 1, column, c]
                    + w11 * texture[row + 1, column + 1, c]
                ) / total
                lit = light[c, 0] * (
                    1 + light[c, 1] * (u - np.float32(0.5)) + light[c, 2] * (v - np.float32(0.5))
                )
                out[c, i, j] = min(max(value * lit - np.float32(dark), 0.0), 1.0)


@njit(cache=CACHE, nogil=True, fastmath=True)
def fit_light(
    look: F32, mean: F32, seen: F32, count: F32, steep: float, ridge: float, least: int, light: F32
) -> bool:
    """The light of what was read over that of the mean, into `light`, as of `draw_texels`; whether it could.

    look, mean: float32 [S, S, 3], above 0. seen: float32 [S, S, 2], see `read_texels`. count: float32 [S, S],
    how often a texel was seen. steep: differences beyond it hardly count for the slopes. ridge: of these.
    least: texels from which on a light is estimated. The level is a median, so that less than half of the
    face being covered does not move it; the slopes are a weighted least-squares fit of what remains.
    """
    size = count.shape[0]
    ratio = np.empty((size * size // 2 + 1, 3), np.float32)
    at = np.empty((size * size // 2 + 1, 2), np.float32)
    found = 0
    for i in range(size):
        for j in range((i & 1), size, 2):  # every other one: a chequerboard
            if seen[i, j, 0] > 0.5 and count[i, j] > 0.5:
                for c in range(3):
                    ratio[found, c] = look[i, j, c] / mean[i, j, c]
                at[found, 0] = (j + 0.5) / size - 0.5
                at[found, 1] = (i + 0.5) / size - 0.5
                found += 1
    if found < least:
        return False
    level = np.empty(3, np.float32)
    for c in range(3):
        level[c] = np.partition(ratio[:found, c].copy(), found // 2)[found // 2]
    uu, uv, vv = ridge, 0.0, ridge
    sums = np.zeros((3, 2))
    for k in range(found):
        worst = 0.0
        for c in range(3):
            ratio[k, c] = ratio[k, c] / level[c] - np.float32(1.0)
            worst = max(worst, abs(ratio[k, c]))
        weight = 1.0 / (1.0 + (worst / steep) ** 2) ** 2
        u, v = at[k, 0], at[k, 1]
        uu += weight * u * u
        uv += weight * u * v
        vv += weight * v * v
        for c in range(3):
            sums[c, 0] += weight * u * ratio[k, c]
            sums[c, 1] += weight * v * ratio[k, c]
    inverse = 1.0 / (uu * vv - uv * uv)
    for c in range(3):
        light[c, 0] = level[c]
        light[c, 1] = min(max((vv * sums[c, 0] - uv * sums[c, 1]) * inverse, -1.5), 1.5)
        light[c, 2] = min(max((uu * sums[c, 1] - uv * sums[c, 0]) * inverse, -1.5), 1.5)
    return True


@njit(cache=CACHE, nogil=True, fastmath=True)
def learn_texels(
    look: F32, seen: F32, light: F32, most: float, known: float, memory: float, mean: F32, count: F32
) -> None:
    """Take what was read into a running mean, `mean` [S, S, 3], with its `count` [S, S].

    look, seen: see `read_texels`. light: see `fit_light`; taken out. most: of the mean, by how much a
    sighting is taken to differ from it once it was seen `known` times. memory: sightings that the mean goes
    back over.
    """
    size = count.shape[0]
    for i in range(size):
        for j in range(size):
            weight = seen[i, j, 1]
            if weight <= 0.0:
                continue
            u, v = (j + 0.5) / size - 0.5, (i + 0.5) / size - 0.5
            total = count[i, j] + weight
            for c in range(3):
                lit = max(light[c, 0] * (1.0 + light[c, 1] * u + light[c, 2] * v), 0.1)
                change = look[i, j, c] / lit - mean[i, j, c]
                if count[i, j] >= known:
                    bound = most * mean[i, j, c]
                    change = min(max(change, -bound), bound)
                mean[i, j, c] += np.float32(change * weight / total)
            count[i, j] = min(total, memory)
