"""Heaps of triangles, and the kernels that draw them on a grid, as `Warp.find_flow` launches them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtfilter.kernels import blocks
from rtfilter.kernels.cpu.rasterise import rasterise_flow, soften_flow
from rtfilter.kernels.warp import FLOW_BLOCK, GRID_CELLS, MESH_VERTICES_MAX, RASTER_BLOCK, RASTER_LANES
from rtfilter.system.arrays import Box
from tests.kernels.on_host import Bench, block

SIZE = (4000, 3000)  # of the picture
ALL = Box(0, 0, *SIZE)


@dataclass
class Heap:
    """Triangles on a grid: vertices float32 [V, 3] in cells, offsets [V, 2], triangles [T, 3], labels [T]."""

    vertices: np.ndarray
    offsets: np.ndarray
    triangles: np.ndarray
    labels: np.ndarray
    grid: tuple[int, int]


@dataclass
class Drawn:
    flow: np.ndarray
    label: np.ndarray
    soft: np.ndarray
    report: np.ndarray
    keys: np.ndarray


def heap(seed: int, triangles: int, grid: tuple[int, int], fine: float = 8.0) -> Heap:
    """Corners on a lattice of 1 / `fine` cells, so that areas are exact and edges run through centres."""
    rng = np.random.default_rng(seed)
    rows, columns = grid
    count = min(3 * triangles, MESH_VERTICES_MAX)
    places = rng.integers(-int(fine * 4), int(fine * (max(grid) + 4)), (count, 2)) / fine
    vertices = np.column_stack([places, rng.normal(0, 10, count)]).astype(np.float32)
    corners = rng.permuted(np.arange(3 * triangles) % count).reshape(-1, 3).astype(np.int32)
    offsets = rng.normal(0, 3, (count, 2)).astype(np.float32)
    return Heap(vertices, offsets, corners, rng.integers(0, 6, triangles, dtype=np.uint8), (rows, columns))


def on_cpu(heap: Heap) -> Drawn:
    flow, soft = np.empty((*heap.grid, 2), np.float32), np.empty((*heap.grid, 2), np.float32)
    label, depth = np.empty(heap.grid, np.uint8), np.empty(heap.grid, np.float32)
    shown = np.empty(heap.grid, np.int32)
    rasterise_flow(heap.vertices, heap.offsets, heap.triangles, heap.labels, flow, label, depth, shown)
    soften_flow(flow, label, soft)
    return Drawn(flow, label, soft, np.empty(0), depth)


class Grids:
    """The grids' memory of a batch, as `Warp` has it; it can be drawn on again and again."""

    def __init__(self, bench: Bench, batch: int = 1) -> None:
        self.bench, self.batch = bench, batch
        self.keys = bench.empty((batch, GRID_CELLS), np.uint64)
        self.flow = bench.empty((batch, GRID_CELLS, 2), np.float32)
        self.soft = bench.empty((batch, GRID_CELLS, 2), np.float32)
        self.labels = bench.empty((batch, GRID_CELLS), np.uint8)
        # Nothing is lit: of these, nothing is read.
        self.free = (bench.empty(batch, blocks.ROOM), bench.empty(1, np.float32))
        self.dark = (bench.empty(batch, blocks.SKIN_LIGHT), *(bench.empty(1, np.float32) for _ in range(3)))

    def draw(
        self,
        heaps: list[Heap],
        origin: tuple[float, float, float] = (0.0, 0.0, 1.0),
        region: Box = ALL,
        size: tuple[int, int] = SIZE,
        blocks_of_flow: int = 5,
    ) -> list[Drawn]:
        """All heaps have the triangles and labels of the first."""
        bench, batch = self.bench, self.batch
        reports = np.concatenate(
            [
                block(
                    blocks.REPORT,
                    corner_x_px=origin[0],
                    corner_y_px=origin[1],
                    cell_px=origin[2],
                    rows=one.grid[0],
                    columns=one.grid[1],
                    left=515,
                    top=515,
                    right=-1,
                    bottom=-1,
                )
                for one in heaps
            ]
        )
        vertices = np.full((batch, MESH_VERTICES_MAX, 4), np.nan, np.float32)
        flows = np.full((batch, MESH_VERTICES_MAX, 2), np.nan, np.float32)
        for n, one in enumerate(heaps):
            vertices[n, : len(one.vertices), :3], flows[n, : len(one.offsets)] = one.vertices, one.offsets
        corners = np.column_stack([heaps[0].triangles, heaps[0].labels]).astype(np.int32)
        soften = block(
            blocks.SOFTEN,
            picture_width=size[0],
            picture_height=size[1],
            region_x=region.x0,
            region_y=region.y0,
            region_width=region.x1 - region.x0,
            region_height=region.y1 - region.y0,
        )
        heads, put, drawn = bench.put(reports), bench.put(vertices), bench.put(flows)
        triangles = bench.put(corners)
        launch, count = bench.stream.launch, len(corners)
        grid = (-(-count // (RASTER_BLOCK // RASTER_LANES)), 1, batch)
        launch(
            "rasterise_flow", grid, (RASTER_BLOCK, 1, 1), heads, put, triangles, self.keys, np.int32(count)
        )
        grid, threads = (blocks_of_flow, 1, batch), (FLOW_BLOCK, 1, 1)
        memory = (self.keys, self.flow, self.labels)
        dark = (*self.dark, np.int32(0), self.dark[1])
        launch("interpolate_flow", grid, threads, heads, put, drawn, triangles, *memory, *dark)
        softens = bench.put(np.repeat(soften, batch))
        grids = (self.flow, self.labels, self.soft, *self.dark[1:3])
        launch("soften_flow", grid, threads, softens, heads, *grids, *self.free)
        bench.stream.wait()
        made = []
        for n, one in enumerate(heaps):
            cells = one.grid[0] * one.grid[1]
            flow, soft = (
                grid.array[n, :cells].reshape(*one.grid, 2).copy() for grid in (self.flow, self.soft)
            )
            label = self.labels.array[n, :cells].reshape(one.grid).copy()
            made.append(Drawn(flow, label, soft, heads.array[n].copy(), self.keys.array[n]))
        return made
