"""The NVIDIA driver and its GPUs, read through the driver's own library: no CUDA software is needed.

Called by `gpu.choose`, `engines.prepare.choose` and `rtfilter doctor`.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtfilter.engines.nvml import free_memory_bytes, library_path
from rtfilter.errors import GpuError
from rtfilter.system.cuda_errors import CPU_FIX, DRIVER_FIX, NO_DEVICE, start_problem

Version = tuple[int, int]

# Turing, the oldest that both TensorRT flavours and CUDA 12's compiler still serve.
OLDEST_GPU: Version = (7, 5)
OLDEST_CUDA: Version = (12, 0)
# The oldest driver that serves a CUDA of this major version (NVIDIA, CUDA Compatibility).
DRIVER_FOR_CUDA = {12: 525, 13: 580}
# An estimate, to be measured on a GPU: a CUDA context takes 200 to 400 MiB, and networks, kernels and buffers
# of one stream less than that again.
LEAST_MEMORY_BYTES = 768 << 20

_NAME_BYTES = 256
_PCI_BYTES = 32
_ATTRIBUTE_MAJOR, _ATTRIBUTE_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_...


class NoGpuError(GpuError):
    """There is no NVIDIA GPU, or no driver for one."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU.

    index: as CUDA counts, with CUDA_VISIBLE_DEVICES applied. cuda: the newest CUDA that its driver serves.
    free_bytes: unused memory; None where it is not known.
    """

    index: int
    name: str
    capability: Version
    memory_bytes: int
    cuda: Version
    free_bytes: int | None = None

    @property
    def target(self) -> str:
        """The target of plans for it: `sm89` for compute capability 8.9."""
        return "sm{}{}".format(*self.capability)

    @property
    def problem(self) -> str:
        """What it lacks for the CUDA lane, and what to do; "" for nothing."""
        return self.driver_problem(OLDEST_CUDA[0]) or self._age_problem() or self._memory_problem()

    def driver_problem(self, cuda_major: int) -> str:
        """Why its driver cannot serve libraries of that CUDA, and what to do; "" when it can."""
        if self.cuda[0] >= cuda_major:
            return ""
        return (
            f"its driver is too old: it serves CUDA {dotted(self.cuda)}, needed is {cuda_major}.0 "
            f"(driver {DRIVER_FOR_CUDA.get(cuda_major, 'of the newest kind')} or newer): {DRIVER_FIX}"
        )

    def _age_problem(self) -> str:
        if self.capability >= OLDEST_GPU:
            return ""
        return (
            f"it is too old: its compute capability is {dotted(self.capability)}, "
            f"needed is {dotted(OLDEST_GPU)} (GTX 16, RTX 20, T4 or newer): use a newer one, {CPU_FIX}"
        )

    def _memory_problem(self) -> str:
        free = self.memory_bytes if self.free_bytes is None else self.free_bytes
        if free >= LEAST_MEMORY_BYTES:
            return ""
        return (
            f"it has {free >> 20} MiB of memory free, needed are {LEAST_MEMORY_BYTES >> 20} MiB: "
            f"close programs that use it (nvidia-smi lists them), {CPU_FIX}"
        )

    def __str__(self) -> str:
        memory = f"{self.memory_bytes / 2**30:.1f} GiB"
        return f"{self.name}, compute capability {dotted(self.capability)}, {memory}"


def find_gpus(library: str | None = None, nvml: str | None = None) -> list[Gpu]:
    """The GPUs that CUDA programs of this process may use, in CUDA's order; at least one.

    No context is made, so no memory of a GPU is taken.

    Args:
        library, nvml: the driver's library and its management library; default the system's.

    Raises:
        NoGpuError: there is none.
        GpuError: the driver does not work; what is wrong and what to do, in one line.
    """
    cuda = _load(library)
    code = int(_function(cuda, "cuInit")(0))
    if code == NO_DEVICE:
        raise _none_found()
    if code != 0:
        raise GpuError(f"the NVIDIA driver does not work: {start_problem(code)}")
    call = _caller(cuda)
    version, count = ctypes.c_int(), ctypes.c_int()
    call("cuDriverGetVersion", ctypes.byref(version))
    call("cuDeviceGetCount", ctypes.byref(count))
    if count.value == 0:
        raise _none_found()
    newest = (version.value // 1000, version.value % 1000 // 10)
    return [_gpu(call, index, newest, nvml) for index in range(count.value)]


def dotted(version: Version) -> str:
    """`8.9` for (8, 9)."""
    return f"{version[0]}.{version[1]}"


def _none_found() -> NoGpuError:
    return NoGpuError(
        "there is no NVIDIA GPU: the driver is there and finds none. If there should be one: in a container, "
        "start it with `--gpus all`; else look at CUDA_VISIBLE_DEVICES"
    )


def _load(library: str | None) -> Any:
    name = library or library_path("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        if Path(name).exists():
            raise GpuError(f"the NVIDIA driver does not load ({error}): {DRIVER_FIX}") from error
        raise NoGpuError(f"there is no NVIDIA driver ({name} is not found): {DRIVER_FIX}") from error


_Call = Callable[..., None]


def _function(cuda: Any, name: str) -> Any:
    try:
        return getattr(cuda, name)
    except AttributeError:
        raise GpuError(f"the NVIDIA driver is too old, it has no {name}: {DRIVER_FIX}") from None


def _caller(cuda: Any) -> _Call:
    """A function that calls the library by name, and raises GpuError where a call fails."""

    def call(name: str, *arguments: object) -> None:
        code = int(_function(cuda, name)(*arguments))
        if code != 0:
            raise GpuError(
                f"the NVIDIA driver fails in {name} (error {code}): restart the machine, or {DRIVER_FIX}"
            )

    return call


def _gpu(call: _Call, index: int, newest: Version, nvml: str | None) -> Gpu:
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    memory = ctypes.c_size_t()
    name, bus = ctypes.create_string_buffer(_NAME_BYTES), ctypes.create_string_buffer(_PCI_BYTES)
    call("cuDeviceGet", ctypes.byref(device), index)
    call("cuDeviceGetName", name, _NAME_BYTES, device)
    call("cuDeviceGetAttribute", ctypes.byref(major), _ATTRIBUTE_MAJOR, device)
    call("cuDeviceGetAttribute", ctypes.byref(minor), _ATTRIBUTE_MINOR, device)
    call("cuDeviceTotalMem_v2", ctypes.byref(memory), device)
    call("cuDeviceGetPCIBusId", bus, _PCI_BYTES, device)
    return Gpu(
        index,
        name.value.decode(errors="replace"),
        (major.value, minor.value),
        memory.value,
        newest,
        free_memory_bytes(bus.value, nvml),
    )
