"""`BatchGraph`: one batch of frames on a device, from upload to read back, as one captured graph.

    upload of parameters and regions -> states out of their table -> crop -> face mesh -> landmarks in the
    picture -> expression -> states back -> mesh, flow, changed box painted -> download of reports

Made and launched by `batcher`. It uses `kernels.device` and `engines.runner` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.engines.expression.layout import REPORT, STATE, TARGET
from rtfilter.engines.networks import LANDMARKS, MESH_SIDE_PX
from rtfilter.engines.runner import Runner
from rtfilter.gpu.frame_io import Format, Slot
from rtfilter.gpu.replay import Part, Replays
from rtfilter.kernels import blocks, launch
from rtfilter.kernels.device import Device, DeviceArray, HostArray, Stream
from rtfilter.kernels.room import ROOM_PLACES, RoomEdit
from rtfilter.kernels.skin import SKIN_NUMBERS, SkinEdit
from rtfilter.kernels.warp import Warp

ALIGNMENT = 256
Layout = Mapping[str, tuple[tuple[int, ...], npt.DTypeLike]]


class BatchGraph:
    """Steps up to `batch` frames: fill the slots, `launch`, then the stream's `wait`.

    Slot n begins at byte n times the slot size of the launch. The kernels write changed boxes straight into
    host memory, and nothing else of the pictures comes back.

    Attributes:
        batch: frames of a launch.
        slot_bytes: the most that a region may take as RGB, and the changed box of it; see `Format.room`.
        parameters: the host side of the upload: blocks [B] crop, points, soften, resample, yuv, edit, carry;
            target, float32 [B, TARGET.size]; person, int32 [B], the row of skin maps; room, distance, see
            `RoomEdit`. yuv and edit are read
            for planes alone.
        results: after `wait`: report [B, R], points_px [B, 478, 3], presence [B], present [B].
        reports: after `wait`: `blocks.REPORT` [B].
    """

    def __init__(
        self,
        device: Device,
        stream: Stream,
        runners: tuple[Runner, Runner],
        warp: Warp,
        table: DeviceArray,
        slot_bytes: int,
    ) -> None:
        """Makes all memory but that of planes.

        Args:
            runners: of FACE_MESH and EXPRESSION, for the batch of `warp`; they are bound here.
            table: float32 [rows, STATE.size], the streams' states.
        """
        self.batch = batch = warp.batch
        self.slot_bytes = slot_bytes
        self._mesh_runner, self._expression = runners
        self._device, self._stream, self._warp, self._table = device, stream, warp, table
        self._up = PackedArrays(
            device,
            {
                "crop": ((batch,), blocks.CROP),
                "points": ((batch,), blocks.POINTS),
                "soften": ((batch,), blocks.SOFTEN),
                "resample": ((batch,), blocks.RESAMPLE),
                "yuv": ((batch,), blocks.YUV),
                "edit": ((batch,), blocks.ADD_EDIT),
                "carry": ((batch,), blocks.CARRY),
                "target": ((batch, TARGET.size), np.float32),
                "person": ((batch,), np.int32),
                "room": ((batch,), blocks.ROOM),
                "distance": ((batch, ROOM_PLACES), np.float32),
            },
            batch * slot_bytes,
        )
        self._down = PackedArrays(
            device,
            {
                "report": ((batch, REPORT.size), np.float32),
                "points_px": ((batch, LANDMARKS, 3), np.float32),
                "presence": ((batch,), np.float32),
                "present": ((batch,), np.float32),
            },
        )
        self.parameters, self.results = self._up.host, self._down.host
        self.reports: npt.NDArray[np.void] = device.pinned((batch,), blocks.REPORT)
        self._regions = self._up.memory.part(self._up.tail_offset, (batch * slot_bytes,), np.uint8)
        self._changed_host, self._changed = device.mapped(batch * slot_bytes, np.uint8)
        self._rgb: tuple[DeviceArray, DeviceArray] | None = None
        self._replays = Replays(stream)
        self.close = self._replays.clear  # the memory is the device's
        self._bind()

    def slot(self, number: int, slot_bytes: int) -> Slot:
        """A slot of a launch of that slot size; the next launch overwrites it."""
        here = slice(number * slot_bytes, (number + 1) * slot_bytes)
        return Slot(number, here.start, self.parameters, self._up.tail[here], self._changed_host[here])

    def launch(self, kind: Format, slot_bytes: int) -> None:
        """Start everything, with the first `slot_bytes` of every slot, all of one format."""
        assert kind.room(slot_bytes) <= self.slot_bytes, "the slots are too small"
        self._replays.launch(kind, (kind, slot_bytes), lambda: self.parts(kind, slot_bytes))

    def parts(self, kind: Format, slot_bytes: int) -> list[Part]:
        """The work of a launch, in order."""
        stream, up, down = self._stream, self._up.device, self._down.device
        mesh, expression = self._mesh_runner, self._expression
        places = (self._landmarks, down["presence"], down["points_px"], down["present"])
        upload = self._up.head(self.batch * slot_bytes)
        paint = self._paint_rgb if kind is Format.RGB else self._paint_planes
        if kind is Format.I420 and self._rgb is None:
            size = self.batch * self.slot_bytes
            self._rgb = self._device.empty(size, np.uint8), self._device.empty(size, np.uint8)
        return [
            Part("upload", lambda: stream.upload(*upload)),
            Part("crop", lambda: launch.carry_out(stream, up["carry"], self._table, self._state)),
            Part("crop", lambda: launch.crop(stream, up["crop"], self._regions, self._pixels)),
            Part("face_mesh", lambda: mesh.enqueue(stream), mesh.capturable),
            Part("points", lambda: launch.points(stream, up["points"], *places)),
            Part("expression", lambda: expression.enqueue(stream), expression.capturable),
            Part("render", lambda: launch.carry_back(stream, up["carry"], self._new_state, self._table)),
            Part("render", paint),
            Part("download", lambda: stream.download(self._down.pinned, self._down.memory)),
            Part("download", lambda: stream.download(self.reports, self._warp.reports)),
        ]

    def bytes_moved(self, slot_bytes: int, changed_bytes: int) -> tuple[int, int]:
        """Bytes that a launch copies up, and down with that much changed in all slots."""
        up = self._up.tail_offset + self.batch * slot_bytes
        return up, self._down.pinned.nbytes + self.reports.nbytes + changed_bytes

    def _paint_rgb(self) -> None:
        up = self._up.device
        self._warp.find_flow(self._stream, *self._shown, up["soften"], self._skin, self._room)
        self._warp.resample(self._stream, up["resample"], self._regions, self._changed)

    def _paint_planes(self) -> None:
        """The warp of the region's RGB; what that changed is added to the planes."""
        assert self._rgb is not None
        stream, up, (before, after) = self._stream, self._up.device, self._rgb
        launch.rgb_from_yuv(stream, up["yuv"], self._regions, before)
        self._warp.find_flow(stream, *self._shown, up["soften"], self._skin, self._room)
        self._warp.resample(stream, up["resample"], before, after)
        reports = self._warp.reports
        launch.add_edit(stream, up["edit"], reports, before, after, self._regions, self._changed)

    def _bind(self) -> None:
        device, batch, down = self._device, self.batch, self._down.device
        self._pixels = device.empty((batch, 3, MESH_SIDE_PX, MESH_SIDE_PX), np.float32)
        self._landmarks = device.empty((batch, LANDMARKS, 3), np.float32)
        self._state = device.empty((batch, STATE.size), np.float32)
        self._new_state = device.empty((batch, STATE.size), np.float32)
        self._shown = (
            device.empty((batch, LANDMARKS, 3), np.float32),
            device.empty((batch, LANDMARKS, 2), np.float32),
            device.empty((batch,), np.float32),
        )
        self._skin = SkinEdit(
            self._up.device["person"],
            device.empty((batch, SKIN_NUMBERS), np.float32),
            device.empty((batch, LANDMARKS), np.float32),
        )
        self._room = RoomEdit(self._up.device["room"], self._up.device["distance"])
        self._mesh_runner.bind(
            {"pixels": self._pixels, "landmarks": self._landmarks, "presence": down["presence"]}
        )
        self._expression.bind(
            {
                "points_px": down["points_px"],
                "present": down["present"],
                "target": self._up.device["target"],
                "state": self._state,
                "shown_points_px": self._shown[0],
                "offset_px": self._shown[1],
                "iod_px": self._shown[2],
                "skin_offset": self._skin.offset,
                "gain_log": self._skin.gain_log,
                "new_state": self._new_state,
                "report": down["report"],
            }
        )


class PackedArrays:
    """Small arrays in one buffer, alike on host and device, so that one copy carries them all.

    Attributes:
        host, device: the arrays by name.
        tail: uint8, the host's side of the rest of the buffer, from byte `tail_offset` on.
    """

    def __init__(self, device: Device, layout: Layout, tail_bytes: int = 0) -> None:
        """layout: shape and dtype by name, in order of memory."""
        offsets, self.tail_offset = {}, 0
        for name, (shape, dtype) in layout.items():
            offsets[name] = self.tail_offset
            size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            self.tail_offset += -(-size // ALIGNMENT) * ALIGNMENT
        self.pinned = device.pinned(self.tail_offset + tail_bytes, np.uint8)
        self.memory = device.empty(self.tail_offset + tail_bytes, np.uint8)
        self.tail: HostArray = self.pinned[self.tail_offset :]
        self.host: dict[str, npt.NDArray[Any]] = {}
        self.device: dict[str, DeviceArray] = {}
        for name, (shape, dtype) in layout.items():
            self.device[name] = part = self.memory.part(offsets[name], shape, dtype)
            side = self.pinned[offsets[name] : offsets[name] + part.nbytes]
            self.host[name] = side.view(part.dtype).reshape(shape)

    def head(self, tail_bytes: int) -> tuple[DeviceArray, HostArray]:
        """Both sides up to `tail_bytes` of the tail, for one copy."""
        end = self.tail_offset + tail_bytes
        return self.memory.part(0, (end,), np.uint8), self.pinned[:end]
