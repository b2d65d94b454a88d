"""NVIDIA's management library (NVML): the driver's version, and how much memory is free.

Called by `engines.driver` and `rtfilter doctor`.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_VERSION_BYTES = 96


class _Memory(ctypes.Structure):
    """nvmlMemory_t."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


def driver_version(library: str | None = None) -> str | None:
    """The driver's version, such as `580.95.05`; None where it is not known."""
    version = ctypes.create_string_buffer(_VERSION_BYTES)
    with _nvml(library) as nvml:
        if nvml is not None and nvml.nvmlSystemGetDriverVersion(version, _VERSION_BYTES) == 0:
            return version.value.decode(errors="replace")
    return None


def free_memory_bytes(pci_bus: bytes, library: str | None = None) -> int | None:
    """Unused memory of the GPU on that bus; None where it is not known."""
    device, memory = ctypes.c_void_p(), _Memory()
    with _nvml(library) as nvml:
        if (
            nvml is not None
            and nvml.nvmlDeviceGetHandleByPciBusId_v2(pci_bus, ctypes.byref(device)) == 0
            and nvml.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)) == 0
        ):
            return int(memory.free)
    return None


def library_path(name: str) -> str:
    """Where a library of the driver lies: by the system's own search, and where WSL keeps it."""
    wsl = Path("/usr/lib/wsl/lib") / name
    return str(wsl) if sys.platform == "linux" and wsl.exists() else name


@contextmanager
def _nvml(library: str | None) -> Iterator[Any]:
    """The library, started; None where there is none, as in some containers and on Jetson."""
    name = library or library_path("nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1")
    try:
        nvml = ctypes.CDLL(name)
        started = nvml.nvmlInit_v2() == 0
    except (OSError, AttributeError):
        nvml, started = None, False
    try:
        yield nvml if started else None
    finally:
        if nvml is not None and started:
            nvml.nvmlShutdown()
