"""The CPU renderer: displacement and frame to frame; pixels that do not move stay as they are.

Called by `filter` and by the demo.
"""

from __future__ import annotations

import math
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtfilter.colour import YuvSpec
from rtfilter.face import landmarks as lm
from rtfilter.face.deform import Displacement
from rtfilter.frame import Frame
from rtfilter.kernels.cpu import rasterise, resample
from rtfilter.kernels.cpu.extend import place_on_grid
from rtfilter.planes import Planes
from rtfilter.render.helper import HelperThread
from rtfilter.render.mesh import RingedMesh
from rtfilter.render.surface import STILL_PX, Surface, Warp, surface_of
from rtfilter.system.arrays import Box

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

CELLS_PER_IOD = 48  # one grid cell is about 1.9 mm of face, whatever the resolution
GRID_MAX = 512
# A face larger than this carries no detail at the scale of single pixels (lens, compression), so that four
# filter taps keep its sharpness as six do, at a third of the cost.
LARGE_IOD_PX = 130.0


class CpuRenderer:
    """Renders on two threads; one instance serves one stream."""

    def __init__(self, mesh: RingedMesh) -> None:
        self._mesh = mesh
        weights = {taps: resample.filter_weights(taps) for taps in (4, 6)}
        self._filters = {taps: (weights[taps], resample.lane_weights(weights[taps])) for taps in weights}
        self._helper = HelperThread("rtfilter-render")
        self._memory = _Grids.of(160 * 128)
        self._prepare_reach: Box | None = None
        self._prepared: tuple[Frame, Box, Future[Surface]] | None = None

    def close(self) -> None:
        self._helper.close()

    def warm_up(self) -> None:
        """Compile (or load from Numba's cache) every kernel, so that the first frame does not wait."""
        points = np.zeros((lm.LANDMARK_COUNT, 3), np.float32)
        points[:, :2] = np.linspace(8, 56, 2 * lm.LANDMARK_COUNT, dtype=np.float32).reshape(-1, 2)
        offset = np.full((lm.LANDMARK_COUNT, 2), 1.0, np.float32)
        rgb = np.zeros((64, 64, 3), np.uint8)
        chroma = np.zeros((32, 32), np.uint8)
        planes = Planes(rgb[:, :, 0].copy(), chroma, chroma, (1, 1), YuvSpec("bt709", full_range=False))
        for pixels in (rgb, planes):
            self.render(Frame(pixels), Displacement(points, offset, 16.0))

    def render(self, frame: Frame, displacement: Displacement) -> Frame:
        """`frame` with the face moved; the same array where nothing moves."""
        if float(np.abs(displacement.offset_px).max(initial=0.0)) < STILL_PX:
            return frame.unchanged()
        flow, origin = self.flow(displacement)
        box = _moved_box(flow, origin, frame.width, frame.height)
        if box is None:
            return frame.unchanged()
        reach = _grown(box, 1 / 16, frame.width, frame.height)
        surface = self._surface_of(frame, reach)
        # Measured on eight clips: no next box needed more.
        self._prepare_reach = _grown(box, 1 / 8, frame.width, frame.height)
        warp = Warp(flow, origin, *self._filters[4 if displacement.iod_px > LARGE_IOD_PX else 6])
        progress = np.array([box.y0, box.y1], np.int32)

        def paint(from_top: bool) -> None:
            surface.paint(warp, box, progress, from_top)

        self._helper.step_aside()
        below = self._helper.submit(paint, False)
        paint(True)
        # A helper that has not started by now has nothing left to do.
        if not below.cancel():
            below.result()
        return frame.filtered(surface.painted, box)

    def prepare(self, frame: Frame) -> None:
        """Copy the frame that `render` gets next, and convert the planes it needs, while the tracker runs."""
        reach = self._prepare_reach
        self._prepared = None
        if reach is not None:
            self._prepared = (frame, reach, self._helper.submit(surface_of, frame, reach))

    def _surface_of(self, frame: Frame, reach: Box) -> Surface:
        """The frame's surface, prepared for at least `reach`."""
        if self._prepared is not None and self._prepared[0] is frame:
            _, ready, surface = self._prepared
            if (
                ready.x0 <= reach.x0
                and ready.y0 <= reach.y0
                and ready.x1 >= reach.x1
                and ready.y1 >= reach.y1
            ):
                self._prepared = None
                return surface.result()
        return surface_of(frame, reach)

    def _grids(self, rows: int, columns: int) -> tuple[F32, F32, U8, F32]:
        """Flow, softened flow, labels and depth for a grid; the next call returns the same memory."""
        cells = rows * columns
        if len(self._memory.labels) < cells:
            self._memory = _Grids.of(cells + cells // 4)
        numbers = self._memory.numbers
        flow, soft, depth = (
            numbers[: 2 * cells],
            numbers[2 * cells : 4 * cells],
            numbers[4 * cells : 5 * cells],
        )
        grid, pairs = (rows, columns), (rows, columns, 2)
        return (
            flow.reshape(pairs),
            soft.reshape(pairs),
            self._memory.labels[:cells].reshape(grid),
            depth.reshape(grid),
        )

    def flow(self, displacement: Displacement) -> tuple[F32, F32]:
        """Backward flow float32 [gh, gw, 2] in pixels, and the grid's corner and cell size [3] in pixels.

        The next call writes into the same memory.
        """
        vertices, offsets = self._mesh.extend(displacement)
        low_x, low_y = vertices[:, 0].min(), vertices[:, 1].min()
        wide, tall = float(vertices[:, 0].max() - low_x), float(vertices[:, 1].max() - low_y)
        cell = max(1.0, displacement.iod_px / CELLS_PER_IOD, max(wide, tall) / GRID_MAX)
        x, y = math.floor(low_x) - cell, math.floor(low_y) - cell
        columns, rows = math.ceil(wide / cell) + 3, math.ceil(tall / cell) + 3
        place_on_grid(vertices, offsets, x, y, cell)
        flow, soft, label, depth = self._grids(rows, columns)
        rasterise.rasterise_flow(
            vertices, offsets, self._mesh.triangles, self._mesh.labels, flow, label, depth
        )
        rasterise.soften_flow(flow, label, soft)
        return soft, np.array([x, y, cell], np.float32)


@dataclass
class _Grids:
    """Memory of the grids, reused by every frame: fresh pages cost as much as filling them."""

    numbers: F32
    labels: U8

    @classmethod
    def of(cls, cells: int) -> _Grids:
        return cls(np.empty(5 * cells, np.float32), np.empty(cells, np.uint8))


def _grown(box: Box, share: float, width: int, height: int) -> Box:
    """`box` with a margin of `share` of its longer side, within the picture."""
    margin = int(share * max(box.x1 - box.x0, box.y1 - box.y0)) + 1
    return Box(
        max(box.x0 - margin, 0),
        max(box.y0 - margin, 0),
        min(box.x1 + margin, width),
        min(box.y1 + margin, height),
    )


def _moved_box(flow: F32, origin: F32, width: int, height: int) -> Box | None:
    """The even-aligned box of pixels that the flow can change, within the picture; None without any."""
    left, top, right, bottom = rasterise.moving_extent(flow, STILL_PX * 0.7)
    if right < left:
        return None
    corner_x, corner_y, cell = (float(v) for v in origin)
    # One cell more on every side: pixels between a moving and a still cell move a little.
    x0 = int(np.floor(corner_x + (left - 0.5) * cell)) & ~1
    y0 = int(np.floor(corner_y + (top - 0.5) * cell)) & ~1
    x1 = (int(np.ceil(corner_x + (right + 1.5) * cell)) + 1) & ~1
    y1 = (int(np.ceil(corner_y + (bottom + 1.5) * cell)) + 1) & ~1
    box = Box(max(x0, 0), max(y0, 0), min(x1, width), min(y1, height))
    return box if box.x0 < box.x1 and box.y0 < box.y1 else None
