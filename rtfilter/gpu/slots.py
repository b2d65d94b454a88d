"""A stream's slot in a batch: its memory, and what of its parameters is alike for every format."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy.typing as npt

from rtfilter.system.arrays import U8, Box
from rtfilter.tracking.follow import PRESENCE_MIN
from rtfilter.tracking.roi import CROP_PX, Roi
from rtfilter.tracking.sample import between_centres


class Slot(NamedTuple):
    """parameters: of the whole batch, by name; `number` is which of each is this slot's. offset: byte at
    which the slot begins, in the batch's regions and in its changed boxes. region, changed: the host's side
    of both from there on, uint8."""

    number: int
    offset: int
    parameters: Mapping[str, npt.NDArray[Any]]
    region: U8
    changed: U8

    def block(self, name: str) -> npt.NDArray[Any]:
        """The slot's own, to be written."""
        block: npt.NDArray[Any] = self.parameters[name][self.number]
        return block


def look_at(slot: Slot, roi: Roi | None, uploaded: Box, size: tuple[int, int]) -> npt.NDArray[Any]:
    """Write where the network looks: the block points, and of crop, which is returned, all but the places in
    memory.

    roi: None where there is nobody: whatever the network sees then, it is no face. uploaded: which part of
    the picture is there. size: width and height of the picture, in pixels.
    """
    crop, points = slot.block("crop"), slot.block("points")
    where = roi or Roi(uploaded.x0, uploaded.y0, 1.0, 0.0)
    matrix = where.picture_from_crop()
    crop["region_x"], crop["region_y"] = uploaded.x0, uploaded.y0
    crop["region_width"], crop["region_height"] = uploaded.x1 - uploaded.x0, uploaded.y1 - uploaded.y0
    crop["picture_width"], crop["picture_height"] = size
    crop["picture_from_crop"] = between_centres(matrix).ravel()
    crop["scale"], crop["bias"] = 1.0 / 255.0, 0.0
    points["picture_from_crop"] = matrix.ravel()
    points["z_scale"] = where.side / CROP_PX
    points["presence_threshold"] = PRESENCE_MIN if roi is not None else math.inf
    return crop
