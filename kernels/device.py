"""`Device`: the contract of a machine that runs kernels: memory, streams of work, graphs. Used by `gpu`.

Kept by `cuda_device` (an NVIDIA GPU), and in tests by `tests.host_gpu` (the same kernels run by the
processor): so the whole CUDA lane runs without a GPU.

Errors of every device: `GpuError` and its kinds for what the machine cannot do; ValueError for a call that is
wrong on every machine (shape, dtype, kernel name, memory during capture).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

HostArray: TypeAlias = npt.NDArray[Any]
Shape: TypeAlias = int | tuple[int, ...]
# Blocks of a launch, and threads of a block: x, y, z.
Extent: TypeAlias = tuple[int, int, int]


class DeviceArray(Protocol):
    """Memory of the device: C-contiguous, fixed in place until its device is closed."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    @property
    def nbytes(self) -> int: ...

    @property
    def pointer(self) -> int:
        """Address in the device's address space; at least 256-byte aligned for whole arrays."""
        ...

    def part(self, offset_bytes: int, shape: Shape, dtype: npt.DTypeLike) -> DeviceArray:
        """The same memory from `offset_bytes` on, as `shape` of `dtype`; no copy.

        With it, one buffer and one upload carry many small arrays. ValueError where it does not fit or the
        offset is not a multiple of the dtype's alignment.
        """
        ...


# What a kernel takes: memory (its address), a scalar, or a parameter block (a ctypes structure or a
# structured NumPy scalar) by value. By-value arguments are frozen in a graph: what changes from frame to
# frame must lie in device memory.
Argument: TypeAlias = DeviceArray | np.generic | ctypes.Structure


class Mark(Protocol):
    """A place in a stream's work, for timing."""

    def since_ms(self, earlier: Mark) -> float:
        """Milliseconds of device time from `earlier` to here; both must have been reached (`wait`)."""
        ...


class Graph(Protocol):
    """Work that was recorded once. Memory it uses must outlive it."""

    def launch(self) -> None:
        """Start all of it on the stream that it was recorded from; asynchronous."""
        ...


class Stream(Protocol):
    """Work in order. Every call but `wait` returns before the work is done."""

    @property
    def pointer(self) -> int:
        """The driver's handle (a `cudaStream_t`), for libraries such as TensorRT; 0 on the host."""
        ...

    def upload(self, to: DeviceArray, of: HostArray) -> None:
        """Copy host memory (of `Device.pinned`, C-contiguous) to the device: same dtype and size in bytes.

        The memory must not be written before the copy is done. In a graph, the copy happens at each launch.
        """
        ...

    def download(self, to: HostArray, of: DeviceArray) -> None:
        """Copy device memory to host memory; rules as for `upload`. `to` holds it after `wait`."""
        ...

    def launch(self, kernel: str, grid: Extent, block: Extent, *arguments: Argument) -> None:
        """Run the kernel of this name (any of kernels/*.cu) with `grid` blocks of `block` threads."""
        ...

    def capture(self, record: Callable[[], None]) -> Graph:
        """Call `record`, which queues work on this stream; nothing runs, all of it becomes a graph.

        Making memory and waiting are refused (ValueError) while recording.
        """
        ...

    def mark(self) -> Mark: ...

    def wait(self) -> None:
        """Return when all work queued so far is done; its failures are raised here at the latest."""
        ...


class Device(Protocol):
    """One machine to compute on. Everything made by it is freed by `close`, which may be called twice."""

    @property
    def index(self) -> int:
        """Which of the machine's, as CUDA counts."""
        ...

    def empty(self, shape: Shape, dtype: npt.DTypeLike) -> DeviceArray:
        """New device memory, all bytes zero."""
        ...

    def pinned(self, shape: Shape, dtype: npt.DTypeLike) -> HostArray:
        """New host memory that copies at full speed and asynchronously, all bytes zero."""
        ...

    def mapped(self, shape: Shape, dtype: npt.DTypeLike) -> tuple[HostArray, DeviceArray]:
        """New pinned memory that kernels read and write in place, over the bus: both sides of it.

        What a kernel wrote is seen on the host after `wait`.
        """
        ...

    def current(self) -> AbstractContextManager[None]:
        """Inside, libraries that this thread calls compute on this device: CUDA's current GPU is the thread's
        own."""
        ...

    def stream(self) -> Stream: ...

    def close(self) -> None: ...
