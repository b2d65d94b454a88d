"""A device whose memory is the host's and whose work is done when it is queued."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt


class ImmediateArray:
    def __init__(self, array: npt.NDArray[Any]) -> None:
        self.array = array
        self.shape, self.dtype, self.nbytes = array.shape, array.dtype, array.nbytes
        self.pointer = int(array.ctypes.data)


class ImmediateStream:
    pointer = 7

    def __init__(self) -> None:
        self.waits = 0

    def upload(self, to: ImmediateArray, of: npt.NDArray[Any]) -> None:
        to.array[...] = of

    def download(self, to: npt.NDArray[Any], of: ImmediateArray) -> None:
        to[...] = of.array

    def wait(self) -> None:
        self.waits += 1


class ImmediateDevice:
    name = "immediate"
    index = 0

    def __init__(self) -> None:
        self.made_bytes = 0

    def empty(self, shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> ImmediateArray:
        array = np.zeros(shape, dtype)
        self.made_bytes += array.nbytes
        return ImmediateArray(array)

    def pinned(self, shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        return np.zeros(shape, dtype)

    def current(self) -> AbstractContextManager[None]:
        return nullcontext()

    def stream(self) -> ImmediateStream:
        return ImmediateStream()
