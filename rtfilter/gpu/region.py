"""The region: the part of the picture that is uploaded, around the square that the mesh network reads.

Called by `cuda_lane`, `batch_device` and `work`. Measured on eight clips of faces at intensity 1.5:
all pixels that change lie within 0.49 of the square's side from its middle, at turns of up to 6 degrees. So a
region that holds the square holds what is drawn, unless the face jumps.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.kernels import blocks
from rtfilter.system.arrays import Box
from rtfilter.tracking.roi import Roi

MARGIN_PX: Final = 8  # around the square: half a filter, and the neighbours of a bilinear sample
# A graph has a fixed upload size and is captured once for each size. So sizes are rounded up to steps, each
# this much larger than the one before.
STEP: Final = 2 ** (1 / 4)
LEAST_BYTES: Final = 1 << 14
# Where the boxes begin in a report.
_CHANGED, _WANTED = (list(blocks.REPORT.names or ()).index(name) for name in ("x0", "wanted_x0"))


def region_of(roi: Roi, width: int, height: int) -> Box:
    """The region of a picture for the square `roi`; never empty, its sides even, or the picture's."""
    reach = roi.side / 2 * (abs(math.cos(roi.angle_rad)) + abs(math.sin(roi.angle_rad))) + MARGIN_PX
    return _box(roi.x - reach, roi.y - reach, roi.x + reach, roi.y + reach, width, height)


def region_with(region: Box, wanted: Box, width: int, height: int) -> Box:
    """The region that holds both, and what the filter reads around `wanted`."""
    # The margin of the CPU renderer around what it paints.
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


def stepped_bytes(needed: int) -> int:
    """The smallest upload size of the graphs that holds `needed` bytes."""
    step = math.ceil(round(math.log(max(needed, LEAST_BYTES) / LEAST_BYTES, STEP), 9))
    return math.ceil(LEAST_BYTES * STEP**step / 256) * 256


def changed_box(report: npt.NDArray[np.void]) -> Box | None:
    """The box that the kernels changed, of a picture's `blocks.REPORT`; None where nothing changed."""
    return _reported(report, _CHANGED)


def wanted_box(report: npt.NDArray[np.void]) -> Box | None:
    """The box that would change with a region large enough; None where nothing moves."""
    return _reported(report, _WANTED)


def _reported(report: npt.NDArray[np.void], first: int) -> Box | None:
    box = Box(*report.item()[first : first + 4])
    return box if box.x0 < box.x1 and box.y0 < box.y1 else None


def _box(x0: float, y0: float, x1: float, y1: float, width: int, height: int) -> Box:
    left, right = _side(x0, x1, width)
    top, bottom = _side(y0, y1, height)
    return Box(left, top, right, bottom)


def _side(low: float, high: float, whole: int) -> tuple[int, int]:
    """First and end of a range on one axis; at least one pixel, and no block of 4:2:0's chroma in parts."""
    if not low <= high:  # NaN too
        return 0, whole
    first = int(min(max(low, 0.0), whole - 1.0)) & ~1
    last = max(math.ceil(min(max(high, 0.0), float(whole))), first + 1)
    return first, min(last + (last & 1), whole)
