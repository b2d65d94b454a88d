"""`Parts`: many small arrays in one buffer, alike on host and device, so that one copy carries them all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.kernels.device import Device, DeviceArray, HostArray

ALIGNMENT = 256
Layout = Mapping[str, tuple[tuple[int, ...], npt.DTypeLike]]


class Parts:
    """host, device: the arrays by name. Behind them comes `tail`, as large as was asked for."""

    def __init__(self, device: Device, layout: Layout, tail_bytes: int = 0) -> None:
        """layout: shape and dtype by name, in order of memory."""
        offsets, self.tail_offset = {}, 0
        for name, (shape, dtype) in layout.items():
            offsets[name] = self.tail_offset
            size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            self.tail_offset += -(-size // ALIGNMENT) * ALIGNMENT
        whole = self.tail_offset + tail_bytes
        self.pinned = device.pinned(whole, np.uint8)
        self.memory = device.empty(whole, np.uint8)
        self.host: dict[str, npt.NDArray[Any]] = {}
        self.device: dict[str, DeviceArray] = {}
        for name, (shape, dtype) in layout.items():
            first, kind = offsets[name], np.dtype(dtype)
            size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
            self.host[name] = self.pinned[first : first + size].view(kind).reshape(shape)
            self.device[name] = self.memory.part(first, shape, kind)

    @property
    def tail(self) -> HostArray:
        """The rest of the host's side, uint8."""
        return self.pinned[self.tail_offset :]

    def first(self, tail_bytes: int) -> tuple[DeviceArray, HostArray]:
        """Both sides up to `tail_bytes` of the tail, for one copy."""
        end = self.tail_offset + tail_bytes
        return self.memory.part(0, (end,), np.uint8), self.pinned[:end]
