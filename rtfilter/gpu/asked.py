"""What streams ask of the device that they share, and wait for."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from rtfilter.engines.spec import F32
from rtfilter.errors import GpuError
from rtfilter.gpu.graph import FramePipeline
from rtfilter.gpu.upload import Upload
from rtfilter.kernels import blocks
from rtfilter.planes import Planes
from rtfilter.render.cuda import changed_box
from rtfilter.system.arrays import U8
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
    """One frame's step. read, written: rows of the table. After `wait`: results, report, and `changed` of the
    upload, where the picture was."""

    def __init__(self, upload: Upload, roi: Roi | None, read: int, written: int, wish: F32) -> None:
        super().__init__()
        self.upload, self.wish = upload, wish
        self._roi, self._read, self._written = roi, read, written
        self.results: dict[str, F32] = {}
        self.report: npt.NDArray[np.void] = np.zeros((), blocks.REPORT)
        self.changed: list[U8] | None = None

    def put(self, pipeline: FramePipeline, number: int, slot_bytes: int) -> None:
        """Into a slot of a batch that is about to be launched."""
        slot = pipeline.slot(number, slot_bytes)
        self.upload.put(slot, self._roi)
        pipeline.parameters["carry"][number] = (self._read, self._written)
        pipeline.parameters["wish"][number] = self.wish

    def take(self, pipeline: FramePipeline, number: int, slot_bytes: int) -> None:
        """What came of it, copied out of the batch."""
        one = slice(number, number + 1)
        self.results = {name: values[one].copy() for name, values in pipeline.results.items()}
        self.report = pipeline.boxes[number].copy()
        box = changed_box(self.report)
        if box is not None:
            slot = pipeline.slot(number, slot_bytes)
            self.changed = [part.copy() for part in self.upload.changed(slot, box)]


class FacesAsked(Asked):
    """The faces of a picture. After `wait`: found."""

    def __init__(self, pixels: U8 | Planes) -> None:
        super().__init__()
        self.pixels = pixels
        self.found: list[Detection] = []
