"""What CUDA and CuPy raise, as errors of ours: what it means, and what to do next.

Runtime and driver number their errors alike (cudaError, CUresult). The numbers and their meanings are of the
CUDA Runtime API's reference, "Data types used by CUDA Runtime".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rtfilter.errors import GpuError, GpuLostError, GpuMemoryError

DRIVER_FIX = "install NVIDIA's driver, version 525 or newer"
_CPU_FIX = "or take --lane cpu"

OUT_OF_MEMORY = 2
# The GPU, or this process's hold on it, is of no more use.
_LOST = {
    214: "its memory has an error that it cannot correct",
    700: "a kernel reached outside its memory",
    702: "a kernel took longer than the system allows",
    709: "its context was destroyed",
    710: "a kernel's own check failed",
    714: "a hardware stack error",
    715: "an illegal instruction",
    716: "a misaligned address",
    717: "an invalid address space",
    718: "an invalid program counter",
    719: "a kernel failed, or the GPU was reset",
    999: "an unknown failure; it may have been reset or taken away",
}
# It cannot be used as things are.
_UNUSABLE = {
    3: "NVIDIA's driver does not start: restart the machine",
    46: "it is in exclusive use by another program: end that, or choose another GPU by CUDA_VISIBLE_DEVICES",
    100: "there is no NVIDIA GPU, or CUDA_VISIBLE_DEVICES hides it",
    101: "there is no GPU of this number: see nvidia-smi",
    200: "it cannot load our kernels: remove the folder 'kernels' of the cache, then try again",
    209: "it cannot run our kernels: needed is compute capability 7.5 (GTX 16, RTX 20, T4) or newer",
    218: f"its driver cannot translate our kernels: {DRIVER_FIX}",
    222: f"its driver is older than the compiler NVRTC that made our kernels: {DRIVER_FIX}",
    802: "its services are not up yet: try again in a minute",
    803: "the driver and its library have different versions: restart the machine",
    804: "driver and GPU do not go together: " + DRIVER_FIX,
}
_DRIVER_TOO_OLD = 35


@contextmanager
def gpu_errors(doing: str) -> Iterator[None]:
    """What CuPy raises inside becomes a GpuError that begins with `doing`, as `copying to the GPU`.

    GpuMemoryError where memory ran out, GpuLostError where the GPU is of no more use.
    """
    try:
        yield
    except GpuError:
        raise
    except (RuntimeError, MemoryError) as error:
        if not is_cupys(error):
            raise
        raise explained(error, doing) from error


def is_cupys(error: BaseException) -> bool:
    """Whether it comes from CuPy: of its own types, or its word that the driver does not load."""
    module = type(error).__module__.partition(".")[0]
    return module in {"cupy", "cupy_backends"} or str(error).startswith("CuPy failed to load")


def explained(error: BaseException, doing: str, driver_version: int | None = None) -> GpuError:
    """`error`, one of CuPy's, as ours. driver_version: the CUDA that the driver runs, as 12040; asked for
    where it is None."""
    status = getattr(error, "status", None)
    said = " ".join(str(error).split())
    if isinstance(error, MemoryError) or status == OUT_OF_MEMORY:
        return GpuMemoryError(
            f"{doing}: the GPU's memory does not suffice ({said}): end other programs that use it "
            f"(nvidia-smi), take fewer streams or a smaller picture, {_CPU_FIX}"
        )
    if status in _LOST:
        return GpuLostError(
            f"{doing}: the GPU failed: {_LOST[status]} ({said}). Open the filter anew; if it fails again, "
            f"restart the program, {_CPU_FIX}"
        )
    if status in _UNUSABLE:
        return GpuError(f"{doing}: {_UNUSABLE[status]} ({said}), {_CPU_FIX}")
    if status == _DRIVER_TOO_OLD or "libcuda." in said or "nvcuda." in said:
        version = _driver_version() if driver_version is None else driver_version
        if version == 0:
            return GpuError(f"{doing}: there is no NVIDIA driver: {DRIVER_FIX}, {_CPU_FIX}")
        runs = f"{version // 1000}.{version % 1000 // 10}"
        return GpuError(
            f"{doing}: the driver runs CUDA {runs}, which is older than CuPy needs: {DRIVER_FIX}, {_CPU_FIX}"
        )
    return GpuError(f"{doing}: {said or type(error).__name__}, {_CPU_FIX}")


def _driver_version() -> int:
    """As 12040; 0 where there is no driver."""
    from cupy.cuda import runtime

    return int(runtime.driverGetVersion())
