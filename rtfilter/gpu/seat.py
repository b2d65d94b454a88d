"""`Seat`: what one stream has on a device, and its one graph a frame. Closing it gives all of that back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from time import perf_counter_ns
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from rtfilter.engines.expression.layout import EXPRESSION, STATE
from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
from rtfilter.engines.runner import Runner
from rtfilter.engines.spec import F32, NetworkSpec
from rtfilter.gpu.detector import DetectorPipeline
from rtfilter.gpu.graph import FramePipeline
from rtfilter.gpu.picture import Step
from rtfilter.gpu.region import stepped_bytes
from rtfilter.gpu.replay import queue_parts
from rtfilter.gpu.slots import Slot
from rtfilter.gpu.upload import Upload
from rtfilter.kernels.device import Device
from rtfilter.planes import Planes
from rtfilter.render.cuda import CudaRenderer, changed_box
from rtfilter.render.mesh import RingedMesh
from rtfilter.system.arrays import U8, Box
from rtfilter.tracking.roi import Roi

# What regions get at first: a face that fills half the height of a 1080p picture.
FIRST_BYTES = 1 << 20
STATE_ROWS = 2  # of the table: what is believed, and what the running step makes of it


class Closable(Protocol):
    def close(self) -> None: ...


T = TypeVar("T", bound=Closable)


class Runtime(Protocol):
    """Runs networks on one device."""

    @property
    def name(self) -> str:
        """For people: `TensorRT-RTX 1.7`."""
        ...

    def runner(self, spec: NetworkSpec, batch: int, device: Device) -> Runner:
        """A runner for one stream, its memory made by `device`."""
        ...


class Seat:
    """Memory, networks and graphs for one stream.

    open_device: gives a device, which is closed with the seat: that frees what was made with it. mapped,
    graphs: see `FramePipeline`.
    """

    def __init__(
        self,
        open_device: Callable[[], Device],
        runtime: Runtime,
        mesh: RingedMesh,
        *,
        mapped: bool = True,
        graphs: bool = True,
    ) -> None:
        self._mapped, self._graphs = mapped, graphs
        self._upload: Upload | None = None
        self._pipeline: FramePipeline | None = None
        self._closing: list[Callable[[], None]] = []
        try:
            self._device = device = self._closed_later(open_device())
            self._stream = device.stream()
            self._runners = (
                self._closed_later(runtime.runner(FACE_MESH, 1, device)),
                self._closed_later(runtime.runner(EXPRESSION, 1, device)),
            )
            detector = self._closed_later(runtime.runner(FACE_DETECTOR, 1, device))
            self._detector = self._closed_later(DetectorPipeline(device, self._stream, detector))
            self._renderer = CudaRenderer(device, self._stream, mesh)
            self._table = device.empty((STATE_ROWS, STATE.size), np.float32)
        except BaseException:
            self.close()
            raise

    def fit(self, step: Step, region: Box) -> None:
        """See `cuda.Place`."""
        upload, before = step.upload(region), self._pipeline
        needed = upload.format.room(stepped_bytes(upload.bytes))
        if before is not None:
            if before.slot_bytes >= needed:
                return
            # The smaller room's memory is free only when the device is closed, so each is twice the last.
            needed = max(needed, 2 * before.slot_bytes)
            before.close()
        parts = (self._device, self._stream, self._runners, self._renderer, self._table)
        self._pipeline = FramePipeline(
            *parts, max(needed, FIRST_BYTES), mapped=self._mapped, graphs=self._graphs
        )

    @property
    def detector(self) -> DetectorPipeline:
        """Finds faces; waited for by `wait`, as everything of the seat."""
        return self._detector

    @property
    def wish_row(self) -> F32:
        """The row WISH of the next launch, to be written."""
        row: F32 = self._ready.parameters["wish"][0]
        return row

    def launch(self, step: Step, roi: Roi | None, region: Box, read: int, written: int) -> int:
        """See `cuda.Place`."""
        self._upload = step.upload(region)
        pipeline, upload, slot = self._launched
        upload.put(slot, roi)
        pipeline.parameters["carry"][0] = (read, written)
        started = perf_counter_ns()
        pipeline.launch(upload.format, len(slot.region))
        return started

    def wait(self) -> None:
        """Until all that was started is done."""
        self._stream.wait()

    @property
    def results(self) -> dict[str, F32]:
        """See `FramePipeline.results`; overwritten by the next launch."""
        return self._ready.results

    @property
    def box(self) -> npt.NDArray[np.void]:
        """The last run's `blocks.REPORT`."""
        report: npt.NDArray[np.void] = self._ready.boxes[0]
        return report

    def paste(self, out: U8 | Planes, box: Box) -> None:
        """See `cuda.Place`."""
        _, upload, slot = self._launched
        upload.paste(out, box, upload.changed(slot, box))

    def timed_ms(self) -> dict[str, float]:
        """The last launch once more, without a graph: milliseconds of device time by stage; and as `graph`,
        all of it as it is launched for a frame. Changes no state."""
        stream, (pipeline, upload, slot) = self._stream, self._launched
        launched = (upload.format, len(slot.region))
        marks = [("", stream.mark())]
        parts = pipeline.parts(*launched)
        queue_parts(parts, lambda stage: marks.append((stage, stream.mark())))
        stream.wait()
        spent = {stage: here.since_ms(before) for (_, before), (stage, here) in pairwise(marks)}
        first = stream.mark()
        pipeline.launch(*launched)
        last = stream.mark()
        stream.wait()
        return {**spent, "graph": last.since_ms(first)}

    def bytes_moved(self) -> tuple[int, int]:
        """What the last launch copied up and down."""
        pipeline, upload, slot = self._launched
        box = changed_box(self.box)
        changed = 0 if box is None else sum(part.size for part in upload.changed(slot, box))
        return pipeline.bytes_moved(len(slot.region), changed)

    def close(self) -> None:
        """Give everything back; also after a failure, and twice."""
        closing, self._closing = self._closing, []
        with ExitStack() as stack:  # all of it, whatever one of them says
            for close in closing:
                stack.callback(close)
            if self._pipeline is not None:
                stack.callback(self._pipeline.close)

    @property
    def _ready(self) -> FramePipeline:
        assert self._pipeline is not None, "fit() comes first"
        return self._pipeline

    @property
    def _launched(self) -> tuple[FramePipeline, Upload, Slot]:
        """What the last launch ran, what it uploaded, and where to."""
        assert self._upload is not None, "launch() comes first"
        return self._ready, self._upload, self._ready.slot(0, stepped_bytes(self._upload.bytes))

    def _closed_later(self, made: T) -> T:
        self._closing.append(made.close)
        return made
