"""Several streams on one device, stepped together: whoever asks while the device works is in its next launch.

One thread fills the batch, launches it and hands out what came of it; the streams' own threads do the rest.
A batch is as large as there are frames waiting, so a single stream waits for nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rtfilter.colour import YuvSpec
from rtfilter.engines.expression.layout import EXPRESSION, STATE, WISH
from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
from rtfilter.errors import GpuError, UsageError
from rtfilter.gpu.asked import Asked, FacesAsked, FrameAsked
from rtfilter.gpu.detector import DetectorPipeline
from rtfilter.gpu.graph import FramePipeline
from rtfilter.gpu.region import stepped_bytes
from rtfilter.gpu.seat import FIRST_BYTES, Runtime
from rtfilter.gpu.upload import Format, RgbUpload, Upload
from rtfilter.gpu.upload_planes import PlanesUpload
from rtfilter.kernels.device import Device
from rtfilter.planes import Planes
from rtfilter.render.cuda import CudaRenderer
from rtfilter.render.mesh import RingedMesh
from rtfilter.system.arrays import Box

MOST = 64


@dataclass
class _Sizes:
    """Pipelines by batch size."""

    pipelines: dict[int, FramePipeline] = field(default_factory=dict)
    runners: dict[int, Any] = field(default_factory=dict)


class Together:
    """One device for up to `seats` streams. most: frames a launch, rounded down to a power of two.

    All networks are loaded here, for every size of batch, so that no stream waits for them later. Errors as
    of the runtime and the device.
    """

    def __init__(
        self,
        open_device: Callable[[], Device],
        runtime: Runtime,
        mesh: RingedMesh,
        *,
        seats: int,
        most: int = MOST,
        mapped: bool = True,
    ) -> None:
        self.most = 1 << (min(most, seats, MOST).bit_length() - 1)
        self.failed: GpuError | None = None
        self._mapped = mapped
        self._sizes = _Sizes()
        self._free_rows = [2 * number for number in reversed(range(seats))]
        self._first_spare_row = 2 * seats
        self._pending: list[Asked] = []
        self._changed = threading.Condition()
        self._closing = False
        self._open: list[Callable[[], None]] = []
        try:
            self._device = open_device()
            self._open.append(self._device.close)
            self._stream = self._device.stream()
            for exponent in range(self.most.bit_length()):
                size = 1 << exponent
                runners = tuple(runtime.runner(spec, size, self._device) for spec in (FACE_MESH, EXPRESSION))
                self._open += [runner.close for runner in runners]
                self._sizes.runners[size] = runners
            detector = runtime.runner(FACE_DETECTOR, 1, self._device)
            self._detector = DetectorPipeline(self._device, self._stream, detector)
            self._open += [detector.close, self._detector.close]
            self._renderer = CudaRenderer(self._device, self._stream, mesh, self.most)
            # Two states a stream, and one for each slot of a batch that nobody uses.
            self._table = self._device.empty((2 * seats + self.most, STATE.size), np.float32)
        except BaseException:
            self._release()
            raise
        self._thread = threading.Thread(target=self._work, name="rtfilter-batch", daemon=True)
        self._thread.start()

    def take_rows(self) -> int:
        """The first of two rows of the table, for a new stream. Raises UsageError when no seat is free."""
        with self._changed:
            if not self._free_rows:
                raise UsageError(f"this device has no room for another stream than its {self.seats}")
            return self._free_rows.pop()

    def give_rows(self, first: int) -> None:
        with self._changed:
            self._free_rows.append(first)

    @property
    def seats(self) -> int:
        return self._first_spare_row // 2

    def ask(self, asked: Asked) -> None:
        """Have it done as soon as the device is free; `asked.wait` waits. From any thread."""
        with self._changed:
            if self.failed is None and not self._closing:
                self._pending.append(asked)
                self._changed.notify()
                return
        asked.finish(self.failed or GpuError("this device was closed: open the filter anew"))

    def close(self) -> None:
        """Finish what was asked for, and give everything back. May be called twice."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        self._release()

    def _release(self) -> None:
        closing, self._open = self._open, []
        with ExitStack() as stack:
            for close in closing:
                stack.callback(close)
            for pipeline in self._sizes.pipelines.values():
                stack.callback(pipeline.close)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._pending and not self._closing:
                    self._changed.wait()
                if not self._pending:
                    return
                asked = self._pending[: self.most]
                del self._pending[: self.most]
            error = self.failed
            if error is None:
                try:
                    self._do(asked)
                except Exception as raised:  # noqa: BLE001 - it belongs to those who wait, whatever it is
                    error = self.failed = _as_gpu_error(raised)
            for one in asked:
                one.finish(error)

    def _do(self, asked: list[Asked]) -> None:
        frames = [one for one in asked if isinstance(one, FrameAsked)]
        for kind in Format:
            self._step(kind, [frame for frame in frames if frame.upload.format is kind])
        for one in asked:
            if isinstance(one, FacesAsked):
                self._detector.start(one.pixels)
                self._stream.wait()
                one.found = self._detector.found()

    def _step(self, kind: Format, frames: list[FrameAsked]) -> None:
        """All of one format, in one launch."""
        if not frames:
            return
        slot_bytes = stepped_bytes(max(frame.upload.bytes for frame in frames))
        pipeline = self._pipeline(1 << (len(frames) - 1).bit_length(), kind.room(slot_bytes))
        for number, frame in enumerate(frames):
            frame.put(pipeline, number, slot_bytes)
        for number in range(len(frames), pipeline.batch):
            self._nobody(kind, number).put(pipeline, number, slot_bytes)
        pipeline.launch(kind, slot_bytes)
        self._stream.wait()
        for number, frame in enumerate(frames):
            frame.take(pipeline, number, slot_bytes)

    def _nobody(self, kind: Format, number: int) -> FrameAsked:
        """For a slot without a frame: nobody in one pixel, and a state that nobody reads."""
        return FrameAsked(_ONE_PIXEL[kind], None, -1, self._first_spare_row + number, _EMPTY_WISH)

    def _pipeline(self, size: int, room: int) -> FramePipeline:
        before = self._sizes.pipelines.get(size)
        if before is not None:
            if before.slot_bytes >= room:
                return before
            before.close()
            room = max(room, 2 * before.slot_bytes)  # as `Seat.fit`
        made = FramePipeline(
            self._device,
            self._stream,
            self._sizes.runners[size],
            self._renderer.for_fewer(size),
            self._table,
            max(room, FIRST_BYTES),
            mapped=self._mapped,
        )
        self._sizes.pipelines[size] = made
        return made


_NOWHERE = Box(0, 0, 1, 1)
_PIXEL = np.zeros((1, 1), np.uint8)
_ONE_PIXEL: dict[Format, Upload] = {
    Format.RGB: RgbUpload(np.zeros((1, 1, 3), np.uint8), _NOWHERE),
    Format.I420: PlanesUpload(Planes(_PIXEL, _PIXEL, _PIXEL, (1, 1), YuvSpec("bt709", False)), _NOWHERE),
}
_EMPTY_WISH = WISH.zeros()
_EMPTY_WISH[WISH["offset_cutoff_hz"].slice] = 1.0
_EMPTY_WISH[WISH["width_px"].start] = _EMPTY_WISH[WISH["height_px"].start] = 1.0


def _as_gpu_error(raised: Exception) -> GpuError:
    return raised if isinstance(raised, GpuError) else GpuError(f"the device's thread failed: {raised!r}")
