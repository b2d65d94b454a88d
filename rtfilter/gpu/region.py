"""Which part of the picture goes to the device: around the square that the mesh network looks at.

Measured on eight clips of faces at intensity 1.5: all pixels that change lie within 0.49 of the square's side
from its middle, at a turn of up to 6 degrees; so a region that holds the square holds what is drawn, but for
a face that jumps.
"""

from __future__ import annotations

import math
from typing import Final

from rtfilter.system.arrays import Box
from rtfilter.tracking.roi import Roi

MARGIN_PX: Final = 8  # around the square: half a filter, and the neighbours of a bilinear sample
PITCH_BYTES: Final = 16  # rows begin at multiples of this; the kernels need 4
# A graph holds the number of bytes that it uploads, and is captured once for each number: so they come in
# steps, of which each is at most so much more than the one before.
STEP: Final = 2 ** (1 / 4)
LEAST_BYTES: Final = 1 << 14


def region_of(roi: Roi, width: int, height: int) -> Box:
    """The region of a picture for the square `roi`; never empty, its sides even, or the picture's."""
    reach = roi.side / 2 * (abs(math.cos(roi.angle_rad)) + abs(math.sin(roi.angle_rad))) + MARGIN_PX
    return _box(roi.x - reach, roi.y - reach, roi.x + reach, roi.y + reach, width, height)


def region_with(region: Box, wanted: Box, width: int, height: int) -> Box:
    """The region that holds both, and what the filter reads around `wanted`."""
    # As much as the CPU renderer has at hand around what it paints.
    margin = MARGIN_PX + (max(wanted.x1 - wanted.x0, wanted.y1 - wanted.y0) + 15) // 16
    return _box(
        min(region.x0, wanted.x0 - margin),
        min(region.y0, wanted.y0 - margin),
        max(region.x1, wanted.x1 + margin),
        max(region.y1, wanted.y1 + margin),
        width,
        height,
    )


def region_in(region: Box, width: int, height: int) -> Box:
    """The part of a region that lies in a picture of another size; never empty."""
    return _box(*region, width, height)


def holds(region: Box, box: Box) -> bool:
    """Whether all of `box` lies in it."""
    return region.x0 <= box.x0 and region.y0 <= box.y0 and region.x1 >= box.x1 and region.y1 >= box.y1


def pitch_of(width: int) -> int:
    """Bytes from row to row of a region so many pixels wide."""
    return -(-3 * width // PITCH_BYTES) * PITCH_BYTES


def region_bytes(region: Box) -> int:
    """What a region takes in memory."""
    return (region.y1 - region.y0) * pitch_of(region.x1 - region.x0)


def stepped_bytes(needed: int) -> int:
    """The least upload of at least `needed` bytes that a graph is made for."""
    step = math.ceil(round(math.log(max(needed, LEAST_BYTES) / LEAST_BYTES, STEP), 9))
    return math.ceil(LEAST_BYTES * STEP**step / 256) * 256


def _box(x0: float, y0: float, x1: float, y1: float, width: int, height: int) -> Box:
    left, right = _side(x0, x1, width)
    top, bottom = _side(y0, y1, height)
    return Box(left, top, right, bottom)


def _side(low: float, high: float, whole: int) -> tuple[int, int]:
    """From where to where, on one axis; at least one pixel, and no block of 4:2:0's chroma in parts."""
    if not low <= high:  # NaN too
        return 0, whole
    first = int(min(max(low, 0.0), whole - 1.0)) & ~1
    last = max(math.ceil(min(max(high, 0.0), float(whole))), first + 1)
    return first, min(last + (last & 1), whole)
