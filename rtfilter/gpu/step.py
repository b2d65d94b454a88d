"""`Step`: one frame on its way through the CUDA lane, and the controls of whom it shows. For `cuda_lane`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from rtfilter.controls import Controls
from rtfilter.engines.spec import F32
from rtfilter.frame import Frame
from rtfilter.gpu.frame_io import PlanesUpload, RgbUpload, Upload
from rtfilter.gpu.lane import People, controls_of
from rtfilter.gpu.work import Work
from rtfilter.planes import Planes
from rtfilter.render.painting import added, shared_box, whole_box
from rtfilter.system.arrays import U8, Box

# log2 of 4:2:0's subsampling: such planes are uploaded as they are.
HALF_CHROMA: Final = (1, 1)


@dataclass(slots=True)
class Step:
    """One frame on its way through the lane.

    Attributes:
        controls, people: see `Lane.step`.
        places: landmarks float32 [478, 3] of each person in the frame before.
        changes: whether the frame before was changed, so that this one probably is.
        device_ns: time spent on the device so far.
    """

    frame: Frame
    controls: Controls
    people: People
    places: Mapping[int, F32]
    time_s: float
    changes: bool
    device_ns: int = 0
    _copy: U8 | Planes | None = field(default=None, init=False)

    def controls_of(self, person: int) -> Controls:
        """The controls of one person."""
        return controls_of(person, self.controls, self.people)

    def upload(self, region: Box) -> Upload:
        """A region of the picture: planes where they are 4:2:0, else RGB."""
        pixels = self._pixels
        return PlanesUpload(pixels, region) if isinstance(pixels, Planes) else RgbUpload(pixels, region)

    def copy(self) -> U8 | Planes:
        """The picture in the upload's format, to be painted on; copied once."""
        if self._copy is None:
            self._copy = self._pixels.copy()
        return self._copy

    def painted(self, works: Iterable[Work]) -> Frame:
        """The frame with the changed boxes of its faces in their places, one after another."""
        boxes: list[Box] = []
        for work in works:
            if work.box is None:
                continue
            shared = shared_box(work.box, boxes)
            if shared is None:
                work.paste(self.copy())
            else:
                with added(self.copy(), self._pixels, shared):
                    work.paste(self.copy())
            boxes.append(work.box)
        if not boxes:
            return self.frame.unchanged()
        out, planes, box = self.copy(), self.frame.planes, whole_box(boxes)
        if planes is not None and isinstance(out, np.ndarray):
            out = planes.with_edit(self.frame.rgb, out, box)
        return self.frame.filtered(out, box)

    @property
    def _pixels(self) -> U8 | Planes:
        planes = self.frame.planes
        return planes if planes is not None and planes.shift == HALF_CHROMA else self.frame.rgb
