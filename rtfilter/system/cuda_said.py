"""CUDA's errors as TensorRT and ONNX Runtime report them, which is within a sentence: errors of ours."""

from __future__ import annotations

import re

from rtfilter.engines.driver import DRIVER_FIX
from rtfilter.errors import GpuError, GpuLostError, GpuMemoryError

# cudaError_t: what it means, and what to do.
_LOST = "the GPU failed while it computed, and is lost to this process: start anew"
_MEANINGS: dict[int, tuple[type[GpuError], str]] = {
    2: (GpuMemoryError, "the GPU is out of memory: close programs that use it, or run fewer streams"),
    35: (GpuError, f"there is no NVIDIA driver, or it is too old: {DRIVER_FIX}"),
    100: (GpuError, "there is no NVIDIA GPU: in a container, start it with `--gpus all`"),
    46: (GpuError, "the GPU is in exclusive use by another program: end that program"),
    **dict.fromkeys((214, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 999), (GpuLostError, _LOST)),
}
# `(cudaError 719: ...)` is TensorRT's way, `CUDA failure 700: ...` and `CUDA error 2` ONNX Runtime's.
_CODE = re.compile(r"(?:cudaError|CUDA failure|CUDA error) (\d+)")
# The latter is ONNX Runtime's arena, whose message names no error of CUDA's.
_MEMORY = re.compile(r"out of memory|OutOfMemory|Failed to allocate memory", re.IGNORECASE)


def cuda_failure(doing: str, said: str) -> GpuError:
    """The error for what a library said; begins with `doing`, and repeats what has no meaning known here.

    GpuMemoryError where memory ran out, GpuLostError where the GPU is of no more use.
    """
    codes = _codes(said)
    if _MEMORY.search(said):
        codes.insert(0, 2)
    kind, meaning = next((_MEANINGS[code] for code in codes if code in _MEANINGS), (GpuError, said))
    return kind(f"{doing}: {meaning}")


def names_cuda(said: str) -> bool:
    """Whether it is about the GPU, and not about a file."""
    return bool(_codes(said) or _MEMORY.search(said))


def _codes(said: str) -> list[int]:
    return [int(code) for code in _CODE.findall(said)]
