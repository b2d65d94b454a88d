"""The warp on the device: displaced landmarks in, changed boxes out, in eight launches. Used by `gpu.graph`.

It computes what `RingedMesh.extend` and `CpuRenderer.render` of the CPU lane do, for a batch of faces.
"""

from __future__ import annotations

from copy import copy

import numpy as np
import numpy.typing as npt

from rtfilter.kernels import blocks
from rtfilter.kernels.cpu.resample import filter_weights
from rtfilter.kernels.device import Device, DeviceArray, HostArray, Stream
from rtfilter.kernels.launch import batch_of, check_memory, whole
from rtfilter.kernels.room import LIMIT_BLOCK, RoomEdit
from rtfilter.kernels.skin import SKIN_BLOCK, SKIN_BLOCKS, SKIN_NUMBERS, SKIN_TEXELS, SkinEdit, SkinTable
from rtfilter.kernels.topology import MESH_BLOCK, MESH_OPENINGS_MAX, MESH_VERTICES_MAX, MeshTopology

F32 = npt.NDArray[np.float32]

# Named alike in the .cu files; tests compare them.
GRID_CELLS = 515 * 515
RASTER_BLOCK, RASTER_LANES = 256, 32
FLOW_BLOCK = 256
RESAMPLE_TILE_X, RESAMPLE_TILE_Y = 64, 4
PHASES, WEIGHTS_ROW, WEIGHTS_OF_SIX = 256, 12, 4
IRIS_BLOCK, IRIS_NUMBERS = 256, 272

# Blocks that go through all cells or tiles in strides, as only the device knows their number: enough for a
# usual face, 48000 cells and 1000 tiles.
FLOW_BLOCKS = 192
RESAMPLE_BLOCKS = 1024


def weight_table() -> F32:
    """The filters of four and six taps, [PHASES, taps] each, side by side as the kernel reads them."""
    table = np.zeros((PHASES, WEIGHTS_ROW), np.float32)
    table[:, :4], table[:, WEIGHTS_OF_SIX : WEIGHTS_OF_SIX + 6] = filter_weights(4), filter_weights(6)
    return table


class Warp:
    """The memory of the warp for a batch of faces, about 9 MiB a face, and its launches.

    Attributes:
        reports: REPORT [B] on the device, written by `find_flow`: among others the changed box.
    """

    def __init__(
        self,
        device: Device,
        stream: Stream,
        mesh: MeshTopology,
        batch: int = 1,
        skins: SkinTable | None = None,
    ) -> None:
        """Uploads the constant tables, and waits for the stream. skins: default a table without maps."""
        self.batch = batch
        self._moved: tuple[DeviceArray, DeviceArray, DeviceArray] | None = None
        self._rooms: tuple[DeviceArray, DeviceArray]
        self._skins = skins or SkinTable(device, stream, 1)
        self._no_skin = SkinEdit(
            device.empty(batch, np.int32),
            device.empty((batch, SKIN_NUMBERS), np.float32),
            device.empty((batch, mesh.landmark_count), np.float32),
        )
        self._no_room = RoomEdit.none(device, batch)
        self._limited = device.empty((batch, mesh.landmark_count, 2), np.float32)
        self._lights = device.empty(batch, blocks.SKIN_LIGHT)
        self._texture = device.empty((batch, SKIN_TEXELS), np.float32)
        self._log_gain = device.empty((batch, GRID_CELLS), np.float32)
        self.gain = device.empty((batch, GRID_CELLS), np.float32)
        self._uv = _uploaded(device, stream, mesh.uv)
        self._shapes, self._shape_count = _uploaded(device, stream, mesh.shapes), mesh.shapes.shape[1]
        self._triangle_count = len(mesh.triangles)
        self._landmark_count = mesh.landmark_count
        self.reports = device.empty(batch, blocks.REPORT)
        self._vertices = device.empty((batch, MESH_VERTICES_MAX, 4), np.float32)
        self._flows = device.empty((batch, MESH_VERTICES_MAX, 2), np.float32)
        self._keys = device.empty((batch, GRID_CELLS), np.uint64)
        self._flow = device.empty((batch, GRID_CELLS, 2), np.float32)
        self._labels = device.empty((batch, GRID_CELLS), np.uint8)
        self.soft = device.empty((batch, GRID_CELLS, 2), np.float32)
        self._opening_count = len(mesh.openings)
        self._irises = device.empty((batch, MESH_OPENINGS_MAX, IRIS_NUMBERS), np.float32)
        self._triangles = _uploaded(device, stream, mesh.corners())
        self._indices = _uploaded(device, stream, mesh.indices())
        self._mesh = _uploaded(device, stream, mesh.parameters(batch))
        self._weights = _uploaded(device, stream, weight_table())

    def for_fewer(self, batch: int) -> Warp:
        """The same for a smaller batch, in the same memory: only one of them may run at a time."""
        if not 1 <= batch <= self.batch:
            raise ValueError(f"batch: expected 1..{self.batch}, got {batch}")
        fewer = copy(self)
        fewer.batch = batch
        fewer.reports = self.reports.part(0, batch, blocks.REPORT)
        fewer._mesh = self._mesh.part(0, batch, blocks.MESH)
        fewer._no_skin = self._no_skin.for_fewer(batch)
        fewer._no_room = self._no_room.for_fewer(batch)
        return fewer

    def find_flow(
        self,
        stream: Stream,
        points_px: DeviceArray,
        offset_px: DeviceArray,
        iod_px: DeviceArray,
        soften: DeviceArray,
        skin: SkinEdit | None = None,
        room: RoomEdit | None = None,
    ) -> None:
        """The softened backward flow of displaced landmarks, the skin's gain, and the box of what changes.

        Where no offset is long enough to be seen, and no gain strong enough, nothing changes.

        Args:
            points_px: float32 [B, N, 3] before the edit.
            offset_px: float32 [B, N, 2].
            iod_px: float32 [B].
            soften: SOFTEN [B].
            skin: default none.
            room: default unlimited.
        """
        batch, count = self.batch, self._landmark_count
        check_memory("points_px", points_px, np.float32, (batch, count, 3))
        check_memory("offset_px", offset_px, np.float32, (batch, count, 2))
        check_memory("iod_px", iod_px, np.float32, (batch,))
        check_memory("soften", soften, blocks.SOFTEN, (batch,))
        skin = skin or self._no_skin
        skin.check(batch, count)
        room = room or self._no_room
        room.check(batch)
        rooms = (room.rooms, room.distances)
        landmarks, block = np.int32(count), (SKIN_BLOCK, 1, 1)
        edit = (skin.persons, *self._skins.arrays, skin.offset, skin.gain_log, landmarks)
        stream.launch("add_maps", (SKIN_BLOCKS, 1, batch), block, *edit, self._texture, self._lights)
        asked = (points_px, offset_px, iod_px, landmarks, self._shapes, np.int32(self._shape_count))
        stream.launch("limit_offsets", (1, 1, batch), (LIMIT_BLOCK, 1, 1), *rooms, *asked, self._limited)
        found = (self._vertices, self._flows, self.reports)
        self._moved, self._rooms = (points_px, self._limited, iod_px), rooms
        stream.launch(
            "mesh_extend",
            (1, 1, batch),
            (MESH_BLOCK, 1, 1),
            self._mesh,
            *self._moved,
            self._lights,
            self._indices,
            *found,
        )
        drawn = (self.reports, self._vertices, self._triangles, self._keys, np.int32(self._triangle_count))
        grid = (whole(self._triangle_count, RASTER_BLOCK // RASTER_LANES), 1, batch)
        stream.launch("rasterise_flow", grid, (RASTER_BLOCK, 1, 1), *drawn)
        grid, block = (FLOW_BLOCKS, 1, batch), (FLOW_BLOCK, 1, 1)
        shown = (self._vertices, self._flows, self._triangles, self._keys, self._flow, self._labels)
        lit = (self._lights, self._texture, self._uv, skin.gain_log, landmarks, self._log_gain)
        stream.launch("interpolate_flow", grid, block, self.reports, *shown, *lit)
        grids = (self._flow, self._labels, self.soft, self._log_gain, self.gain)
        stream.launch("soften_flow", grid, block, soften, self.reports, *grids, *rooms)

    def resample(
        self, stream: Stream, parameters: DeviceArray, source: DeviceArray, changed: DeviceArray
    ) -> None:
        """The changed boxes, after `find_flow`, whose arrays must be as they were.

        Args:
            parameters: RESAMPLE [B].
            source: uint8, the regions in RGB.
            changed: uint8, written; on the device or mapped.
        """
        if batch_of(parameters, blocks.RESAMPLE) != self.batch:
            raise ValueError(f"expected {self.batch} parameter blocks, got {parameters.shape[0]}")
        check_memory("source", source, np.uint8)
        check_memory("changed", changed, np.uint8)
        if self._moved is None:
            raise ValueError("resample: find_flow comes first")
        shown = (self._indices, self.reports, parameters, source, *self._rooms, self._irises)
        grid, block = (1, self._opening_count, self.batch), (IRIS_BLOCK, 1, 1)
        stream.launch("measure_irises", grid, block, self._mesh, *self._moved, *shown)
        irises = (self._irises, np.int32(self._opening_count))
        arguments = (parameters, self.reports, source, self.soft, self.gain, self._weights, *irises, changed)
        grid, block = (RESAMPLE_BLOCKS, 1, self.batch), (RESAMPLE_TILE_X, RESAMPLE_TILE_Y, 1)
        stream.launch("resample_box", grid, block, *arguments)


def _uploaded(device: Device, stream: Stream, table: HostArray) -> DeviceArray:
    pinned = device.pinned(table.shape, table.dtype)
    pinned[...] = table
    there = device.empty(table.shape, table.dtype)
    stream.upload(there, pinned)
    stream.wait()
    return there
