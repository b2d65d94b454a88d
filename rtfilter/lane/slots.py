"""One stream's parameters in a batch: where its region lies in memory, and where the network looks in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from rtfilter.frame import Box
from rtfilter.kernels import blocks
from rtfilter.render.cuda import set_region
from rtfilter.tracking.follow import PRESENCE_MIN
from rtfilter.tracking.roi import CROP_PX, Roi
from rtfilter.tracking.sample import between_centres

Parameters = Mapping[str, npt.NDArray[Any]]


def fill_slot(
    parameters: Parameters,
    slot: int,
    roi: Roi | None,
    region: Box,
    size: tuple[int, int],
    pitch: int,
    offset: int,
) -> None:
    """Write the blocks crop, points, soften and resample of one slot.

    roi: None where there is nobody: whatever the network sees then, it is no face. region: of the picture;
    its first pixel lies at byte `offset`, its rows are `pitch` bytes apart. size: width and height of the
    picture, in pixels.
    """
    crop, points = parameters["crop"][slot], parameters["points"][slot]
    where = roi or Roi(region.x0, region.y0, 1.0, 0.0)
    matrix = where.picture_from_crop()
    crop["rgb_offset"], crop["pitch"], crop["chroma_step"] = offset, pitch, 0
    crop["region_x"], crop["region_y"] = region.x0, region.y0
    crop["region_width"], crop["region_height"] = region.x1 - region.x0, region.y1 - region.y0
    crop["picture_width"], crop["picture_height"] = size
    crop["border"] = blocks.BORDER_REPLICATE
    crop["picture_from_crop"] = between_centres(matrix).ravel()
    crop["scale"], crop["bias"] = 1.0 / 255.0, 0.0
    points["picture_from_crop"] = matrix.ravel()
    points["z_scale"] = where.side / CROP_PX
    points["presence_threshold"] = PRESENCE_MIN if roi is not None else math.inf
    set_region(parameters["soften"][slot], parameters["resample"][slot], region, size, pitch, offset)
