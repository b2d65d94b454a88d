"""What of a frame goes to the device, in the frame's own format, and its changed box on the way back."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

import numpy as np

from rtfilter.gpu.region import pitch_of, region_bytes
from rtfilter.gpu.slots import Slot, look_at
from rtfilter.planes import Planes
from rtfilter.render.cuda import set_region
from rtfilter.system.arrays import U8, Box
from rtfilter.tracking.roi import Roi


class Format(Enum):
    """Of all pictures in a launch. RGB: three bytes a pixel. I420: 8-bit planes, chroma of half size."""

    RGB = "rgb"
    I420 = "i420"

    def room(self, slot_bytes: int) -> int:
        """Bytes of RGB on the device for a slot of `slot_bytes`. Planes become RGB there, which takes at most
        twice as much: its rows have no more padding than theirs."""
        return slot_bytes if self is Format.RGB else 2 * slot_bytes


class Upload(Protocol):
    """A region of a picture on its way to a slot. bytes: what it takes there."""

    @property
    def format(self) -> Format: ...

    @property
    def bytes(self) -> int: ...

    def put(self, slot: Slot, roi: Roi | None) -> None:
        """Samples and parameters into a slot of a batch that is about to be launched. roi: see `look_at`."""
        ...

    def changed(self, slot: Slot, box: Box) -> list[U8]:
        """After the launch: views of the changed box, overwritten by the next one."""
        ...

    def paste(self, out: U8 | Planes, box: Box, changed: list[U8]) -> None:
        """Put what `changed` gave into a copy of the picture."""
        ...


class RgbUpload:
    """Of a contiguous picture, uint8 [H, W, 3]."""

    format = Format.RGB

    def __init__(self, rgb: U8, region: Box) -> None:
        self._rgb, self._region = rgb, region
        self._pitch = pitch_of(region.x1 - region.x0)

    @property
    def bytes(self) -> int:
        return region_bytes(self._region)

    def put(self, slot: Slot, roi: Roi | None) -> None:
        """See `Upload`."""
        region, size = self._region, (self._rgb.shape[1], self._rgb.shape[0])
        np.copyto(self._rows(slot.region, region), rows_of(self._rgb, region))
        crop = look_at(slot, roi, region, size)
        crop["rgb_offset"], crop["pitch"], crop["planar"] = slot.offset, self._pitch, 0
        set_region(slot.block("soften"), slot.block("resample"), region, size, self._pitch, slot.offset)

    def changed(self, slot: Slot, box: Box) -> list[U8]:
        """See `Upload`: one, rows of bytes [h, 3 * w]."""
        return [self._rows(slot.changed, box)]

    def paste(self, out: U8 | Planes, box: Box, changed: list[U8]) -> None:
        """See `Upload`. out: uint8 [H, W, 3]."""
        assert isinstance(out, np.ndarray)
        np.copyto(rows_of(out, box), changed[0])

    def _rows(self, memory: U8, box: Box) -> U8:
        """A box's rows of bytes [h, 3 * w] in a slot's memory."""
        rows = memory[: (box.y1 - box.y0) * self._pitch].reshape(-1, self._pitch)
        return rows[:, : 3 * (box.x1 - box.x0)]


def rows_of(rgb: U8, box: Box) -> U8:
    """The part of a contiguous picture [H, W, 3] within a box, as rows of bytes [h, 3 * w]: a view."""
    height, width = rgb.shape[:2]
    return rgb.reshape(height, 3 * width)[box.y0 : box.y1, 3 * box.x0 : 3 * box.x1]
