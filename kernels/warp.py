"""The warp on the device: displaced landmarks in, changed boxes out, in five launches. Used by `gpu.graph`.

It computes what `RingedMesh.extend` and `CpuRenderer.render` of the CPU lane do, for a batch of faces.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtfilter.kernels import blocks
from rtfilter.kernels.cpu.resample import filter_weights
from rtfilter.kernels.device import Device, DeviceArray, HostArray, Stream
from rtfilter.kernels.launch import batch_of, check_memory, whole

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]

# Named alike in the .cu files; tests compare them.
MESH_BLOCK = 256
MESH_VERTICES_MAX = 1024
MESH_OVAL_MAX, MESH_LOOPS_MAX, MESH_EYES_MAX, MESH_LIDS_MAX = 64, 4, 2, 32
GRID_CELLS = 515 * 515
RASTER_BLOCK, RASTER_LANES = 256, 32
FLOW_BLOCK = 256
RESAMPLE_TILE_X, RESAMPLE_TILE_Y = 64, 4
PHASES, WEIGHTS_ROW, WEIGHTS_OF_SIX = 256, 12, 4

# Blocks that go through all cells or tiles in strides, as only the device knows their number: enough for a
# usual face, 48000 cells and 1000 tiles.
FLOW_BLOCKS = 192
RESAMPLE_BLOCKS = 1024


@dataclass(frozen=True)
class MeshTopology:
    """The constant part of a face mesh.

    Attributes:
        landmark_count: 478.
        triangles: int32 [T, 3].
        labels: uint8 [T], of kernels/cpu/rasterise.py.
        oval: int32 [K], landmarks around the face.
        loops: float32 [L, 2], each ring loop's distance in IODs and its share of the offset.
        eyes: for each eye, its iris, int32 [5], centre first, and its lids, int32 [M], once around.
        core: float32 [3], radius, share and clearance of an iris's rigid core; see `extend_iris`.
    """

    landmark_count: int
    triangles: I32
    labels: U8
    oval: I32
    loops: F32
    eyes: tuple[tuple[I32, I32], ...]
    core: F32

    def __post_init__(self) -> None:
        lids = {len(lids) for _, lids in self.eyes}
        irises = {len(iris) for iris, _ in self.eyes}
        fits = (
            len(self.oval) <= MESH_OVAL_MAX
            and len(self.loops) <= MESH_LOOPS_MAX
            and 1 <= len(self.eyes) <= MESH_EYES_MAX
            and len(lids) == len(irises) == 1
            and max(lids) <= MESH_LIDS_MAX
            and self.vertex_count <= MESH_VERTICES_MAX
            and int(self.triangles.max(initial=0)) < self.vertex_count
        )
        if not fits:
            raise ValueError("this mesh does not fit the kernels: see the limits in kernels/mesh.cu")

    @property
    def vertex_count(self) -> int:
        cores = sum(len(lids) + 1 for _, lids in self.eyes)
        return self.landmark_count + len(self.loops) * len(self.oval) + cores

    def corners(self) -> I32:
        """int32 [T, 4]: triangles and labels."""
        joined = np.empty((len(self.triangles), 4), np.int32)
        joined[:, :3], joined[:, 3] = self.triangles, self.labels
        return joined

    def indices(self) -> I32:
        """The oval, then each eye's iris and lids, in one row."""
        parts = [self.oval, *(part for eye in self.eyes for part in eye)]
        return np.asarray(np.concatenate(parts), np.int32)

    def parameters(self, batch: int) -> npt.NDArray[np.void]:
        """MESH [batch], all alike."""
        block = np.zeros(batch, blocks.MESH)
        block["landmark_count"], block["oval_count"] = self.landmark_count, len(self.oval)
        block["loop_count"], block["eye_count"] = len(self.loops), len(self.eyes)
        block["iris_count"], block["lid_count"] = (len(part) for part in self.eyes[0])
        block["loop_iod"][:, : len(self.loops)] = self.loops[:, 0]
        block["loop_share"][:, : len(self.loops)] = self.loops[:, 1]
        block["core_radius"], block["core_share"], block["iris_clearance"] = self.core
        return block


def weight_table() -> F32:
    """The filters of four and six taps, [PHASES, taps] each, side by side as the kernel reads them."""
    table = np.zeros((PHASES, WEIGHTS_ROW), np.float32)
    table[:, :4], table[:, WEIGHTS_OF_SIX : WEIGHTS_OF_SIX + 6] = filter_weights(4), filter_weights(6)
    return table


class Warp:
    """The memory of the warp for a batch of faces, about 7 MiB a face, and its launches.

    Attributes:
        reports: REPORT [B] on the device, written by `find_flow`: among others the changed box.
    """

    def __init__(self, device: Device, stream: Stream, mesh: MeshTopology, batch: int = 1) -> None:
        """Uploads the constant tables, and waits for the stream."""
        self.batch = batch
        self._triangle_count = len(mesh.triangles)
        self._landmark_count = mesh.landmark_count
        self.reports = device.empty(batch, blocks.REPORT)
        self._vertices = device.empty((batch, MESH_VERTICES_MAX, 4), np.float32)
        self._flows = device.empty((batch, MESH_VERTICES_MAX, 2), np.float32)
        self._keys = device.empty((batch, GRID_CELLS), np.uint64)
        self._flow = device.empty((batch, GRID_CELLS, 2), np.float32)
        self._labels = device.empty((batch, GRID_CELLS), np.uint8)
        self.soft = device.empty((batch, GRID_CELLS, 2), np.float32)
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
        return fewer

    def find_flow(
        self,
        stream: Stream,
        points_px: DeviceArray,
        offset_px: DeviceArray,
        iod_px: DeviceArray,
        soften: DeviceArray,
    ) -> None:
        """The softened backward flow of displaced landmarks, and the box of what it changes.

        Where no offset is long enough to be seen, nothing changes.

        Args:
            points_px: float32 [B, N, 3] before the edit.
            offset_px: float32 [B, N, 2].
            iod_px: float32 [B].
            soften: SOFTEN [B].
        """
        batch, count = self.batch, self._landmark_count
        check_memory("points_px", points_px, np.float32, (batch, count, 3))
        check_memory("offset_px", offset_px, np.float32, (batch, count, 2))
        check_memory("iod_px", iod_px, np.float32, (batch,))
        check_memory("soften", soften, blocks.SOFTEN, (batch,))
        found = (self._vertices, self._flows, self.reports)
        moved = (points_px, offset_px, iod_px)
        stream.launch(
            "mesh_extend", (1, 1, batch), (MESH_BLOCK, 1, 1), self._mesh, *moved, self._indices, *found
        )
        drawn = (self.reports, self._vertices, self._triangles, self._keys, np.int32(self._triangle_count))
        grid = (whole(self._triangle_count, RASTER_BLOCK // RASTER_LANES), 1, batch)
        stream.launch("rasterise_flow", grid, (RASTER_BLOCK, 1, 1), *drawn)
        grid, block = (FLOW_BLOCKS, 1, batch), (FLOW_BLOCK, 1, 1)
        shown = (self._vertices, self._flows, self._triangles, self._keys, self._flow, self._labels)
        stream.launch("interpolate_flow", grid, block, self.reports, *shown)
        stream.launch("soften_flow", grid, block, soften, self.reports, self._flow, self._labels, self.soft)

    def resample(
        self, stream: Stream, parameters: DeviceArray, source: DeviceArray, changed: DeviceArray
    ) -> None:
        """The changed boxes, after `find_flow`.

        Args:
            parameters: RESAMPLE [B].
            source: uint8, the regions in RGB.
            changed: uint8, written; on the device or mapped.
        """
        if batch_of(parameters, blocks.RESAMPLE) != self.batch:
            raise ValueError(f"expected {self.batch} parameter blocks, got {parameters.shape[0]}")
        check_memory("source", source, np.uint8)
        check_memory("changed", changed, np.uint8)
        arguments = (parameters, self.reports, source, self.soft, self._weights, changed)
        grid, block = (RESAMPLE_BLOCKS, 1, self.batch), (RESAMPLE_TILE_X, RESAMPLE_TILE_Y, 1)
        stream.launch("resample_box", grid, block, *arguments)


def _uploaded(device: Device, stream: Stream, table: HostArray) -> DeviceArray:
    pinned = device.pinned(table.shape, table.dtype)
    pinned[...] = table
    there = device.empty(table.shape, table.dtype)
    stream.upload(there, pinned)
    stream.wait()
    return there
