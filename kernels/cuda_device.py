"""`CudaDevice`: an NVIDIA GPU as a `Device`, through CuPy 13.6 or 14. Opened by `gpu.open`.

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

from rtfilter.errors import GpuError
from rtfilter.kernels import source
from rtfilter.kernels.compile import compiled_for
from rtfilter.kernels.cuda_stream import CudaStream, GpuState, gpu_errors
from rtfilter.kernels.device import DeviceArray, HostArray, Shape
from rtfilter.kernels.memory import check_no_capture, checked_shape, part_of, size_of, unsafe_in_capture
from rtfilter.system.installation import install_extra


class _Block:
    """CuPy's handle of a piece of device memory, which returns to the pool with its last user."""

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
    """One GPU. See `device.Device`.

    Args:
        index: as CUDA counts.

    Raises:
        GpuError: CuPy, the driver, the compiler or a suitable GPU is missing.
        GpuMemoryError: not even the kernels fit into memory.
        InputError: the cache cannot be written.
    """

    def __init__(self, index: int = 0) -> None:
        doing = f"opening GPU {index}"
        self._blocks: weakref.WeakSet[_Block] = weakref.WeakSet()
        cupy = _cupy()
        with gpu_errors(doing):
            cupy.cuda.runtime.getDeviceCount()
            found = cupy.cuda.runtime.getDeviceProperties(index)
        image = compiled_for((int(found["major"]), int(found["minor"])))
        self.index = index
        self._state = GpuState(cupy.cuda.Device(index))
        self._pool = cupy.cuda.MemoryPool()
        with unsafe_in_capture, gpu_errors(doing), self._state.native:
            self._clearing = cupy.cuda.Stream(non_blocking=True)
            module = cupy.cuda.function.Module()
            module.load(image)
            functions = {name: module.get_function(name) for name in source.kernel_names()}
            driver = cupy.cuda.driver
            for function in functions.values():
                # Loads it: drivers load a kernel at its first use, which must not be in a recording.
                driver.funcGetAttribute(driver.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, function.ptr)
            self._state.functions = functions

    def empty(self, shape: Shape, dtype: npt.DTypeLike) -> CudaArray:
        from cupy.cuda import runtime

        check_no_capture("making memory")
        dims, kind = checked_shape(shape, dtype)
        nbytes = max(size_of(dims, kind), 1)
        with unsafe_in_capture, self._state.working(f"making memory for {kind} {list(dims)}"):
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
        with unsafe_in_capture, self._state.working(f"pinning memory for {kind} {list(dims)}"):
            memory = pinned_memory.PinnedMemory(nbytes, flags)
            pointer = pinned_memory.PinnedMemoryPointer(memory, 0)
        array = np.frombuffer(pointer, kind, math.prod(dims)).reshape(dims)
        ctypes.memset(pointer.ptr, 0, nbytes)
        return array

    def mapped(self, shape: Shape, dtype: npt.DTypeLike) -> tuple[HostArray, DeviceArray]:
        # With unified addressing, which every GPU of ours has, both sides use one address.
        array = self.pinned(shape, dtype)
        return array, CudaArray(int(array.ctypes.data), array.shape, array.dtype, array)

    def current(self) -> AbstractContextManager[None]:
        return self._state.working("using the GPU")

    def stream(self) -> CudaStream:
        import cupy

        with self._state.working("making a stream"):
            return CudaStream(self._state, cupy.cuda.Stream(non_blocking=True))

    def close(self) -> None:
        """Free device memory at once; pinned memory is freed with the last array of it."""
        state = self._state
        if not state.is_open:
            return
        state.is_open = False
        for block in self._blocks:
            block.memory = None
        try:
            with unsafe_in_capture, gpu_errors("freeing the GPU's memory"), state.native:
                self._clearing.synchronize()  # gives this thread the context, without which nothing is freed
                state.functions = {}
                self._pool.free_all_blocks()
        except GpuError:
            # A lost GPU holds nothing, and its failure was raised before.
            if state.lost is None:
                raise


def _cupy() -> Any:
    """CuPy, loaded. GpuError where it is missing or does not load."""
    try:
        import cupy
    except ImportError as error:
        reason = " ".join(str(error).split())
        raise GpuError(
            f"the CUDA lane needs CuPy, which does not load ({reason}): "
            f"install it with: {install_extra('gpu')}"
        ) from error
    return cupy
