"""The device contract kept by an NVIDIA GPU, through CuPy: 13.6 and 14, NumPy 1.26 and 2.

CuPy gives memory, streams and graphs; the kernels are ours (compile.py). CuPy's arrays are not used: they
have no structured types, and nothing here computes with them.
"""

from __future__ import annotations

import ctypes
import math
import weakref
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.errors import GpuError, GpuLostError
from rtfilter.kernels import source
from rtfilter.kernels.compile import compiled_for
from rtfilter.kernels.cuda_stream import CudaStream, working
from rtfilter.kernels.device import DeviceArray, HostArray, Shape
from rtfilter.kernels.memory import (
    Pinned,
    check_no_capture,
    checked_shape,
    part_of,
    size_of,
    unsafe_in_capture,
)
from rtfilter.system.cuda_errors import gpu_errors
from rtfilter.system.installation import install_extra

LEAST_CAPABILITY = (7, 5)


class _Block:
    """CuPy's hold on a piece of device memory, which goes back to the pool when nobody has it."""

    def __init__(self, memory: Any) -> None:
        self.memory = memory


class CudaArray:
    """Memory of the GPU, or pinned memory of the host as the GPU sees it. keep: what holds it alive."""

    def __init__(self, pointer: int, shape: tuple[int, ...], dtype: np.dtype[Any], keep: object) -> None:
        self.pointer = pointer
        self.shape = shape
        self.dtype = dtype
        self._keep = keep

    @property
    def nbytes(self) -> int:
        return size_of(self.shape, self.dtype)

    def part(self, offset_bytes: int, shape: Shape, dtype: npt.DTypeLike) -> CudaArray:
        dims, kind = part_of(self, offset_bytes, shape, dtype)
        return CudaArray(self.pointer + offset_bytes, dims, kind, self._keep)


class CudaDevice:
    """One GPU. index: as CUDA counts. limit_bytes: the most device memory to take; default all that is there.

    GpuError where CuPy, the driver, the compiler or a GPU that will do is missing, GpuMemoryError where not
    even the kernels find room, InputError where the cache cannot be written.
    """

    def __init__(self, index: int = 0, limit_bytes: int | None = None) -> None:
        doing = f"opening GPU {index}"
        self.pins = Pinned()
        self.lost: GpuLostError | None = None
        self._blocks: weakref.WeakSet[_Block] = weakref.WeakSet()
        self._open = True
        cupy = _cupy()
        with gpu_errors(doing):
            cupy.cuda.runtime.getDeviceCount()
            found = cupy.cuda.runtime.getDeviceProperties(index)
        self.capability = int(found["major"]), int(found["minor"])
        name = found["name"]
        card = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
        self.name = f"{card} (sm_{self.capability[0]}{self.capability[1]})"
        if self.capability < LEAST_CAPABILITY:
            raise GpuError(
                f"{card} has compute capability {self.capability[0]}.{self.capability[1]}; needed is 7.5 "
                "(GTX 16, RTX 20, T4) or newer. Take --lane cpu"
            )
        compiled = compiled_for(self.capability)
        self.index = index
        self.native = cupy.cuda.Device(index)
        self._pool = cupy.cuda.MemoryPool()
        with unsafe_in_capture, gpu_errors(doing), self.native:
            self._clearing = cupy.cuda.Stream(non_blocking=True)
            if limit_bytes is not None:
                self._pool.set_limit(size=limit_bytes)
            module = cupy.cuda.function.Module()
            module.load(compiled.image)
            self._functions = {name: module.get_function(name) for name in source.kernel_names()}
            driver = cupy.cuda.driver
            for function in self._functions.values():
                # Loads it. Drivers load a kernel when it is first needed, which must not be in a recording.
                driver.funcGetAttribute(driver.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, function.ptr)

    def check_usable(self) -> None:
        if not self._open:
            raise ValueError("this device is closed")
        if self.lost is not None:
            raise GpuLostError(str(self.lost))

    def function(self, kernel: str) -> Any:
        """CuPy's function of this name. ValueError where there is none."""
        if kernel not in self._functions:
            raise ValueError(f"no kernel {kernel!r}: known are {', '.join(self._functions)}")
        return self._functions[kernel]

    def used_bytes(self) -> int:
        """Device memory that this device holds at the moment."""
        return int(self._pool.total_bytes())

    def empty(self, shape: Shape, dtype: npt.DTypeLike) -> CudaArray:
        from cupy.cuda import runtime

        check_no_capture("making memory")
        dims, kind = checked_shape(shape, dtype)
        nbytes = max(size_of(dims, kind), 1)
        with unsafe_in_capture, working(self, f"making memory for {kind} {list(dims)}"):
            memory = self._pool.malloc(nbytes)
            # On a stream of its own: waiting for the whole device would break what another thread records.
            runtime.memsetAsync(memory.ptr, 0, nbytes, self._clearing.ptr)
            self._clearing.synchronize()
        block = _Block(memory)
        self._blocks.add(block)
        return CudaArray(int(memory.ptr), dims, kind, block)

    def pinned(self, shape: Shape, dtype: npt.DTypeLike) -> HostArray:
        from cupy.cuda import pinned_memory, runtime

        check_no_capture("making memory")
        dims, kind = checked_shape(shape, dtype)
        nbytes = max(size_of(dims, kind), 1)
        flags = runtime.hostAllocPortable | runtime.hostAllocMapped
        with unsafe_in_capture, working(self, f"pinning memory for {kind} {list(dims)}"):
            memory = pinned_memory.PinnedMemory(nbytes, flags)
            pointer = pinned_memory.PinnedMemoryPointer(memory, 0)
        array = np.frombuffer(pointer, kind, math.prod(dims)).reshape(dims)
        ctypes.memset(pointer.ptr, 0, nbytes)
        self.pins.add(array)
        return array

    def mapped(self, shape: Shape, dtype: npt.DTypeLike) -> tuple[HostArray, DeviceArray]:
        # With unified addressing, which every GPU of ours has, both sides use one address.
        array = self.pinned(shape, dtype)
        return array, CudaArray(int(array.ctypes.data), array.shape, array.dtype, array)

    def current(self) -> AbstractContextManager[None]:
        return working(self, "using the GPU")

    def stream(self) -> CudaStream:
        import cupy

        with working(self, "making a stream"):
            return CudaStream(self, cupy.cuda.Stream(non_blocking=True))

    def close(self) -> None:
        """Frees device memory at once; pinned memory when the last array of it is let go."""
        if not self._open:
            return
        self._open = False
        for block in self._blocks:
            block.memory = None
        try:
            with unsafe_in_capture, gpu_errors("freeing the GPU's memory"), self.native:
                self._clearing.synchronize()  # gives this thread the context, without which nothing is freed
                self._functions = {}
                self._pool.free_all_blocks()
        except GpuError:
            # What a lost GPU held is gone, and whoever closes has been told.
            if self.lost is None:
                raise


def _cupy() -> Any:
    """CuPy, loaded. GpuError where it is missing or does not load."""
    try:
        import cupy
    except ImportError as error:
        said = " ".join(str(error).split())
        raise GpuError(
            f"the CUDA lane needs CuPy, which does not load ({said}): install it with: {install_extra('gpu')}"
        ) from error
    return cupy
