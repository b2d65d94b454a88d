"""`HostDevice`: the processor as a `Device`, with NumPy memory and the CUDA kernels run through the shim.

It is stricter than a GPU where that finds mistakes. Work runs at `wait` and no earlier, so a result that is
read too soon is missing. Memory has guards on both sides, and a kernel that wrote over them is an error.
"""

from __future__ import annotations

import ctypes
import math
import time
from bisect import bisect_right, insort
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.errors import GpuError
from rtfilter.kernels import source
from rtfilter.kernels.device import Argument, DeviceArray, Extent, Graph, HostArray, Mark, Shape
from rtfilter.kernels.memory import (
    capturing,
    check_copy,
    check_no_capture,
    checked_shape,
    packed_arguments,
    part_of,
    size_of,
)
from tests.host_gpu import build as host_build

GUARD_BYTES = 256
_GUARD_VALUE = 0xA5
_DIVERGED = 1
MOST_THREADS = 1024  # of one block, on every GPU

Work = Callable[[], object]


class Pinned:
    """The host memory that is pinned: copies of other memory are slow, and never asynchronous."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int]] = []

    def add(self, array: HostArray) -> None:
        first, end = array.ctypes.data, array.ctypes.data + array.nbytes
        # Memory that overlaps was freed, and its place used again.
        self._spans = [span for span in self._spans if span[1] <= first or span[0] >= end]
        insort(self._spans, (first, end))

    def check(self, array: HostArray) -> None:
        """ValueError unless all of it was made by the device."""
        first = array.ctypes.data
        at = bisect_right(self._spans, (first, 1 << 64)) - 1
        if array.nbytes and (at < 0 or first + array.nbytes > self._spans[at][1]):
            raise ValueError(f"{array.dtype} {list(array.shape)} is not memory of Device.pinned or mapped")


class HostDeviceArray:
    """Memory of the host device; `array` is what it holds."""

    def __init__(self, array: HostArray, guarded: npt.NDArray[np.uint8]) -> None:
        self.array = array
        self._guarded = guarded

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def nbytes(self) -> int:
        return self.array.nbytes

    @property
    def pointer(self) -> int:
        return int(self.array.ctypes.data)

    def part(self, offset_bytes: int, shape: Shape, dtype: npt.DTypeLike) -> HostDeviceArray:
        dims, kind = part_of(self, offset_bytes, shape, dtype)
        flat = self.array.reshape(-1).view(np.uint8)
        inside = flat[offset_bytes : offset_bytes + size_of(dims, kind)]
        return HostDeviceArray(inside.view(kind).reshape(dims), self._guarded)

    def check_guards(self) -> None:
        """GpuError where something was written just before or behind this memory."""
        before, behind = self._guarded[:GUARD_BYTES], self._guarded[-GUARD_BYTES:]
        if (before != _GUARD_VALUE).any() or (behind != _GUARD_VALUE).any():
            before[:] = behind[:] = _GUARD_VALUE
            raise GpuError(
                f"something was written outside the device memory {self.dtype} {list(self.shape)}: "
                "its size does not fit the kernel's parameters"
            )


class HostGraph:
    def __init__(self, stream: HostStream, work: list[Work]) -> None:
        self._stream = stream
        self._work = work

    def launch(self) -> None:
        self._stream.queue(self._work)


class HostMark:
    at_s: float | None = None

    def reach(self) -> None:
        self.at_s = time.perf_counter()

    def since_ms(self, earlier: Mark) -> float:
        if not isinstance(earlier, HostMark) or self.at_s is None or earlier.at_s is None:
            raise ValueError("a mark has no time yet: call the stream's wait() first")
        return (self.at_s - earlier.at_s) * 1e3


class HostStream:
    """Keeps what is queued, and does it at `wait`, in order. backwards: see shim.h."""

    pointer = 0

    def __init__(self, device: HostDevice, backwards: bool) -> None:
        self._device = device
        self._backwards = backwards
        self._queue: list[Work] = []
        self._recorded: list[Work] | None = None

    def queue(self, work: list[Work]) -> None:
        self._device.check_open()
        (self._queue if self._recorded is None else self._recorded).extend(work)

    def upload(self, to: DeviceArray, of: HostArray) -> None:
        check_copy(to, of)
        self._device.pins.check(of)
        self.queue([partial(ctypes.memmove, to.pointer, of.ctypes.data, of.nbytes), partial(_keep, to, of)])

    def download(self, to: HostArray, of: DeviceArray) -> None:
        check_copy(of, to)
        self._device.pins.check(to)
        self.queue([partial(ctypes.memmove, to.ctypes.data, of.pointer, to.nbytes), partial(_keep, of, to)])

    def launch(self, kernel: str, grid: Extent, block: Extent, *arguments: Argument) -> None:
        extents = checked_extents(kernel, grid, block)
        if kernel not in source.kernel_names():
            raise ValueError(f"no kernel {kernel!r}: known are {', '.join(source.kernel_names())}")
        library = host_build.library()
        packed = packed_arguments(arguments)
        _check_sizes(library, kernel, [len(part) for part in packed])
        slots = [ctypes.create_string_buffer(part, len(part)) for part in packed]
        pointers = (ctypes.c_void_p * len(slots))(*(ctypes.addressof(slot) for slot in slots))
        run = partial(library[f"shim_launch_{kernel}"], pointers, extents, int(self._backwards))
        memory = [array for array in arguments if isinstance(array, HostDeviceArray)]
        self.queue([partial(_run, kernel, run, memory, slots)])

    def call(self, work: Callable[[], None]) -> None:
        self.queue([work])

    def capture(self, record: Callable[[], None]) -> Graph:
        with capturing():
            self._recorded = []
            try:
                record()
                return HostGraph(self, self._recorded)
            finally:
                self._recorded = None

    def mark(self) -> Mark:
        check_no_capture("a mark")
        mark = HostMark()
        self.queue([mark.reach])
        return mark

    def wait(self) -> None:
        check_no_capture("waiting")
        work, self._queue = self._queue, []
        for step in work:
            step()


class HostDevice:
    """backwards: run threads and blocks in the opposite order, which must change no result."""

    index = 0

    def __init__(self, backwards: bool = False) -> None:
        self._backwards = backwards
        self._open = True
        self.pins = Pinned()
        host_build.find_compiler()

    def check_open(self) -> None:
        if not self._open:
            raise ValueError("this device is closed")

    def empty(self, shape: Shape, dtype: npt.DTypeLike) -> HostDeviceArray:
        self.check_open()
        check_no_capture("making memory")
        dims, kind = checked_shape(shape, dtype)
        size = size_of(dims, kind)
        whole = np.full(size + 2 * GUARD_BYTES + GUARD_BYTES, _GUARD_VALUE, np.uint8)
        first = -(whole.ctypes.data + GUARD_BYTES) % GUARD_BYTES
        guarded = whole[first : first + size + 2 * GUARD_BYTES]
        inside = guarded[GUARD_BYTES : GUARD_BYTES + size]
        inside[:] = 0
        return HostDeviceArray(inside.view(kind).reshape(dims), guarded)

    def pinned(self, shape: Shape, dtype: npt.DTypeLike) -> HostArray:
        return self.mapped(shape, dtype)[0]

    def mapped(self, shape: Shape, dtype: npt.DTypeLike) -> tuple[HostArray, DeviceArray]:
        memory = self.empty(shape, dtype)
        self.pins.add(memory.array)
        return memory.array, memory

    def current(self) -> AbstractContextManager[None]:
        return nullcontext()

    def stream(self) -> HostStream:
        self.check_open()
        return HostStream(self, self._backwards)

    def close(self) -> None:
        self._open = False


def checked_extents(kernel: str, grid: Extent, block: Extent) -> Any:
    """Both as six C unsigned ints. ValueError for what no GPU can launch."""
    threads = math.prod(block)
    if min(*grid, *block) < 1 or threads > MOST_THREADS or max(grid[1:]) > 65535 or grid[0] >= 1 << 31:
        raise ValueError(f"kernel {kernel}: cannot launch {grid} blocks of {block} threads")
    return (ctypes.c_uint * 6)(*grid, *block)


def _keep(*_memory: object) -> None:
    """Holds memory alive until the copy before it is done."""


def _run(kernel: str, run: Callable[[], int], memory: list[HostDeviceArray], _slots: object) -> None:
    if run() == _DIVERGED:
        raise GpuError(f"kernel {kernel}: threads of a block wait at different barriers; a GPU would hang")
    for array in memory:
        array.check_guards()


def _check_sizes(library: ctypes.CDLL, kernel: str, sizes: list[int]) -> None:
    """ValueError unless the arguments' sizes are those of the kernel's parameters."""
    room = (ctypes.c_uint * 32)()
    count = library[f"shim_arguments_{kernel}"](room, ctypes.c_ulong(32))
    wanted = list(room[:count])
    if wanted != sizes:
        raise ValueError(f"kernel {kernel}: expected arguments of {wanted} bytes, got {sizes}")
