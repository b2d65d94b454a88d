"""A device whose memory can be looked at as the host device's can: so the kernels' tests run on a GPU too.

KERNELS_ON=cuda python -m pytest tests/kernels
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.kernels.device import Device, DeviceArray, HostArray, Shape, Stream


class ReadableArray:
    """Device memory; `array` fetches a copy of it."""

    def __init__(self, device: ReadableDevice, inner: DeviceArray) -> None:
        self._device, self._inner = device, inner
        self.shape, self.dtype, self.nbytes = inner.shape, inner.dtype, inner.nbytes
        self.pointer = inner.pointer

    @property
    def array(self) -> npt.NDArray[Any]:
        return self._device.fetched(self._inner)

    def part(self, offset_bytes: int, shape: Shape, dtype: npt.DTypeLike) -> ReadableArray:
        return ReadableArray(self._device, self._inner.part(offset_bytes, shape, dtype))


class ReadableDevice:
    """Any device, with readable memory."""

    def __init__(self, inner: Device) -> None:
        self._inner, self.index = inner, inner.index
        self._stream = inner.stream()

    def fetched(self, memory: DeviceArray) -> npt.NDArray[Any]:
        """A copy of what lies there now."""
        host = self._inner.pinned(memory.shape, memory.dtype)
        self._stream.download(host, memory)
        self._stream.wait()
        return np.array(host)

    def empty(self, shape: Shape, dtype: npt.DTypeLike) -> ReadableArray:
        return ReadableArray(self, self._inner.empty(shape, dtype))

    def pinned(self, shape: Shape, dtype: npt.DTypeLike) -> HostArray:
        return self._inner.pinned(shape, dtype)

    def mapped(self, shape: Shape, dtype: npt.DTypeLike) -> tuple[HostArray, DeviceArray]:
        host, memory = self._inner.mapped(shape, dtype)
        return host, ReadableArray(self, memory)

    def current(self) -> AbstractContextManager[None]:
        return self._inner.current()

    def stream(self) -> Stream:
        return self._inner.stream()

    def close(self) -> None:
        self._inner.close()
