"""Painting of completed irises, from the records of `iris`. For `CpuRenderer`. Twin: iris.cu."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE
from rtfilter.kernels.cpu.iris import (
    IRIS_BINS,
    IRIS_COVERS,
    IRIS_FADE,
    IRIS_HEAD,
    IRIS_OVERLAP,
    IRIS_PLACES,
    IRIS_PROFILE,
    IRIS_REACH,
    IRIS_SHADE,
    IRIS_SHADE_DEPTH,
    far_of,
    height_at,
    place_of,
    ramp,
)

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]


@njit(cache=CACHE, nogil=True)
def iris_extent(record: F32, box: I32) -> I32:
    """Where `paint_iris` paints, within a box: int32 [4], x0, y0, x1, y1, even, or to the box's edge."""
    reach = np.float32(IRIS_REACH) * record[5]
    x, y = record[0] + record[2], record[1] + record[3]
    extent = np.empty(4, np.int32)
    extent[0] = max(int(np.floor(x - reach)) & ~1, box[0])
    extent[1] = max(int(np.floor(y - reach)) & ~1, box[1])
    extent[2] = min((int(np.ceil(x + reach)) + 1) & ~1, box[2])
    extent[3] = min((int(np.ceil(y + reach)) + 1) & ~1, box[3])
    return extent


@njit(cache=CACHE, nogil=True)
def paint_iris(record: F32, out: U8, left: int, top: int, extent: I32) -> None:
    """Paint what is uncovered of an iris.

    Args:
        record: of `measure_iris`.
        out: uint8 [h, w, 3], the picture's pixels from (left, top) on, written in place.
        extent: of `iris_extent`.
    """
    x, y = record[0] + record[2], record[1] + record[3]
    for i in range(extent[1], extent[3]):
        away_y = np.float32(i) + np.float32(0.5) - y
        for j in range(extent[0], extent[2]):
            away_x = np.float32(j) + np.float32(0.5) - x
            _paint_pixel(record, away_x, away_y, out, i - top, j - left)


@njit(cache=CACHE, nogil=True, inline="always")
def _paint_pixel(record: F32, away_x: np.float32, away_y: np.float32, out: U8, i: int, j: int) -> None:
    """One pixel, at a place from the iris's moved centre."""
    one = np.float32(1.0)
    tall = record[5]
    along = away_x * record[6] + away_y * record[7]
    across = away_y * record[6] - away_x * record[7]
    far = far_of(record, along, across)
    if far >= np.float32(IRIS_REACH * IRIS_REACH):
        return
    place = place_of(record, along)
    upper, lower = height_at(record, 2, place), height_at(record, 3, place)
    below, above = across - upper, lower - across
    edge = np.float32(0.3) * record[8]
    if below <= edge or above <= edge:
        return
    hidden = np.float32(0.0)
    for side in range(2):
        sign = one if side == 0 else -one
        was = height_at(record, side, place)
        uncovered = sign * (was - (upper if side == 0 else lower))
        beyond = sign * (across - was)
        if uncovered <= 0.0 or beyond >= np.float32(IRIS_OVERLAP) * tall:
            continue
        middle = record[IRIS_HEAD + side * IRIS_PLACES + IRIS_PLACES // 2]
        covers = ramp(sign * middle * record[11], IRIS_COVERS[0], IRIS_COVERS[1])
        overlap = np.float32(IRIS_OVERLAP) * (np.float32(0.3) + np.float32(0.7) * covers) * tall
        overlap = min(overlap, uncovered)
        share = min(max(one - beyond / overlap, np.float32(0.0)), one)
        share *= share * (np.float32(3.0) - np.float32(2.0) * share)
        hidden = max(hidden, share * min(uncovered * record[11] * np.float32(10.0), one))
    if hidden <= 0.0:
        return
    open_here = min(ramp(below / record[8], 0.3, 1.0), ramp(above / record[8], 0.3, 1.0))
    far = np.float32(np.sqrt(far))
    place = max(far * np.float32(IRIS_BINS / IRIS_REACH) - np.float32(0.5), np.float32(0.0))
    low = min(int(place), IRIS_BINS - 2)
    part = min(place - np.float32(low), one)
    turn = min(max(np.float32(0.5) + along * record[10] * np.float32(1.0 / 1.4), np.float32(0.0)), one)
    fade = one - ramp(far, IRIS_FADE, IRIS_REACH)
    lit = min(below * record[11] * np.float32(1.0 / IRIS_SHADE_DEPTH), one)
    dark = np.float32(IRIS_SHADE) * (one - lit) * (one - lit)
    sure, red, green, blue = np.float32(0.0), np.float32(0.0), np.float32(0.0), np.float32(0.0)
    for side in range(2):
        for n in range(2):
            first = IRIS_PROFILE + 4 * (side * IRIS_BINS + low + n)
            share = (turn if side == 1 else one - turn) * (part if n == 1 else one - part) * record[first + 3]
            sure += share
            red, green = red + share * record[first], green + share * record[first + 1]
            blue += share * record[first + 2]
    if sure <= 0.0:
        return
    alpha, light = record[9] * hidden * open_here * fade * sure, (one - dark) / sure
    out[i, j, 0] = _mixed(out[i, j, 0], red * light, alpha)
    out[i, j, 1] = _mixed(out[i, j, 1], green * light, alpha)
    out[i, j, 2] = _mixed(out[i, j, 2], blue * light, alpha)


@njit(cache=CACHE, nogil=True, inline="always")
def _mixed(there: np.uint8, colour: np.float32, alpha: np.float32) -> np.uint8:
    old = np.float32(there)
    return np.uint8(np.int32(old + alpha * (colour - old) + np.float32(0.5)))
