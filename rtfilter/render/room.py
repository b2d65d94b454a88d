"""A displacement and its field within their room: `kernels.cpu.room` for `render.cpu`."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from rtfilter.face.deform import Displacement, Room
from rtfilter.face.visibility import PARTS, part_weights
from rtfilter.kernels.cpu.room import (
    FADE_CELLS,
    STILL_CELLS,
    STILL_MORE_PX,
    limit_field,
    limit_iris,
    limit_offsets,
)

F32 = npt.NDArray[np.float32]


@lru_cache(maxsize=1)
def shapes() -> F32:
    """How much of each landmark belongs to mouth and brows, which shrink whole: float32 [478, 3], 0..1."""
    columns = [PARTS.index(name) for name in ("mouth", "brow_right", "brow_left")]
    return np.ascontiguousarray(part_weights()[:, columns])


def still_px(cell: float) -> float:
    """The distance from what is held in which nothing moves, with cells of so many pixels."""
    return STILL_CELLS * cell + STILL_MORE_PX


def within_room(displacement: Displacement, cell: float) -> Displacement:
    """The same with every landmark's offset within the room of where it ends.

    So parts that landmarks carry, such as teeth and irises, agree with the flow around them. Mouth and brows
    keep their shape: see `shapes`. cell: of the flow's grid, in pixels.
    """
    room = displacement.room
    if room is None:
        return displacement
    offset = np.empty((len(displacement.offset_px), 2), np.float32)
    moved = (displacement.points_px, displacement.offset_px, *_arrays(room))
    limit_offsets(*moved, still_px(cell), shapes(), offset)
    return replace(displacement, offset_px=offset)


def limit(flow: F32, gain: F32, origin: F32, room: Room) -> None:
    """Flow and gain on a grid, see `render.cpu.Field`, within a room: in place."""
    cell = float(origin[2])
    limit_field(flow, gain, origin, *_arrays(room), still_px(cell), FADE_CELLS * cell)


def iris_share(record: F32, room: Room) -> float:
    """How much of an iris may be completed, 0..1; record: of `measure_iris`. 0 where any of it is held."""
    return float(limit_iris(record, *_arrays(room)))


def _arrays(room: Room) -> tuple[F32, F32]:
    matrix = np.ascontiguousarray(room.room_from_picture, np.float32)
    return np.ascontiguousarray(room.distance), matrix
