"""Skin maps on the device: a table of persons, and how an edit changes their skin. For `warp` and `gpu`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtfilter.kernels import blocks
from rtfilter.kernels.cpu.gain import quiet_gain
from rtfilter.kernels.device import Device, DeviceArray, Stream
from rtfilter.kernels.launch import check_memory

F32 = npt.NDArray[np.float32]

# Named alike in gain.cu; tests compare them.
SKIN_BLOCK = 256
SKIN_MAPS_MAX, SKIN_SIDE_MAX, SKIN_NUMBERS = 16, 256, 52
SKIN_TEXELS = SKIN_SIDE_MAX**2

SKIN_BLOCKS = 64  # of the texels of a face, which they go through in strides
STEPS = 32767  # of a map's largest gain


@dataclass(frozen=True, slots=True)
class SkinEdit:
    """How the skin of a batch of faces changes; on the device.

    persons: int32 [B], rows of the table. offset: float32 [B, 52], of the expression, which `mixing` turns
    into weights. gain_log: float32 [B, N], log gain at the landmarks.
    """

    persons: DeviceArray
    offset: DeviceArray
    gain_log: DeviceArray

    def check(self, batch: int, landmarks: int) -> None:
        """ValueError for memory of the wrong type or size."""
        check_memory("persons", self.persons, np.int32, (batch,))
        check_memory("offset", self.offset, np.float32, (batch, SKIN_NUMBERS))
        check_memory("gain_log", self.gain_log, np.float32, (batch, landmarks))

    def for_fewer(self, batch: int) -> SkinEdit:
        """The same for the first `batch` faces."""
        landmarks = self.gain_log.shape[1]
        return SkinEdit(
            self.persons.part(0, batch, np.int32),
            self.offset.part(0, (batch, SKIN_NUMBERS), np.float32),
            self.gain_log.part(0, (batch, landmarks), np.float32),
        )


class SkinTable:
    """The maps of several persons, 2 MiB each; every row is without maps until it is put.

    Attributes:
        rows: how many.
        arrays: as kernels take them: SKIN [rows], and the maps, int16 [rows, SKIN_MAPS_MAX * SKIN_TEXELS].
    """

    def __init__(self, device: Device, stream: Stream, rows: int) -> None:
        """Waits for the stream."""
        self.rows, self._stream = rows, stream
        self._skins = device.empty(rows, blocks.SKIN)
        self._maps = device.empty((rows, SKIN_MAPS_MAX * SKIN_TEXELS), np.int16)
        self._table = device.pinned(rows, blocks.SKIN)
        self._room = device.pinned(SKIN_MAPS_MAX * SKIN_TEXELS, np.int16)
        self._table["side"], self._table["colour"] = 1, 1.0
        self._table["quiet"] = quiet_gain(np.ones(3, np.float32))
        stream.upload(self._skins, self._table)
        stream.wait()

    @property
    def arrays(self) -> tuple[DeviceArray, DeviceArray]:
        return self._skins, self._maps

    def put(self, row: int, maps: F32, mixing: F32, colour: F32) -> None:
        """Replace a row, after what was queued before; waits. maps, mixing, colour: of `face.skin.SkinMaps`.

        ValueError for maps that do not fit.
        """
        count, side = len(maps), maps.shape[1]
        if count > SKIN_MAPS_MAX or not 1 <= side <= SKIN_SIDE_MAX or mixing.shape != (count, SKIN_NUMBERS):
            most = f"{SKIN_MAPS_MAX} of {SKIN_SIDE_MAX} x {SKIN_SIDE_MAX}"
            raise ValueError(f"skin maps: expected at most {most}, got {list(maps.shape)}")
        peak = np.abs(maps).max((1, 2), initial=0.0)
        step = np.maximum(peak, 1e-12) / STEPS
        self._room[: maps.size] = np.rint(maps / step[:, None, None]).ravel()
        block = self._table[row : row + 1]
        block[...] = np.zeros(1, blocks.SKIN)
        block["map_count"], block["side"], block["colour"] = count, side, colour
        block["quiet"] = quiet_gain(colour)
        block["step"][:, :count], block["peak"][:, :count] = step, peak
        block["mixing"][:, : mixing.size] = mixing.ravel()
        size = blocks.SKIN.itemsize
        room_bytes = 2 * self._room.size
        self._stream.upload(self._skins.part(row * size, (1,), blocks.SKIN), block)
        self._stream.upload(self._maps.part(row * room_bytes, self._room.shape, np.int16), self._room)
        self._stream.wait()
