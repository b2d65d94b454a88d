"""CUDA's error numbers: one table of what each means and what to do next, as `GpuError`s.

Called by `kernels.cuda_stream` (CuPy), `engines.trt` and `engines.ort` (messages of libraries) and
`engines.driver` (cuInit). Runtime and driver number alike (cudaError_t, CUresult). Meanings: CUDA Runtime API
reference, "Data types used by CUDA Runtime".
"""

from __future__ import annotations

import re

from rtfilter.errors import GpuError, GpuLostError, GpuMemoryError

DRIVER_FIX = "install a current driver from https://www.nvidia.com/drivers"
CPU_FIX = "or use the CPU: --lane cpu"

OUT_OF_MEMORY, DRIVER_TOO_OLD, NO_DEVICE = 2, 35, 100
# The GPU, or this process's context on it, can no longer be used.
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
# The GPU cannot be used as things are.
_UNUSABLE = {
    3: "NVIDIA's driver does not start: restart the machine",
    34: f"its library is a stub for linking, the driver itself is missing: {DRIVER_FIX}",
    DRIVER_TOO_OLD: f"there is no NVIDIA driver, or it is too old: {DRIVER_FIX}",
    46: "the GPU is in exclusive use by another program: end it, or choose another by CUDA_VISIBLE_DEVICES",
    NO_DEVICE: "there is no NVIDIA GPU, or CUDA_VISIBLE_DEVICES hides it; in a container: `--gpus all`",
    101: "there is no GPU of this number: see nvidia-smi, and CUDA_VISIBLE_DEVICES",
    200: "the GPU cannot load our kernels: remove the folder 'kernels' of the cache, then try again",
    209: "the GPU cannot run our kernels: needed is compute capability 7.5 (GTX 16, RTX 20, T4) or newer",
    218: f"the driver cannot translate our kernels: {DRIVER_FIX}",
    222: f"the driver is older than the compiler NVRTC that made our kernels: {DRIVER_FIX}",
    802: "its services are not up yet: try again in a minute (on a server, is nvidia-fabricmanager running?)",
    803: "the driver and its library have different versions: restart the machine",
    804: "the GPU cannot use CUDA's forward compatibility libraries: take them out of LD_LIBRARY_PATH",
}

# TensorRT writes `(cudaError 719: ...)`, ONNX Runtime `CUDA failure 700: ...` or `CUDA error 2`.
_CODE = re.compile(r"(?:cudaError|CUDA failure|CUDA error) (\d+)")
# The last is ONNX Runtime's arena, whose message has no number.
_MEMORY = re.compile(r"out of memory|OutOfMemory|Failed to allocate memory", re.IGNORECASE)


def gpu_error(doing: str, code: int | None, detail: str = "") -> GpuError:
    """The error for a failed CUDA call, on one line.

    Args:
        doing: what failed, as `copying to the GPU`; the message begins with it.
        code: CUDA's number; None where there is none.
        detail: the library's own words, shown in brackets, or alone where the number has no meaning here.

    Returns:
        GpuMemoryError where memory ran out, GpuLostError where the GPU can no longer be used, else GpuError.
    """
    shown = f" ({detail})" if detail else ""
    if code == OUT_OF_MEMORY:
        return GpuMemoryError(
            f"{doing}: the GPU is out of memory{shown}: close programs that use it (nvidia-smi lists them), "
            f"run fewer streams, {CPU_FIX}"
        )
    if code in _LOST:
        return GpuLostError(
            f"{doing}: the GPU failed: {_LOST[code]}{shown}. Open the filter anew; if it fails again, "
            f"restart the program, {CPU_FIX}"
        )
    if code in _UNUSABLE:
        return GpuError(f"{doing}: {_UNUSABLE[code]}{shown}, {CPU_FIX}")
    return GpuError(f"{doing}: {detail or f'CUDA error {code}'}, {CPU_FIX}")


def reported_error(doing: str, message: str) -> GpuError:
    """`gpu_error` for a library's message that holds CUDA's number, or says that memory ran out."""
    known = (code for code in _codes(message) if code == OUT_OF_MEMORY or code in {**_LOST, **_UNUSABLE})
    code = next(known, None)
    return gpu_error(doing, code, "" if code is not None else message)


def names_cuda(message: str) -> bool:
    """Whether a library's message is about the GPU, and not about a file."""
    return bool(_codes(message))


def start_problem(code: int) -> str:
    """Why the driver does not start, and what to do: the meaning of a result of cuInit."""
    if code in _LOST:
        return f"{_LOST[code]} (error {code}): restart the machine, as after every update of the driver"
    return _UNUSABLE.get(code, f"it does not start (cuInit: error {code}): {DRIVER_FIX}")


def _codes(message: str) -> list[int]:
    found = [int(code) for code in _CODE.findall(message)]
    return [OUT_OF_MEMORY, *found] if _MEMORY.search(message) else found
