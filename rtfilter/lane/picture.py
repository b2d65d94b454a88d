"""One frame on its way through the lane, and boxes of pictures as rows of bytes."""

from __future__ import annotations

from dataclasses import dataclass

from rtfilter.controls import Controls
from rtfilter.frame import U8, Box, Frame


@dataclass(slots=True)
class Step:
    """changes: whether the frame before was changed, so that this one probably is. device_ns: nanoseconds
    spent with the device so far. detected: whether all faces of the picture were asked for already."""

    frame: Frame
    controls: Controls
    time_s: float
    changes: bool
    device_ns: int = 0
    detected: bool = False
    _copy: U8 | None = None

    def copy(self) -> U8:
        """The picture, to be painted on; copied once."""
        if self._copy is None:
            self._copy = self.frame.rgb.copy()
        return self._copy


def rows_of(rgb: U8, box: Box) -> U8:
    """The part of a contiguous picture [H, W, 3] within a box, as rows of bytes [h, 3 * w]: a view."""
    height, width = rgb.shape[:2]
    return rgb.reshape(height, 3 * width)[box.y0 : box.y1, 3 * box.x0 : 3 * box.x1]
