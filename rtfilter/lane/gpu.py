"""What NVIDIA GPUs there are, asked of the driver itself: no CUDA software is needed for that."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass

from rtfilter.errors import GpuError

DRIVER_LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
DRIVER_FIX = "install NVIDIA's driver, version 525 or newer"
NEEDED_CUDA = (12, 0)
NEEDED_CAPABILITY = (7, 5)  # Turing: GTX 16, RTX 20, T4
NEEDED_BYTES = 1 << 30

_NO_DEVICE = 100
# What cuInit says when a GPU may be there and cannot be used (cuda.h, CUresult).
_TROUBLES = {
    3: "it is shutting down",
    46: "the GPU is in exclusive use by another program",
    101: "CUDA_VISIBLE_DEVICES names a GPU that is not there",
    802: "its services are not up yet",
    803: "driver and its library have different versions: restart the machine",
    804: "driver and GPU do not go together",
    999: "unknown trouble: restart the machine",
}
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76  # CUdevice_attribute


class NoGpuError(GpuError):
    """There is no NVIDIA GPU, or no driver for one: nothing that its owner would miss."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU. capability: compute capability. cuda: the newest CUDA version that its driver runs."""

    index: int
    name: str
    capability: tuple[int, int]
    memory_bytes: int
    cuda: tuple[int, int]

    @property
    def problem(self) -> str:
        """What it lacks for the CUDA lane, and what to do; "" when it will do."""
        if self.cuda < NEEDED_CUDA:
            return f"its driver runs CUDA {_dotted(self.cuda)}, needed is 12.0: {DRIVER_FIX}"
        if self.capability < NEEDED_CAPABILITY:
            return (
                f"compute capability {_dotted(self.capability)}, needed is 7.5 (GTX 16, RTX 20, T4 or newer)"
            )
        if self.memory_bytes < NEEDED_BYTES:
            return f"{self.memory_bytes >> 20} MiB of memory, needed are {NEEDED_BYTES >> 20} MiB"
        return ""


def find_gpus(library: str = DRIVER_LIBRARY) -> list[Gpu]:
    """The GPUs that CUDA programs of this process may use; at least one.

    Raises NoGpuError where there is none, GpuError where the driver does not work.
    """
    try:
        cuda = ctypes.CDLL(library)
    except OSError:
        raise NoGpuError(f"no NVIDIA driver ({library} does not load): {DRIVER_FIX}") from None
    code = cuda.cuInit(0)
    if code == _NO_DEVICE:
        raise NoGpuError("no NVIDIA GPU: the driver is there and finds none")
    if code != 0:
        trouble = _TROUBLES.get(code, f"cuInit says {code}")
        raise GpuError(f"NVIDIA's driver does not work: {trouble}")
    version, count = ctypes.c_int(), ctypes.c_int()
    cuda.cuDriverGetVersion(ctypes.byref(version))
    cuda.cuDeviceGetCount(ctypes.byref(count))
    if count.value == 0:
        raise NoGpuError("no NVIDIA GPU: the driver is there and finds none")
    newest = version.value // 1000, version.value % 1000 // 10
    return [_gpu(cuda, index, newest) for index in range(count.value)]


def _gpu(cuda: ctypes.CDLL, index: int, newest: tuple[int, int]) -> Gpu:
    device, major, minor, size = ctypes.c_int(), ctypes.c_int(), ctypes.c_int(), ctypes.c_size_t()
    name = ctypes.create_string_buffer(256)
    cuda.cuDeviceGet(ctypes.byref(device), index)
    cuda.cuDeviceGetName(name, len(name), device)
    cuda.cuDeviceGetAttribute(ctypes.byref(major), _CAPABILITY_MAJOR, device)
    cuda.cuDeviceGetAttribute(ctypes.byref(minor), _CAPABILITY_MINOR, device)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(size), device)
    return Gpu(index, name.value.decode("utf-8", "replace"), (major.value, minor.value), size.value, newest)


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
