"""The device contract on the processor, as the kernels' tests use it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from rtfilter.face.deform import Room
from rtfilter.face.skin import SkinMaps
from rtfilter.kernels import blocks
from rtfilter.kernels.room import ROOM_PLACES, RoomEdit, put_room
from rtfilter.kernels.skin import SkinEdit, SkinTable
from rtfilter.kernels.warp import MeshTopology, Warp
from tests.host_gpu.device import HostDevice, HostDeviceArray, HostStream

KERNELS_ON = os.environ.get("KERNELS_ON", "host")
Box = tuple[int, int, int, int]


class Bench:
    """A host device with a stream. backwards: threads and blocks in the opposite order.

    With KERNELS_ON=cuda in the environment it is a GPU, in whatever order that likes.
    """

    def __init__(self, backwards: bool = False) -> None:
        self.device: Any = _gpu() if KERNELS_ON == "cuda" else HostDevice(backwards)
        self.stream: HostStream = self.device.stream()

    def put(self, array: Any) -> HostDeviceArray:
        """A copy on the device."""
        of = self.device.pinned(np.shape(array), np.asarray(array).dtype)
        of[...] = array
        to = self.device.empty(of.shape, of.dtype)
        self.stream.upload(to, of)
        self.stream.wait()
        return to

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> HostDeviceArray:
        return self.device.empty(shape, dtype)


@cache
def _gpu() -> Any:
    """One for all tests: its memory is freed with the process."""
    from rtfilter.kernels.cuda_device import CudaDevice
    from tests.kernels.readable import ReadableDevice

    return ReadableDevice(CudaDevice())


def in_both_orders() -> list[Bench]:
    """What a kernel does must not depend on who comes first."""
    return [Bench(), Bench(backwards=True)]


def block(dtype: np.dtype[Any], **values: Any) -> np.ndarray:
    """One parameter block [1] with these fields; the others are 0."""
    made = np.zeros(1, dtype)
    for name, value in values.items():
        made[name] = value
    return made


def padded_rows(rgb: np.ndarray, spare: int = 0) -> np.ndarray:
    """uint8 [H, pitch] of a picture [H, W, 3]: rows begin at whole words, `spare` more words behind each."""
    height, width = rgb.shape[:2]
    rows = np.full((height, (3 * width + 3) // 4 * 4 + 4 * spare), 77, np.uint8)
    rows[:, : 3 * width] = rgb.reshape(height, 3 * width)
    return rows


def set_i420(made: np.ndarray, width: int, height: int, offset: int = 0) -> int:
    """Fill the planes' places of a CROP or YUV block for I420 in one piece, rows without padding, from byte
    `offset` on. Returns the byte behind it."""
    small = ((width + 1) // 2, (height + 1) // 2)
    cb = offset + width * height
    cr = cb + small[0] * small[1]
    if "planar" in (made.dtype.names or ()):
        made["rgb_offset"], made["pitch"], made["planar"] = offset, width, 1
    else:
        made["luma_offset"], made["luma_pitch"] = offset, width
    made["cb_offset"], made["cr_offset"], made["chroma_pitch"] = cb, cr, small[0]
    return cr + small[0] * small[1]


@dataclass(frozen=True)
class Skin:
    """Maps, an offset [52] that weighs them, and the light at the landmarks [478]."""

    maps: SkinMaps
    offset: np.ndarray
    gain_log: np.ndarray

    def on(self, bench: Bench, table: SkinTable) -> SkinEdit:
        """In the table's second row; its first one stays without maps."""
        table.put(1, self.maps.maps, self.maps.mixing, self.maps.colour)
        numbers = (np.float32(self.offset)[None], np.float32(self.gain_log)[None])
        return SkinEdit(bench.put(np.ones(1, np.int32)), *(bench.put(part) for part in numbers))


def room_on(bench: Bench, room: Room) -> RoomEdit:
    """Of one face."""
    rooms, distances = np.zeros(1, blocks.ROOM), np.full((1, ROOM_PLACES), np.nan, np.float32)
    put_room(rooms[0], distances[0], room)
    return RoomEdit(bench.put(rooms), bench.put(distances))


class Warped:
    """One face through the warp's kernels: the report, the soft flow, and the picture with its box pasted."""

    def __init__(
        self,
        bench: Bench,
        mesh: MeshTopology,
        rgb: np.ndarray,
        points_px: np.ndarray,
        offset_px: np.ndarray,
        iod_px: float,
        region: Box | None = None,
        skin: Skin | None = None,
        room: Room | None = None,
    ) -> None:
        height, width = rgb.shape[:2]
        x0, y0, x1, y1 = region or (0, 0, width, height)
        where = {"region_x": x0, "region_y": y0, "region_width": x1 - x0, "region_height": y1 - y0}
        source = padded_rows(rgb[y0:y1, x0:x1])
        pitch = source.shape[1]
        table = SkinTable(bench.device, bench.stream, 2)
        warp = Warp(bench.device, bench.stream, mesh, skins=table)
        changed = bench.empty(source.shape, np.uint8)
        soften = block(blocks.SOFTEN, picture_width=width, picture_height=height, **where)
        resample = block(blocks.RESAMPLE, source_pitch=pitch, changed_pitch=pitch, **where)
        moved = (bench.put(points_px[None]), bench.put(offset_px[None]), bench.put(np.float32([iod_px])))
        edit = None if skin is None else skin.on(bench, table)
        rooms = None if room is None else room_on(bench, room)
        warp.find_flow(bench.stream, *moved, bench.put(soften), edit, rooms)
        warp.resample(bench.stream, bench.put(resample), bench.put(source), changed)
        bench.stream.wait()
        self.vertices, self.flows = warp._vertices.array[0], warp._flows.array[0]
        self.report = warp.reports.array[0]
        cells = (int(self.report["rows"]), int(self.report["columns"]))
        self.flow = warp.soft.array[0, : cells[0] * cells[1]].reshape(*cells, 2)
        self.gain = warp.gain.array[0, : cells[0] * cells[1]].reshape(cells)
        self.box: Box = tuple(int(self.report[name]) for name in ("x0", "y0", "x1", "y1"))
        self.wanted: Box = tuple(int(self.report[f"wanted_{name}"]) for name in ("x0", "y0", "x1", "y1"))
        self.rgb = rgb.copy()
        x0, y0, x1, y1 = self.box
        if x1 > x0:
            inside = changed.array[: y1 - y0, : 3 * (x1 - x0)]
            self.rgb[y0:y1, x0:x1] = inside.reshape(y1 - y0, x1 - x0, 3)
