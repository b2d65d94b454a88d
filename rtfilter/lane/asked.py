"""What streams ask of the device that they share, and wait for."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from rtfilter.engines.spec import F32
from rtfilter.errors import GpuError
from rtfilter.frame import U8, Box
from rtfilter.kernels import blocks
from rtfilter.lane.picture import rows_of
from rtfilter.lane.pipeline import FramePipeline
from rtfilter.lane.region import pitch_of, region_bytes
from rtfilter.lane.slots import fill_slot
from rtfilter.render.cuda import changed_box
from rtfilter.tracking.detect import Detection
from rtfilter.tracking.roi import Roi


class Asked:
    """Something that a stream waits for. error: why it failed."""

    def __init__(self) -> None:
        self.error: GpuError | None = None
        self._done = threading.Event()

    def finish(self, error: GpuError | None = None) -> None:
        self.error = error
        self._done.set()

    def wait(self) -> None:
        """Raises the GpuError with which it failed, anew for everybody."""
        self._done.wait()
        if self.error is not None:
            raise type(self.error)(str(self.error)) from self.error


class FrameAsked(Asked):
    """One frame's step. read, written: rows of the table. After `wait`: results, report and changed."""

    def __init__(self, rgb: U8, roi: Roi | None, region: Box, read: int, written: int, wish: F32) -> None:
        super().__init__()
        self.rgb, self.roi, self.region, self.wish = rgb, roi, region, wish
        self.read, self.written = read, written
        self.results: dict[str, F32] = {}
        self.report: npt.NDArray[np.void] = np.zeros((), blocks.REPORT)
        self.changed: U8 | None = None

    @property
    def bytes(self) -> int:
        return region_bytes(self.region)

    def put(self, pipeline: FramePipeline, slot: int, slot_bytes: int) -> None:
        """Into a slot of a batch that is about to be launched."""
        box, offset = self.region, slot * slot_bytes
        pitch = pitch_of(box.x1 - box.x0)
        pixels = pipeline.region(offset, box.y1 - box.y0, pitch)
        np.copyto(pixels[:, : 3 * (box.x1 - box.x0)], rows_of(self.rgb, box))
        size = (self.rgb.shape[1], self.rgb.shape[0])
        fill_slot(pipeline.parameters, slot, self.roi, box, size, pitch, offset)
        pipeline.parameters["carry"][slot] = (self.read, self.written)
        pipeline.parameters["wish"][slot] = self.wish

    def take(self, pipeline: FramePipeline, slot: int, slot_bytes: int) -> None:
        """What came of it, copied out of the batch."""
        self.results = {name: values[slot : slot + 1].copy() for name, values in pipeline.results.items()}
        self.report = pipeline.boxes[slot].copy()
        box = changed_box(self.report)
        if box is not None:
            pitch = pitch_of(self.region.x1 - self.region.x0)
            rows = pipeline.changed(slot * slot_bytes, box.y1 - box.y0, pitch)
            self.changed = rows[:, : 3 * (box.x1 - box.x0)].copy()


class FacesAsked(Asked):
    """The faces of a picture. After `wait`: found."""

    def __init__(self, rgb: U8) -> None:
        super().__init__()
        self.rgb = rgb
        self.found: list[Detection] = []
