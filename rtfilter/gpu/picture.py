"""One frame on its way through the lane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rtfilter.controls import Controls
from rtfilter.frame import Frame
from rtfilter.gpu.upload import RgbUpload, Upload
from rtfilter.gpu.upload_planes import PlanesUpload
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8, Box

# log2 of 4:2:0's subsampling: such planes the device takes as they are.
HALF_CHROMA: Final = (1, 1)


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
    _copy: U8 | Planes | None = None

    def upload(self, region: Box) -> Upload:
        """A region of the picture for the device: planes where they are 4:2:0, else RGB."""
        pixels = self._pixels
        return PlanesUpload(pixels, region) if isinstance(pixels, Planes) else RgbUpload(pixels, region)

    def copy(self) -> U8 | Planes:
        """The picture as it is uploaded, to be painted on; copied once."""
        if self._copy is None:
            self._copy = self._pixels.copy()
        return self._copy

    def painted(self, box: Box) -> Frame:
        """The frame in its own format, with what was painted on the copy within a box."""
        out, planes = self.copy(), self.frame.planes
        if planes is not None and isinstance(out, np.ndarray):
            out = planes.with_edit(self.frame.rgb, out, box)
        return self.frame.filtered(out, box)

    @property
    def _pixels(self) -> U8 | Planes:
        planes = self.frame.planes
        return planes if planes is not None and planes.shift == HALF_CHROMA else self.frame.rgb
