"""A region of 4:2:0 planes on its way to the device: where it lies in a slot, and what comes back of it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rtfilter.gpu.region import pitch_of
from rtfilter.gpu.slots import Slot, look_at
from rtfilter.gpu.upload import Format
from rtfilter.planes import Planes
from rtfilter.render.cuda import set_region
from rtfilter.system.arrays import U8, Box
from rtfilter.tracking.roi import Roi

# Pixels around the region that are uploaded with it: two samples of chroma, which its RGB is made of.
REACH_PX: Final = 4
PITCH_BYTES: Final = 32  # rows of luma begin at multiples of this, those of chroma at half of it


class PlanesUpload:
    """Of 4:2:0 planes. In its slot lie luma, then Cb, then Cr, their rows padded; so does the changed box,
    with the same pitches, and its corner where that of the region was."""

    format = Format.I420

    def __init__(self, planes: Planes, region: Box) -> None:
        """region: its sides even, or the picture's."""
        height, width = planes.shape
        self._planes, self._region = planes, region
        self._outer = outer = Box(
            max(region.x0 - REACH_PX, 0),
            max(region.y0 - REACH_PX, 0),
            min(region.x1 + REACH_PX, width),
            min(region.y1 + REACH_PX, height),
        )
        self._pitch = -(-(outer.x1 - outer.x0) // PITCH_BYTES) * PITCH_BYTES
        self._cb = (outer.y1 - outer.y0) * self._pitch
        self._cr = self._cb + (outer.y1 - outer.y0 + 1) // 2 * (self._pitch // 2)

    @property
    def bytes(self) -> int:
        return 2 * self._cr - self._cb

    def put(self, slot: Slot, roi: Roi | None) -> None:
        """See `Upload`."""
        for there, plane in zip(
            self._views(slot.region, self._outer), self._planes.part(self._outer), strict=True
        ):
            np.copyto(there, plane)
        size = (self._planes.shape[1], self._planes.shape[0])
        crop = look_at(slot, roi, self._outer, size)
        crop["rgb_offset"], crop["pitch"] = slot.offset, self._pitch
        crop["cb_offset"], crop["cr_offset"] = slot.offset + self._cb, slot.offset + self._cr
        crop["chroma_pitch"], crop["planar"] = self._pitch // 2, 1
        crop["rgb_from_yuv"] = self._planes.spec.rgb_from_yuv.ravel()
        rgb_pitch = pitch_of(self._region.x1 - self._region.x0)
        rgb_offset = self.format.room(slot.offset)
        set_region(slot.block("soften"), slot.block("resample"), self._region, size, rgb_pitch, rgb_offset)
        self._describe_rgb(slot, rgb_pitch, rgb_offset)
        self._describe_edit(slot, rgb_pitch, rgb_offset)

    def changed(self, slot: Slot, box: Box) -> list[U8]:
        """See `Upload`: Y [h, w], Cb and Cr of half the size, rounded up."""
        return self._views(slot.changed, box)

    def paste(self, out: U8 | Planes, box: Box, changed: list[U8]) -> None:
        """See `Upload`. out: planes like those that were uploaded."""
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

    def _describe_rgb(self, slot: Slot, rgb_pitch: int, rgb_offset: int) -> None:
        """The block yuv: the region's RGB, out of all that was uploaded."""
        region, outer, yuv = self._region, self._outer, slot.block("yuv")
        self._set_places(yuv, slot)
        yuv["rgb_offset"], yuv["rgb_pitch"] = rgb_offset, rgb_pitch
        yuv["width"], yuv["height"] = region.x1 - region.x0, region.y1 - region.y0
        yuv["chroma_left"], yuv["chroma_top"] = (region.x0 - outer.x0) // 2, (region.y0 - outer.y0) // 2
        yuv["chroma_right"] = (outer.x1 + 1) // 2 - (region.x1 + 1) // 2
        yuv["chroma_bottom"] = (outer.y1 + 1) // 2 - (region.y1 + 1) // 2
        yuv["matrix"] = self._planes.spec.rgb_from_yuv.ravel()

    def _describe_edit(self, slot: Slot, rgb_pitch: int, rgb_offset: int) -> None:
        """The block edit: RGB before and after the warp, the planes, and where the changed box goes."""
        edit = slot.block("edit")
        self._set_places(edit, slot)
        edit["before_offset"] = edit["after_offset"] = rgb_offset
        edit["before_pitch"] = edit["after_pitch"] = rgb_pitch
        edit["changed_luma_offset"] = slot.offset
        edit["changed_cb_offset"], edit["changed_cr_offset"] = slot.offset + self._cb, slot.offset + self._cr
        edit["region_x"], edit["region_y"] = self._region[:2]
        edit["yuv_from_rgb"] = self._planes.spec.yuv_from_rgb.ravel()

    def _set_places(self, block: npt.NDArray[Any], slot: Slot) -> None:
        """Where the planes of the region, without what is around it, begin in the slot."""
        left, top = self._region.x0 - self._outer.x0, self._region.y0 - self._outer.y0
        chroma = top // 2 * (self._pitch // 2) + left // 2
        block["luma_offset"] = slot.offset + top * self._pitch + left
        block["cb_offset"] = slot.offset + self._cb + chroma
        block["cr_offset"] = slot.offset + self._cr + chroma
        block["luma_pitch"], block["chroma_pitch"] = self._pitch, self._pitch // 2
