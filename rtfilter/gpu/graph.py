"""One batch of frames on the device: what is uploaded, what is run, what comes back. All of it as one graph.

    upload of parameters and regions -> states out of their table -> crop -> face mesh -> landmarks in the
    picture -> expression -> states back -> mesh, flow, changed box painted -> download of reports

Written against `kernels.device.Device` and `engines.runner.Runner` alone.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.engines.expression.layout import REPORT, STATE, WISH
from rtfilter.engines.networks import LANDMARKS, MESH_SIDE_PX
from rtfilter.engines.runner import Runner
from rtfilter.gpu.memory import Parts
from rtfilter.gpu.paint import Paint, PaintMemory, PaintPlanes, PaintRgb
from rtfilter.gpu.replay import Part, Work, queue_parts, replay_of
from rtfilter.gpu.slots import Slot
from rtfilter.gpu.upload import Format
from rtfilter.kernels import blocks, launch
from rtfilter.kernels.device import Device, DeviceArray, HostArray, Stream
from rtfilter.render.cuda import CudaRenderer

F32 = npt.NDArray[np.float32]

# A face that comes nearer passes through a few sizes.
GRAPHS_KEPT: Final = 8


class FramePipeline:
    """Steps `batch` frames at once: slots are filled, then `launch`, and the stream's `wait`.

    slot_bytes: the most that a region may take as RGB, and the changed box of it; see `Format.room`. Slot n
    begins at byte n times the number that is launched. mapped: changed boxes are written over the bus into
    the host's memory as they are made, and no more than these; else all of a slot is copied. graphs: False
    queues everything anew each time, to measure what graphs are worth.
    """

    def __init__(
        self,
        device: Device,
        stream: Stream,
        runners: tuple[Runner, Runner],
        renderer: CudaRenderer,
        table: DeviceArray,
        slot_bytes: int,
        *,
        mapped: bool = True,
        graphs: bool = True,
    ) -> None:
        """runners: of FACE_MESH and EXPRESSION, for the batch of `renderer`; they are bound here. table:
        float32 [rows, STATE.size], what the streams remember."""
        self._mesh_runner, self._expression = runners
        self.batch = self._mesh_runner.batch
        self.slot_bytes = slot_bytes
        self._device, self._stream, self._renderer, self._table = device, stream, renderer, table
        batch = self.batch
        self._up = Parts(
            device,
            {
                "crop": ((batch,), blocks.CROP),
                "points": ((batch,), blocks.POINTS),
                "soften": ((batch,), blocks.SOFTEN),
                "resample": ((batch,), blocks.RESAMPLE),
                "yuv": ((batch,), blocks.YUV),
                "edit": ((batch,), blocks.ADD_EDIT),
                "carry": ((batch,), blocks.CARRY),
                "wish": ((batch, WISH.size), np.float32),
            },
            batch * slot_bytes,
        )
        self._down = Parts(
            device,
            {
                "report": ((batch, REPORT.size), np.float32),
                "points_px": ((batch, LANDMARKS, 3), np.float32),
                "presence": ((batch,), np.float32),
                "present": ((batch,), np.float32),
            },
        )
        self._boxes = device.pinned((batch,), blocks.REPORT)
        self._regions = self._up.memory.part(self._up.tail_offset, (batch * slot_bytes,), np.uint8)
        self._changed_host, self._changed = _changed_memory(device, batch * slot_bytes, mapped)
        self._mapped, self._graphs = mapped, graphs
        self._bind(device)
        self._paint: dict[Format, Paint] = {}
        self._replays: OrderedDict[tuple[Format, int], Work] = OrderedDict()
        self._warm: set[Format] = set()

    @property
    def parameters(self) -> dict[str, npt.NDArray[np.void] | F32]:
        """The host's side of the upload: crop, points, soften, resample, yuv, edit, carry (blocks [B]), wish
        [B, W]. yuv and edit are read for planes alone."""
        return self._up.host

    @property
    def results(self) -> dict[str, F32]:
        """After `wait`: report [B, R], points_px [B, 478, 3], presence [B], present [B]."""
        return self._down.host

    @property
    def boxes(self) -> npt.NDArray[np.void]:
        """After `wait`: `blocks.REPORT` [B]."""
        return self._boxes

    def slot(self, number: int, slot_bytes: int) -> Slot:
        """A slot of a launch with so many bytes; what it holds is overwritten by the next one."""
        here = slice(number * slot_bytes, (number + 1) * slot_bytes)
        return Slot(number, here.start, self.parameters, self._up.tail[here], self._changed_host[here])

    def launch(self, kind: Format, slot_bytes: int) -> None:
        """Start everything, with the first `slot_bytes` of every slot, all of them of one format.

        What is done for the first time is queued as it is (libraries may still load); after that, and for
        every other number, it is captured once and replayed.
        """
        assert kind.room(slot_bytes) <= self.slot_bytes, "there is no room for that"
        replay = self._replays.get((kind, slot_bytes))
        if replay is not None:
            self._replays.move_to_end((kind, slot_bytes))
        elif kind in self._warm and self._graphs:
            if len(self._replays) >= GRAPHS_KEPT:
                self._replays.popitem(last=False)
            replay = replay_of(self._stream, self.parts(kind, slot_bytes))
            self._replays[kind, slot_bytes] = replay
        if replay is None:
            self._warm.add(kind)
            queue_parts(self.parts(kind, slot_bytes))
        else:
            replay()

    def bytes_moved(self, slot_bytes: int, changed_bytes: int) -> tuple[int, int]:
        """What a launch copies up, and down with that much changed in all slots."""
        up = self._up.tail_offset + self.batch * slot_bytes
        down = self._down.pinned.nbytes + self._boxes.nbytes
        return up, down + (changed_bytes if self._mapped else self.batch * slot_bytes)

    def parts(self, kind: Format, slot_bytes: int) -> list[Part]:
        """All that a launch consists of, in order."""
        stream, up, down = self._stream, self._up.device, self._down.device
        mesh, expression = self._mesh_runner, self._expression
        places = (self._landmarks, down["presence"], down["points_px"], down["present"])
        upload, paint = self._up.first(self.batch * slot_bytes), self._paint_of(kind)
        return [
            Part("upload", lambda: stream.upload(*upload)),
            Part("crop", lambda: launch.carry_out(stream, up["carry"], self._table, self._state)),
            Part("crop", lambda: launch.crop(stream, up["crop"], self._regions, self._pixels)),
            Part("face_mesh", lambda: mesh.enqueue(stream), mesh.capturable),
            Part("points", lambda: launch.points(stream, up["points"], *places)),
            Part("expression", lambda: expression.enqueue(stream), expression.capturable),
            Part("render", lambda: launch.carry_back(stream, up["carry"], self._new_state, self._table)),
            Part("render", lambda: paint.queue(stream)),
            Part("download", lambda: self._download(self.batch * slot_bytes)),
        ]

    def close(self) -> None:
        """Let go of the graphs. The memory is the device's."""
        self._replays.clear()

    def _paint_of(self, kind: Format) -> Paint:
        """What paints; its memory is made when the first frame of that format comes."""
        if kind not in self._paint:
            memory = PaintMemory(self._up.device, self._regions, self._shown, self._changed)
            size = self.batch * self.slot_bytes
            self._paint[kind] = (
                PaintRgb(self._renderer, memory)
                if kind is Format.RGB
                else PaintPlanes(self._device, self._renderer, memory, size)
            )
        return self._paint[kind]

    def _download(self, changed_bytes: int) -> None:
        self._stream.download(self._down.pinned, self._down.memory)
        self._stream.download(self._boxes, self._renderer.reports)
        if not self._mapped:
            changed = self._changed.part(0, (changed_bytes,), np.uint8)
            self._stream.download(self._changed_host[:changed_bytes], changed)

    def _bind(self, device: Device) -> None:
        batch, down = self.batch, self._down.device
        self._pixels = device.empty((batch, 3, MESH_SIDE_PX, MESH_SIDE_PX), np.float32)
        self._landmarks = device.empty((batch, LANDMARKS, 3), np.float32)
        self._state = device.empty((batch, STATE.size), np.float32)
        self._new_state = device.empty((batch, STATE.size), np.float32)
        self._shown = (
            device.empty((batch, LANDMARKS, 3), np.float32),
            device.empty((batch, LANDMARKS, 2), np.float32),
            device.empty((batch,), np.float32),
        )
        self._mesh_runner.bind(
            {"pixels": self._pixels, "landmarks": self._landmarks, "presence": down["presence"]}
        )
        self._expression.bind(
            {
                "points_px": down["points_px"],
                "present": down["present"],
                "wish": self._up.device["wish"],
                "state": self._state,
                "shown_points_px": self._shown[0],
                "offset_px": self._shown[1],
                "iod_px": self._shown[2],
                "new_state": self._new_state,
                "report": down["report"],
            }
        )


def _changed_memory(device: Device, size: int, mapped: bool) -> tuple[HostArray, DeviceArray]:
    if mapped:
        return device.mapped(size, np.uint8)
    return device.pinned(size, np.uint8), device.empty(size, np.uint8)
