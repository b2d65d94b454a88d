"""What streams remember, from frame to frame, in a table on the device: rows out of it and back into it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtfilter.kernels.device import DeviceArray, Stream
from rtfilter.kernels.launch import batch_of, check_memory, whole

F32 = npt.NDArray[np.float32]

# `CarryParameters` of carry.cu: the row that is read (negative: a new stream, all zero), and the one written.
CARRY = np.dtype([("from", "i4"), ("to", "i4")])
CARRY_BLOCK = 256


def carry_out(stream: Stream, parameters: DeviceArray, table: DeviceArray, state: DeviceArray) -> None:
    """state[b] = table[from of b]. parameters: CARRY [B]. table: float32 [R, S]. state: float32 [B, S]."""
    _launch(stream, "carry_out", parameters, state, (table, state))


def carry_back(stream: Stream, parameters: DeviceArray, state: DeviceArray, table: DeviceArray) -> None:
    """table[to of b] = state[b]; as `carry_out`. No two of a batch may name one row."""
    _launch(stream, "carry_back", parameters, state, (state, table))


def carry_twin(parameters: npt.NDArray[np.void], table: F32, state: F32) -> F32:
    """What both do on the processor: the states read from `table`, which then gets the new ones."""
    read = np.where(parameters["from"][:, None] < 0, 0.0, table[np.maximum(parameters["from"], 0)])
    table[parameters["to"]] = state
    return np.asarray(read, np.float32)


def _launch(
    stream: Stream,
    kernel: str,
    parameters: DeviceArray,
    state: DeviceArray,
    order: tuple[DeviceArray, DeviceArray],
) -> None:
    batch = batch_of(parameters, CARRY)
    size = state.shape[-1]
    for array in order:
        check_memory("state and table", array, np.float32, (array.shape[0], size))
    if state.shape[0] != batch:
        raise ValueError(f"state: expected [{batch}, {size}], got {list(state.shape)}")
    grid = (whole(size, CARRY_BLOCK), 1, batch)
    stream.launch(kernel, grid, (CARRY_BLOCK, 1, 1), parameters, *order, np.int32(size))
