"""The skin's gain on the grid of the flow: maps added up, and softened after `rasterise_lit`. For `render`.

A cell holds exp(L) - 1 of its log gain L: what the renderer interpolates, and multiplies pixels by.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE
from rtfilter.kernels.cpu.rasterise import SHARP, SKIN

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

# A smaller change of the brightest pixel rounds to the same level.
HALF_LEVEL = 0.5 / 255


def quiet_gain(colour: F32) -> float:
    """A gain that changes no pixel by half a level, with each channel's share float32 [3] of it."""
    return HALF_LEVEL / max(float(np.abs(colour).max()), 1e-6)


@njit(cache=CACHE, nogil=True)
def take_weights(weights: F32, peaks: F32, most: float, out: F32) -> float:
    """Copy weights [K] within +-`most`, 0 for what is no number; the largest log gain that they can make.

    peaks: float32 [K], the largest of each map, either way.
    """
    bound = 0.0
    for k in range(weights.shape[0]):
        out[k] = _number(weights[k], most)
        bound += abs(out[k]) * peaks[k]
    return bound


@njit(cache=CACHE, nogil=True)
def take_light(light: F32, most: float, out: F32) -> float:
    """Copy numbers [N] within +-`most`, 0 for what is no number; the largest of them, either way."""
    bound = np.float32(0.0)
    for n in range(light.shape[0]):
        out[n] = _number(light[n], most)
        bound = max(bound, abs(out[n]))
    return float(bound)


@njit(cache=CACHE, nogil=True, inline="always")
def _number(value: np.float32, most: float) -> np.float32:
    inside = min(max(value, np.float32(-most)), np.float32(most))
    return inside if np.isfinite(value) else np.float32(0.0)


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
def soften_gain(log_gain: F32, label: U8, most: float, out: F32) -> None:
    """Binomial 3x3 over skin, then exp(L) - 1 with L within +-`most`; lips and lids keep their edges.

    log_gain, out: float32 [H, W] (different arrays), 0 where there is no skin. label: uint8 [H, W].
    most: at most 1, up to which the series holds to 3e-7.
    """
    rows, columns = label.shape
    limit, none = np.float32(most), np.float32(0.0)
    out[:] = 0.0
    for i in range(1, rows - 1):
        above, here, below, of, target = log_gain[i - 1], log_gain[i], log_gain[i + 1], label[i], out[i]
        for j in range(1, columns - 1):
            around = above[j - 1] + above[j + 1] + below[j - 1] + below[j + 1]
            beside = above[j] + below[j] + here[j - 1] + here[j + 1]
            soft = np.float32(0.0625) * (around + 2 * beside + 4 * here[j])
            value = soft if of[j] == SKIN else (here[j] if of[j] == SHARP else none)
            target[j] = _growth(min(max(value, -limit), limit))


@njit(cache=CACHE, nogil=True, fastmath=True, inline="always")
def _growth(value: np.float32) -> np.float32:
    """exp - 1 by its series, which is vector code where a call of the C library is none."""
    total = np.float32(1.0)
    for n in (9, 8, 7, 6, 5, 4, 3, 2):
        total = np.float32(1.0) + total * value * np.float32(1.0 / n)
    return np.float32(total * value)


@njit(cache=CACHE, nogil=True, fastmath=True)
def changed_extent(flow: F32, gain: F32, still: float, quiet: float) -> tuple[int, int, int, int]:
    """First and last column and row of the cells that change: (left, top, right, bottom), with right < left
    when there are none.

    flow: float32 [H, W, 2], of which either component is at least `still` there; or gain, float32 [H, W] or
    [0, 0], is at least `quiet`.
    """
    rows, columns = flow.shape[0], flow.shape[1]
    moving, bright = np.float32(still), np.float32(quiet)
    within, top, bottom = np.zeros(columns, np.uint8), rows, -1
    for i in range(rows):
        some, line = np.uint8(0), flow[i]
        # Every cell is looked at: that is vector code, which to stop at the first one is not.
        for j in range(columns):
            changes = np.uint8(max(abs(line[j, 0]), abs(line[j, 1])) >= moving)
            within[j] |= changes
            some |= changes
        if gain.shape[0] > 0:
            lights = gain[i]
            for j in range(columns):
                changes = np.uint8(abs(lights[j]) >= bright)
                within[j] |= changes
                some |= changes
        if some:
            top, bottom = min(top, i), i
    left, right = 0, columns - 1
    while left < columns and not within[left]:
        left += 1
    while right >= left and not within[right]:
        right -= 1
    return left, top, right, bottom
