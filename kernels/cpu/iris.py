"""Irises, completed: what a lid uncovers of an iris that the source does not show. For `CpuRenderer`.

From the part of an iris that the source shows, away from the lids and their shadow, its colour is measured as
a function of the radius, for the right and the left half. Where the edit opens the lids further, that is
painted over what the warp extended there, by `iris_paint`. Twins: uncovered.cu, and iris.cu for painting.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE
from rtfilter.kernels.cpu.resample import MARGIN_PX

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]

# A record, float32 [IRIS_NUMBERS]: centre, its shift, radii along and across the eye's axis, that axis, the
# band along lids in pixels, how much to paint, 0..1, the
# radii's inverses; IRIS_PLACES heights of the lids' lines each (upper
# and lower before the edit, then after), over the centre's; colour and weight, [2 halves, IRIS_BINS, 4].
IRIS_HEAD, IRIS_PLACES, IRIS_BINS = 12, 17, 24
IRIS_PROFILE = IRIS_HEAD + 4 * IRIS_PLACES
IRIS_NUMBERS = IRIS_PROFILE + 8 * IRIS_BINS
IRIS_REACH = 1.7  # in radii, of all of this
IRIS_FADE = 1.4  # from here to there, what is painted fades out
# An eye that is less open shows too little of its iris, from none to all of the painting: of the height over
# the centre, in radii.
IRIS_OPEN = (0.55, 0.95)
IRIS_LEAST_MOVE = 0.03  # in radii; a lid that moves less than that uncovers nothing
IRIS_LEAST_PX = 2.0  # a smaller iris is left to the warp
# Under the upper lid lie lashes and shadow, under the lower one its wet edge: from, to, in radii.
IRIS_UPPER = (0.12, 0.4)
IRIS_LOWER = (0.04, 0.2)
# How far into what the source shows the painting reaches, in radii, and no further than is uncovered; 0.3 of
# that under a lid that covers nothing of the iris: the height of its line over the centre, in radii.
IRIS_OVERLAP = 0.35
IRIS_COVERS = (-1.35, -1.05)
IRIS_SHADE, IRIS_SHADE_DEPTH = 0.6, 0.9  # of the lid's new shadow, at the lid; how far it falls, in radii
IRIS_WEIGHT = 16  # of a pixel that is fully seen: sums are whole numbers, the same in any order
IRIS_ENOUGH = 24.0  # weight of a bin, with its neighbours, that is to be believed
IRIS_FINE_PX = 7.0  # of irises twice as large, every other pixel is measured; and so on


@njit(cache=CACHE, nogil=True)
def measure_irises(
    rgbx: U8,
    corner_x: int,
    corner_y: int,
    points: F32,
    offset: F32,
    band_px: float,
    loops: tuple[tuple[I32, I32], ...],
    records: F32,
) -> None:
    """`measure_iris` of several. loops: of each, iris and rim. records: float32 [K, ..], written."""
    for k in range(records.shape[0]):
        iris, rim = loops[k]
        measure_iris(rgbx, corner_x, corner_y, points, offset, band_px, iris, rim, records[k])


@njit(cache=CACHE, nogil=True)
def measure_iris(
    rgbx: U8,
    corner_x: int,
    corner_y: int,
    points: F32,
    offset: F32,
    band_px: float,
    iris: I32,
    rim: I32,
    record: F32,
) -> None:
    """Fill an iris's record.

    Args:
        rgbx: uint8 [h, 4 * w], a part of the source with MARGIN_PX more pixels on every side; see
            `resample_rows`. Its first true pixel is the picture's (corner_x, corner_y).
        points, offset: float32 [N, 3] before the edit, and float32 [N, 2], in pixels.
        iris: int32 [5], centre first. rim: int32 [K], of `extend_part`.
        record: float32 [IRIS_NUMBERS], written.
    """
    record[:] = 0.0
    half = rim.shape[0] // 2
    x, y = points[iris[0], 0], points[iris[0], 1]
    axis_x, axis_y = points[rim[half], 0] - points[rim[0], 0], points[rim[half], 1] - points[rim[0], 1]
    length = np.sqrt(axis_x * axis_x + axis_y * axis_y)
    if not length > 1e-3:
        return
    axis_x, axis_y = axis_x / length, axis_y / length
    wide, tall, shift_x, shift_y = 0.0, 0.0, 0.0, 0.0
    for n in iris:
        away_x, away_y = points[n, 0] - x, points[n, 1] - y
        wide = max(wide, abs(away_x * axis_x + away_y * axis_y))
        tall = max(tall, abs(away_y * axis_x - away_x * axis_y))
        shift_x += offset[n, 0] / iris.shape[0]
        shift_y += offset[n, 1] / iris.shape[0]
    tall = max(tall, wide)  # that of a head that turns
    if not (wide >= IRIS_LEAST_PX and tall < 1e4):
        return
    record[0], record[1], record[2], record[3], record[4] = x, y, shift_x, shift_y, wide
    record[5], record[6], record[7], record[8] = tall, axis_x, axis_y, max(band_px, 1e-3)
    if not _uncovers(points, offset, rim, record):
        return
    record[10], record[11] = np.float32(1.0) / record[4], np.float32(1.0) / record[5]
    for t in range(IRIS_PLACES):
        along = (t * (2.0 / (IRIS_PLACES - 1)) - 1.0) * IRIS_REACH * wide
        for line in range(4):
            height = _edge_at(points, offset, rim, line % 2, line // 2, along, record)
            record[IRIS_HEAD + line * IRIS_PLACES + t] = height
    middle = IRIS_HEAD + IRIS_PLACES // 2
    record[9] = ramp((record[middle + IRIS_PLACES] - record[middle]) / record[5], IRIS_OPEN[0], IRIS_OPEN[1])
    if record[9] > 0.0:
        _measure_colours(rgbx, corner_x, corner_y, record)


@njit(cache=CACHE, nogil=True)
def _uncovers(points: F32, offset: F32, rim: I32, record: F32) -> bool:
    """Whether a landmark of a lid moves away from the iris by IRIS_LEAST_MOVE radii."""
    half = rim.shape[0] // 2
    for k in range(rim.shape[0]):
        n = rim[k]
        up = (offset[n, 0] - record[2]) * record[7] - (offset[n, 1] - record[3]) * record[6]
        if k not in (0, half) and (up if k < half else -up) > IRIS_LEAST_MOVE * record[5]:
            return True
    return False


@njit(cache=CACHE, nogil=True)
def _edge_at(
    points: F32, offset: F32, rim: I32, side: int, after: int, along: float, record: F32
) -> np.float32:
    """Height of a lid's line over the iris's centre, downwards, at a place along the eye's axis."""
    count = rim.shape[0]
    half = count // 2
    last, last_across = 0.0, 0.0
    for k in range(half + 1):
        n = rim[(count - k) % count if side == 1 else k]
        away_x, away_y = points[n, 0] - record[0], points[n, 1] - record[1]
        if after == 1:
            away_x, away_y = away_x + offset[n, 0] - record[2], away_y + offset[n, 1] - record[3]
        here, across = away_x * record[6] + away_y * record[7], away_y * record[6] - away_x * record[7]
        if here >= along or k == half:
            if k == 0:
                return np.float32(across)
            part = min(max((along - last) / max(here - last, 1e-6), 0.0), 1.0)
            return np.float32(last_across + part * (across - last_across))
        last, last_across = here, across
    return np.float32(last_across)


@njit(cache=CACHE, nogil=True, inline="always")
def far_of(record: F32, along: np.float32, across: np.float32) -> np.float32:
    """The square of a distance from the centre, in radii."""
    u, v = along * record[10], across * record[11]
    return np.float32(u * u + v * v)


@njit(cache=CACHE, nogil=True, inline="always")
def place_of(record: F32, along: np.float32) -> np.float32:
    """A place along the axis in the tables of lids' lines, 0 to IRIS_PLACES - 1."""
    half = np.float32(0.5 * (IRIS_PLACES - 1))
    place = half + along * record[10] * np.float32(0.5 * (IRIS_PLACES - 1) / IRIS_REACH)
    return min(max(place, np.float32(0.0)), np.float32(IRIS_PLACES - 1))


@njit(cache=CACHE, nogil=True, inline="always")
def height_at(record: F32, line: int, place: np.float32) -> np.float32:
    """A lid's line there. line: 0 to 3, upper and lower before the edit, upper and lower after it."""
    low = min(int(place), IRIS_PLACES - 2)
    first = IRIS_HEAD + line * IRIS_PLACES + low
    return np.float32(record[first] + (place - np.float32(low)) * (record[first + 1] - record[first]))


@njit(cache=CACHE, nogil=True, inline="always")
def ramp(value: np.float32, start: float, end: float) -> np.float32:
    """0 below the start, 1 above the end."""
    part = (value - np.float32(start)) / np.float32(end - start)
    return min(max(part, np.float32(0.0)), np.float32(1.0))


@njit(cache=CACHE, nogil=True)
def _measure_colours(rgbx: U8, corner_x: int, corner_y: int, record: F32) -> None:
    height, width = rgbx.shape[0] - 2 * MARGIN_PX, rgbx.shape[1] // 4 - 2 * MARGIN_PX
    x, y, tall, axis_x, axis_y = record[0], record[1], record[5], record[6], record[7]
    reach = np.float32(IRIS_REACH) * tall
    step = max(int(tall / np.float32(IRIS_FINE_PX)), 1)
    sums = np.zeros((2, IRIS_BINS, 4), np.int64)
    x0, x1 = max(int(np.floor(x - reach)), corner_x), min(int(np.ceil(x + reach)), corner_x + width)
    y0, y1 = max(int(np.floor(y - reach)), corner_y), min(int(np.ceil(y + reach)), corner_y + height)
    for i in range(y0, y1, step):
        away_y = np.float32(i) + np.float32(0.5) - y
        for j in range(x0, x1, step):
            away_x = np.float32(j) + np.float32(0.5) - x
            along, across = away_x * axis_x + away_y * axis_y, away_y * axis_x - away_x * axis_y
            far = far_of(record, along, across)
            if far >= np.float32(IRIS_REACH * IRIS_REACH):
                continue
            place = place_of(record, along)
            below = (across - height_at(record, 0, place)) * record[11]
            above = (height_at(record, 1, place) - across) * record[11]
            seen = ramp(below, IRIS_UPPER[0], IRIS_UPPER[1]) * ramp(above, IRIS_LOWER[0], IRIS_LOWER[1])
            weight = int(seen * np.float32(IRIS_WEIGHT) + np.float32(0.5))
            if weight == 0:
                continue
            bin_ = min(int(np.sqrt(far) * np.float32(IRIS_BINS / IRIS_REACH)), IRIS_BINS - 1)
            left = 1 if along >= 0.0 else 0
            pixel = 4 * (j - corner_x + MARGIN_PX)
            row = i - corner_y + MARGIN_PX
            for c in range(3):
                sums[left, bin_, c] += weight * rgbx[row, pixel + c]
            sums[left, bin_, 3] += weight
    for side in range(2):
        for n in range(IRIS_BINS):
            _profile_bin(sums, side, n, record)


@njit(cache=CACHE, nogil=True)
def _profile_bin(sums: npt.NDArray[np.int64], side: int, n: int, record: F32) -> None:
    """A bin with its two neighbours on either side, and a share of the other half."""
    mixed = np.zeros(4, np.float32)
    for near in range(-2, 3):
        m = n + near
        if m < 0 or m >= IRIS_BINS:
            continue
        share = 3 - abs(near)
        for c in range(4):
            mixed[c] += np.float32(share * (4 * sums[side, m, c] + sums[1 - side, m, c]))
    first = IRIS_PROFILE + 4 * (side * IRIS_BINS + n)
    if mixed[3] > np.float32(0.0):
        for c in range(3):
            record[first + c] = mixed[c] / mixed[3]
        record[first + 3] = min(mixed[3] / np.float32(4.0 * IRIS_ENOUGH), np.float32(1.0))
