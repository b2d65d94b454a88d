"""Room to move of a batch of faces, on the device: what `limit.cu` reads. For `warp` and `gpu`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rtfilter.kernels import blocks
from rtfilter.kernels.device import Device, DeviceArray
from rtfilter.kernels.launch import check_memory

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

# Named alike in limit.cu; tests compare them.
LIMIT_BLOCK = 256
ROOM_SIDE_MAX = 96
ROOM_PLACES = ROOM_SIDE_MAX**2


@dataclass(frozen=True, slots=True)
class RoomEdit:
    """The rooms of a batch of faces.

    rooms: ROOM [B]. distances: float32 [B, ROOM_PLACES], in picture pixels, dense at the beginning.
    """

    rooms: DeviceArray
    distances: DeviceArray

    @classmethod
    def none(cls, device: Device, batch: int) -> RoomEdit:
        """Everything may move; memory on a device is zero at first."""
        return cls(device.empty(batch, blocks.ROOM), device.empty((batch, ROOM_PLACES), np.float32))

    def check(self, batch: int) -> None:
        """ValueError for memory of the wrong type or size."""
        check_memory("rooms", self.rooms, blocks.ROOM, (batch,))
        check_memory("distances", self.distances, np.float32, (batch, ROOM_PLACES))

    def for_fewer(self, batch: int) -> RoomEdit:
        """The same for the first `batch` faces."""
        distances = self.distances.part(0, (batch, ROOM_PLACES), np.float32)
        return RoomEdit(self.rooms.part(0, batch, blocks.ROOM), distances)


class RoomLike(Protocol):
    """See `face.deform.Room`."""

    @property
    def distance(self) -> F32: ...

    @property
    def room_from_picture(self) -> F64: ...


def put_room(block: npt.NDArray[np.void], distances: F32, room: RoomLike | None) -> None:
    """Fill a face's ROOM block and its row of distances, float32 [ROOM_PLACES]; None: everything may move.

    ValueError for a room with too many places.
    """
    block["side"] = 0
    if room is None:
        return
    side = len(room.distance)
    if not 2 <= side <= ROOM_SIDE_MAX:
        raise ValueError(f"room: expected 2 to {ROOM_SIDE_MAX} places a side, got {side}")
    block["side"], block["matrix"] = side, room.room_from_picture.ravel()
    distances[: side * side] = room.distance.ravel()
