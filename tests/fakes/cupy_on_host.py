"""As much of CuPy as kernels/cuda_*.py use, on the processor, so that they run without a GPU.

Memory is the host's, kernels run through the host shim, work happens when a stream is waited for, and
failures are CuPy's own exceptions. tests/kernels/test_cuda_device.py holds its names against the true CuPy.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from cupy.cuda.memory import OutOfMemoryError
from cupy_backends.cuda.api.runtime import CUDARuntimeError

from tests.host_gpu import build as host_build

UNIT = 512  # CuPy rounds sizes up to it
STICKY = {214, *range(700, 720), 999}  # after these, the process's hold on the GPU is of no more use


class Gpu:
    """The pretended GPU. fail: the status that the next call raises; 0 for none. late: it shows only when a
    stream is waited for, as failures of kernels do."""

    def __init__(self, capability: tuple[int, int] = (8, 9), name: bytes = b"NVIDIA Pretended") -> None:
        self.capability, self.name = capability, name
        self.fail = self.late = 0
        self.memory_bytes = 0  # what a device may take; 0 for no limit
        self.stuck = 0  # what every call raises once a kernel has failed, also those that only switch GPUs
        self.thread = threading.local()  # each has its own GPU
        self.loaded: bytes = b""
        self.loads: list[int] = []  # functions whose attributes were read, which loads them

    @property
    def current(self) -> int:
        return getattr(self.thread, "current", 0)

    def check(self) -> None:
        if self.fail:
            status, self.fail = self.fail, 0
            self.raise_(status)
        if self.stuck:
            raise CUDARuntimeError(self.stuck)

    def raise_(self, status: int) -> None:
        self.stuck = status if status in STICKY else 0
        raise CUDARuntimeError(status)


class Stream:
    def __init__(self, gpu: Gpu, non_blocking: bool = False) -> None:
        gpu.check()
        assert non_blocking, "a blocking stream waits for CuPy's own"
        self.gpu, self.ptr = gpu, id(self)
        self.work: list[Callable[[], object]] = []
        self.recorded: list[Callable[[], object]] | None = None

    def queue(self, work: Callable[[], object]) -> None:
        self.gpu.check()
        assert self.gpu.current > 0, "the GPU is not the thread's own"
        (self.work if self.recorded is None else self.recorded).append(work)

    def begin_capture(self) -> None:
        self.gpu.check()
        assert self.recorded is None
        self.recorded = []

    def end_capture(self) -> Graph:
        recorded, self.recorded = self.recorded, None
        self.gpu.check()
        assert recorded is not None
        return Graph(recorded)

    def record(self, event: Event) -> Event:
        self.queue(event.reach)
        return event

    def synchronize(self) -> None:
        self.gpu.check()
        assert self.recorded is None, "synchronising while capturing"
        work, self.work = self.work, []
        for step in work:
            step()
        if self.gpu.late:
            self.gpu.raise_(self.gpu.late)


class Graph:
    def __init__(self, work: list[Callable[[], object]]) -> None:
        self.work = work
        self.uploaded = False

    def upload(self, stream: Stream) -> None:
        self.uploaded = True

    def launch(self, stream: Stream) -> None:
        assert self.uploaded
        stream.gpu.check()
        stream.work.extend(self.work)


class Event:
    at_s = 0.0

    def reach(self) -> None:
        self.at_s = time.perf_counter()


class MemoryPool:
    """Blocks in use and free, as CuPy keeps them; memory that is free again is filled with rubbish."""

    def __init__(self, gpu: Gpu) -> None:
        self.gpu, self.used = gpu, 0
        self.free: list[int] = []

    def malloc(self, size: int) -> MemoryPointer:
        self.gpu.check()
        whole = -(-size // UNIT) * UNIT
        limit = self.gpu.memory_bytes
        if limit and self.total_bytes() + whole > limit:
            raise OutOfMemoryError(whole, self.total_bytes(), limit)
        if whole in self.free:
            self.free.remove(whole)
        self.used += whole
        return MemoryPointer(self, whole)

    def total_bytes(self) -> int:
        return self.used + sum(self.free)

    def free_all_blocks(self) -> None:
        self.gpu.check()
        self.free.clear()


class MemoryPointer:
    def __init__(self, pool: MemoryPool, size: int) -> None:
        self.pool, self.size = pool, size
        self.memory = (ctypes.c_uint8 * (size + UNIT)).from_buffer(bytearray(b"\xee" * (size + UNIT)))
        self.ptr = -(-ctypes.addressof(self.memory) // UNIT) * UNIT

    def __del__(self) -> None:
        ctypes.memset(self.ptr, 0xEE, self.size)
        self.pool.used -= self.size
        self.pool.free.append(self.size)


class Function:
    def __init__(self, gpu: Gpu, name: str) -> None:
        self.gpu, self.name, self.ptr = gpu, name, id(self)

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...], *, stream: Stream
    ) -> None:
        for value in args:
            assert isinstance(value, np.ndarray)
            assert value.size == 1, "CuPy passes arrays of one element by value and refuses others"
        slots = [ctypes.create_string_buffer(value.tobytes(), value.itemsize) for value in args]
        pointers = (ctypes.c_void_p * len(slots))(*(ctypes.addressof(slot) for slot in slots))
        extents = (ctypes.c_uint * 6)(*grid, *block)
        run = host_build.library()[f"shim_launch_{self.name}"]
        stream.queue(partial(_run, run, pointers, extents, slots))


def _run(run: Any, pointers: Any, extents: Any, _slots: object) -> None:
    assert run(pointers, extents, 0) == 0


class Module:
    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu

    def load(self, image: bytes) -> None:
        self.gpu.check()
        self.gpu.loaded = image

    def get_function(self, name: str) -> Function:
        assert name.encode() in self.gpu.loaded
        return Function(self.gpu, name)


class Device:
    def __init__(self, gpu: Gpu, index: int) -> None:
        self.gpu, self.id = gpu, index

    def __enter__(self) -> Device:
        self.gpu.check()
        self.gpu.thread.current = self.gpu.current + 1
        return self

    def __exit__(self, *_: object) -> None:
        self.gpu.thread.current = self.gpu.current - 1
        self.gpu.check()


def pretend(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Put it in CuPy's place for this test; returns the module."""
    from cupy.cuda import runtime as true_runtime

    streams: dict[int, Stream] = {}
    cupy, cuda, runtime, pinned, function, driver = (
        ModuleType(f"cupy{part}")
        for part in ("", ".cuda", ".cuda.runtime", ".cuda.pinned_memory", ".cuda.function", ".cuda.driver")
    )

    def make_stream(non_blocking: bool = False) -> Stream:
        made = Stream(gpu, non_blocking)
        streams[made.ptr] = made
        return made

    def properties(index: int) -> dict[str, Any]:
        gpu.check()
        if index != 0:
            raise CUDARuntimeError(101)
        return {"name": gpu.name, "major": gpu.capability[0], "minor": gpu.capability[1]}

    def copy(to: int, of: int, nbytes: int, kind: int, stream: int) -> None:
        assert kind in {runtime.memcpyHostToDevice, runtime.memcpyDeviceToHost}
        streams[stream].queue(partial(ctypes.memmove, to, of, nbytes))

    def clear(pointer: int, value: int, nbytes: int, stream: int) -> None:
        streams[stream].queue(partial(ctypes.memset, pointer, value, nbytes))

    def pinned_memory(size: int, flags: int) -> bytearray:
        gpu.check()
        assert flags == runtime.hostAllocPortable | runtime.hostAllocMapped
        return bytearray(b"\xee" * size)

    def pinned_pointer(memory: bytearray, offset: int) -> Any:
        pointer = (ctypes.c_byte * len(memory)).from_buffer(memory)
        pointer.ptr = ctypes.addressof(pointer) + offset
        return pointer

    for name in ("memcpyHostToDevice", "memcpyDeviceToHost", "hostAllocPortable", "hostAllocMapped"):
        setattr(runtime, name, getattr(true_runtime, name))
    runtime.getDeviceCount = lambda: gpu.check() or 1
    runtime.getDeviceProperties = properties
    runtime.driverGetVersion = lambda: 12040
    runtime.memcpyAsync = copy
    runtime.memsetAsync = clear
    pinned.PinnedMemory, pinned.PinnedMemoryPointer = pinned_memory, pinned_pointer
    function.Module = partial(Module, gpu)
    driver.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES = 3
    driver.funcGetAttribute = lambda attribute, function: gpu.loads.append(function)
    cuda.runtime, cuda.pinned_memory, cuda.function, cuda.driver = runtime, pinned, function, driver
    cuda.Stream, cuda.Event, cuda.Device = make_stream, Event, partial(Device, gpu)
    cuda.MemoryPool = partial(MemoryPool, gpu)
    cuda.get_elapsed_time = lambda first, last: 1e3 * (last.at_s - first.at_s)
    cupy.cuda = cuda
    for module in (cupy, cuda, runtime, pinned, function, driver):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return cupy
