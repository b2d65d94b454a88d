"""Uploads: a region of a frame in a batch's memory, as RGB or 4:2:0 planes, and the changed box back.

Made by `cuda_lane`, put into the batch by `work`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from rtfilter.planes import Planes
from rtfilter.system.arrays import U8, Box
from rtfilter.tracking.detect import between_centres
from rtfilter.tracking.follow import PRESENCE_MIN
from rtfilter.tracking.roi import CROP_PX, Roi

PITCH_BYTES: Final = 16  # rows of RGB begin at multiples of this; the kernels need 4
LUMA_PITCH_BYTES: Final = 32  # rows of luma begin at multiples of this, those of chroma at half of it
# Pixels around the region that are uploaded with planes: two samples of chroma, which its RGB is made of.
REACH_PX: Final = 4


class Format(Enum):
    """The samples of all pictures in a launch. I420: 8-bit planes, chroma of half size."""

    RGB = "rgb"
    I420 = "i420"

    def room(self, slot_bytes: int) -> int:
        """Bytes of RGB on the device for a slot of `slot_bytes`.

        Planes become RGB there, which takes at most twice as much: its rows have no more padding than theirs.
        """
        return slot_bytes if self is Format.RGB else 2 * slot_bytes


class Slot(NamedTuple):
    """One stream's part of a batch's memory.

    Attributes:
        number: index of its parameter blocks.
        offset: byte at which it begins, in the batch's regions and in its changed boxes.
        parameters: blocks of the whole batch, by name.
        region, changed: uint8, the host's side of both memories from `offset` on.
    """

    number: int
    offset: int
    parameters: Mapping[str, npt.NDArray[Any]]
    region: U8
    changed: U8

    def block(self, name: str) -> npt.NDArray[Any]:
        """The slot's own block, to be written."""
        block: npt.NDArray[Any] = self.parameters[name][self.number]
        return block


class RgbUpload:
    """A region of a contiguous picture, uint8 [H, W, 3].

    `PlanesUpload` has the same methods.
    """

    format = Format.RGB

    def __init__(self, rgb: U8, region: Box) -> None:
        self._rgb, self._region = rgb, region
        self._pitch = pitch_of(region.x1 - region.x0)

    @property
    def bytes(self) -> int:
        """Bytes that the region takes in a slot."""
        return (self._region.y1 - self._region.y0) * self._pitch

    def put(self, slot: Slot, roi: Roi | None) -> None:
        """Write samples and parameters into the slot of a batch. roi: see `_set_crop`."""
        region, size = self._region, (self._rgb.shape[1], self._rgb.shape[0])
        np.copyto(self._rows(slot.region, region), _rows_of(self._rgb, region))
        crop = _set_crop(slot, roi, region, size)
        crop["rgb_offset"], crop["pitch"], crop["planar"] = slot.offset, self._pitch, 0
        set_region(slot.block("soften"), slot.block("resample"), region, size, self._pitch, slot.offset)

    def changed(self, slot: Slot, box: Box) -> list[U8]:
        """The changed box after the launch, as views that the next launch overwrites: bytes [h, 3 * w]."""
        return [self._rows(slot.changed, box)]

    def paste(self, out: U8 | Planes, box: Box, changed: list[U8]) -> None:
        """Copy what `changed` gave into a copy of the picture."""
        assert isinstance(out, np.ndarray)
        np.copyto(_rows_of(out, box), changed[0])

    def _rows(self, memory: U8, box: Box) -> U8:
        rows = memory[: (box.y1 - box.y0) * self._pitch].reshape(-1, self._pitch)
        return rows[:, : 3 * (box.x1 - box.x0)]


class PlanesUpload:
    """A region of 4:2:0 planes. region: its sides even, or the picture's.

    In the slot lie luma, Cb and Cr, rows padded. The changed box has the same pitches, its corner where that
    of the region was.
    """

    format = Format.I420

    def __init__(self, planes: Planes, region: Box) -> None:
        height, width = planes.shape
        self._planes, self._region = planes, region
        self._outer = outer = Box(
            max(region.x0 - REACH_PX, 0),
            max(region.y0 - REACH_PX, 0),
            min(region.x1 + REACH_PX, width),
            min(region.y1 + REACH_PX, height),
        )
        self._pitch = -(-(outer.x1 - outer.x0) // LUMA_PITCH_BYTES) * LUMA_PITCH_BYTES
        self._cb = (outer.y1 - outer.y0) * self._pitch
        self._cr = self._cb + (outer.y1 - outer.y0 + 1) // 2 * (self._pitch // 2)

    @property
    def bytes(self) -> int:
        return 2 * self._cr - self._cb

    def put(self, slot: Slot, roi: Roi | None) -> None:
        region, outer, spec = self._region, self._outer, self._planes.spec
        for there, plane in zip(self._views(slot.region, outer), self._planes.part(outer), strict=True):
            np.copyto(there, plane)
        size = (self._planes.shape[1], self._planes.shape[0])
        crop = _set_crop(slot, roi, outer, size)
        crop["rgb_offset"], crop["pitch"], crop["planar"] = slot.offset, self._pitch, 1
        crop["cb_offset"], crop["cr_offset"] = slot.offset + self._cb, slot.offset + self._cr
        crop["chroma_pitch"], crop["rgb_from_yuv"] = self._pitch // 2, spec.rgb_from_yuv.ravel()
        # The region's RGB, out of all that was uploaded.
        rgb_pitch, rgb_offset = pitch_of(region.x1 - region.x0), self.format.room(slot.offset)
        set_region(slot.block("soften"), slot.block("resample"), region, size, rgb_pitch, rgb_offset)
        yuv = self._block(slot, "yuv")
        yuv["rgb_offset"], yuv["rgb_pitch"] = rgb_offset, rgb_pitch
        yuv["width"], yuv["height"] = region.x1 - region.x0, region.y1 - region.y0
        yuv["chroma_left"], yuv["chroma_top"] = (region.x0 - outer.x0) // 2, (region.y0 - outer.y0) // 2
        yuv["chroma_right"] = (outer.x1 + 1) // 2 - (region.x1 + 1) // 2
        yuv["chroma_bottom"] = (outer.y1 + 1) // 2 - (region.y1 + 1) // 2
        yuv["matrix"] = spec.rgb_from_yuv.ravel()
        # RGB before and after the warp, the planes, and where the changed box goes.
        edit = self._block(slot, "edit")
        edit["before_offset"] = edit["after_offset"] = rgb_offset
        edit["before_pitch"] = edit["after_pitch"] = rgb_pitch
        edit["changed_luma_offset"] = slot.offset
        edit["changed_cb_offset"], edit["changed_cr_offset"] = slot.offset + self._cb, slot.offset + self._cr
        edit["region_x"], edit["region_y"] = region[:2]
        edit["yuv_from_rgb"] = spec.yuv_from_rgb.ravel()

    def changed(self, slot: Slot, box: Box) -> list[U8]:
        """Y [h, w], Cb and Cr of half the size, rounded up."""
        return self._views(slot.changed, box)

    def paste(self, out: U8 | Planes, box: Box, changed: list[U8]) -> None:
        assert isinstance(out, Planes)
        for there, plane in zip(out.part(box), changed, strict=True):
            np.copyto(there, plane)

    def _views(self, memory: U8, box: Box) -> list[U8]:
        """The planes of a box in a slot's memory."""
        width, height = box.x1 - box.x0, box.y1 - box.y0
        views: list[U8] = []
        for first, coarse in ((0, 1), (self._cb, 2), (self._cr, 2)):
            rows, pitch = -(-height // coarse), self._pitch // coarse
            plane = memory[first : first + rows * pitch].reshape(rows, pitch)
            views.append(plane[:, : -(-width // coarse)])
        return views

    def _block(self, slot: Slot, name: str) -> npt.NDArray[Any]:
        """The block of that name with the places of the region's planes, without what is around it."""
        block = slot.block(name)
        left, top = self._region.x0 - self._outer.x0, self._region.y0 - self._outer.y0
        chroma = top // 2 * (self._pitch // 2) + left // 2
        block["luma_offset"] = slot.offset + top * self._pitch + left
        block["cb_offset"] = slot.offset + self._cb + chroma
        block["cr_offset"] = slot.offset + self._cr + chroma
        block["luma_pitch"], block["chroma_pitch"] = self._pitch, self._pitch // 2
        return block


Upload: TypeAlias = RgbUpload | PlanesUpload


def pitch_of(width: int) -> int:
    """Bytes from row to row of a region in RGB, `width` in pixels."""
    return -(-3 * width // PITCH_BYTES) * PITCH_BYTES


def set_region(
    soften: npt.NDArray[np.void],
    resample: npt.NDArray[np.void],
    region: Box,
    size: tuple[int, int],
    pitch: int,
    offset: int,
) -> None:
    """Fill one picture's SOFTEN and RESAMPLE.

    Args:
        region: of the picture, its corner even.
        size: width and height of the picture.
        pitch: bytes from row to row of the region, and of the changed box.
        offset: byte at which both begin in their memory.
    """
    corner = (region.x0, region.y0, region.x1 - region.x0, region.y1 - region.y0)
    soften["picture_width"], soften["picture_height"] = size
    for name, value in zip(("region_x", "region_y", "region_width", "region_height"), corner, strict=True):
        soften[name] = resample[name] = value
    resample["source_offset"] = resample["changed_offset"] = offset
    resample["source_pitch"] = resample["changed_pitch"] = pitch


def _set_crop(slot: Slot, roi: Roi | None, uploaded: Box, size: tuple[int, int]) -> npt.NDArray[Any]:
    """Fill the block points, and of crop, which is returned, all but the places in memory.

    Args:
        roi: the network's square; None where there is no face, whatever the network sees.
        uploaded: the part of the picture in the slot.
        size: width and height of the picture.
    """
    crop, points = slot.block("crop"), slot.block("points")
    square = roi or Roi(uploaded.x0, uploaded.y0, 1.0, 0.0)
    matrix = square.picture_from_crop()
    crop["region_x"], crop["region_y"] = uploaded.x0, uploaded.y0
    crop["region_width"], crop["region_height"] = uploaded.x1 - uploaded.x0, uploaded.y1 - uploaded.y0
    crop["picture_width"], crop["picture_height"] = size
    crop["picture_from_crop"] = between_centres(matrix).ravel()
    crop["scale"], crop["bias"] = 1.0 / 255.0, 0.0
    points["picture_from_crop"] = matrix.ravel()
    points["z_scale"] = square.side / CROP_PX
    points["presence_threshold"] = PRESENCE_MIN if roi is not None else math.inf
    return crop


def _rows_of(rgb: U8, box: Box) -> U8:
    """The part of a contiguous picture [H, W, 3] within a box, as rows of bytes [h, 3 * w]: a view."""
    height, width = rgb.shape[:2]
    return rgb.reshape(height, 3 * width)[box.y0 : box.y1, 3 * box.x0 : 3 * box.x1]
