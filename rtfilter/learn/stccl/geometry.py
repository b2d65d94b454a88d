"""Regions of a face at several levels: nodes of the landmark mesh, or cells of a grid.

A level has N regions; each region has 8 neighbours and gathers from regions of the finer level. Called by
`stccl.mesh_encoder` and `stccl.image_encoder`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

NEIGHBOURS = 8
GATHERED = 6  # finer regions that a region gathers
PATCH = 12  # landmarks that a region of the finest level looks at
# Lips and lids move most within the smallest space: distances there count so much more when nodes are spread.
FINE_PARTS = 2.0
# Added to the moments of a patch, so that a flat patch has a gradient across itself of 0 and not of noise.
_FLAT = 0.05


@dataclass(frozen=True)
class MeshLevels:
    """Regions on the landmark mesh, finest level first.

    nodes: int64 [N], the landmark in each region's middle, spread so that any first few cover the face.
    neighbours: int64 [N, 8], nearest first. gather: float32 [N, N of the finer level], rows sum to 1; of the
    first level None. patches: int64 [N, 12], landmarks of a region of the first level. gradient: float32
    [N, 3, 12], takes a patch's displacements to their gradient in x, y and z.
    """

    nodes: tuple[I64, ...]
    neighbours: tuple[I64, ...]
    gather: tuple[F32 | None, ...]
    patches: I64
    gradient: F32


def mesh_levels(mean_iod: npt.NDArray[np.floating[Any]], counts: Sequence[int]) -> MeshLevels:
    """The levels of a mean face [478, 3] with `counts` regions each, falling, each at least 9."""
    points = np.asarray(mean_iod, np.float64)
    order = spread(points[: lm.SURFACE_COUNT], counts[0], _part_scale())
    nodes = tuple(order[:count] for count in counts)
    neighbours = tuple(_nearest(points[each], points[each], NEIGHBOURS + 1)[:, 1:] for each in nodes)
    gather: list[F32 | None] = [None]
    for finer, coarser in pairwise(nodes):
        gather.append(_gathering(points[coarser], points[finer]))
    patches = _nearest(points[nodes[0]], points[: lm.SURFACE_COUNT], PATCH)
    return MeshLevels(nodes, neighbours, tuple(gather), patches, _gradients(points, patches))


def spread(points: F64, count: int, scale: F64 | None = None) -> I64:
    """Indices [count] of points far from each other: each is the farthest from those before it.

    Starts at the point nearest to the middle. scale: how much the distance of a point counts.
    """
    chosen = [int(np.linalg.norm(points - points.mean(0), axis=1).argmin())]
    gap = np.full(len(points), np.inf)
    for _ in range(count - 1):
        gap = np.minimum(gap, np.linalg.norm(points - points[chosen[-1]], axis=1))
        chosen.append(int((gap if scale is None else gap * scale).argmax()))
    return np.array(chosen, np.int64)


def grid_neighbours(side: int) -> I64:
    """The 8 neighbours int64 [side^2, 8] of each cell of a square grid; beyond the edge, the cell itself."""
    cell = np.arange(side * side).reshape(side, side)
    row, column = np.divmod(cell.ravel(), side)
    steps = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
    beside = [
        np.where(
            (row + dy >= 0) & (row + dy < side) & (column + dx >= 0) & (column + dx < side),
            (row + dy) * side + column + dx,
            cell.ravel(),
        )
        for dy, dx in steps
    ]
    return np.asarray(np.stack(beside, 1), np.int64)


def grid_centres(side: int, count: int) -> I64:
    """Up to `count` inner cells of a square grid, spread over it: these have 8 real neighbours."""
    inner = np.arange(1, side - 1)
    cells = (inner[:, None] * side + inner[None]).ravel()
    points = np.stack([*np.divmod(cells, side), np.zeros(len(cells))], 1).astype(np.float64)
    return np.asarray(cells[spread(points, min(count, len(cells)))], np.int64)


def _part_scale() -> F64:
    """How much a distance at a landmark of the surface counts [468]."""
    scale = np.ones(lm.SURFACE_COUNT)
    parts = (
        lm.LIPS_INNER_UPPER, lm.LIPS_INNER_LOWER, lm.LIPS_OUTER_UPPER, lm.LIPS_OUTER_LOWER,
        lm.LIPS_CORNER_LEFT, lm.LIPS_CORNER_RIGHT, lm.EYE_LEFT_UPPER, lm.EYE_LEFT_LOWER,
        lm.EYE_RIGHT_UPPER, lm.EYE_RIGHT_LOWER,
    )  # fmt: skip
    scale[[index for part in parts for index in part]] = FINE_PARTS
    return scale


def _nearest(centres: F64, points: F64, count: int) -> I64:
    """Indices [len(centres), count] of the nearest points, nearest first."""
    distance = np.linalg.norm(centres[:, None] - points[None], axis=2)
    return np.asarray(np.argsort(distance, axis=1, kind="stable")[:, :count], np.int64)


def _gathering(coarser: F64, finer: F64) -> F32:
    nearest = _nearest(coarser, finer, GATHERED)
    distance = np.linalg.norm(coarser[:, None] - finer[nearest], axis=2)
    width = distance.mean(1, keepdims=True)
    weight = np.exp(-0.5 * np.square(distance / width))
    matrix = np.zeros((len(coarser), len(finer)))
    np.put_along_axis(matrix, nearest, weight / weight.sum(1, keepdims=True), axis=1)
    return matrix.astype(np.float32)


def _gradients(points: F64, patches: I64) -> F32:
    """argmin_G sum |d_j - mean d - G x_j|^2 + ridge |G|^2 as a matrix on the patch's displacements d."""
    offsets = points[patches] - points[patches].mean(1, keepdims=True)
    moments = np.einsum("njc,njd->ncd", offsets, offsets)
    ridge = _FLAT * np.trace(moments, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    return np.asarray(np.linalg.solve(moments + ridge, offsets.transpose(0, 2, 1)), np.float32)
