"""What libraries say of CUDA's errors becomes errors of ours, with what to do."""

from __future__ import annotations

import pytest

from rtfilter.errors import GpuError, GpuLostError, GpuMemoryError
from rtfilter.system.cuda_said import cuda_failure


@pytest.mark.parametrize(
    ("said", "kind", "meaning"),
    [
        ("Error Code 1: Cuda Runtime (cudaError 35: ...)", GpuError, "no NVIDIA driver, or it is too old"),
        ("Requested size was 1: OutOfMemory", GpuMemoryError, "out of memory"),
        ("(cudaError 2: out of memory)", GpuMemoryError, "out of memory"),
        ("(cudaError 719: unspecified launch failure)", GpuLostError, "lost to this process"),
        ("CUDA failure 700: an illegal memory access was encountered ; GPU=0", GpuLostError, "lost to this"),
        ("BFCArena: Failed to allocate memory for requested buffer of size 4096", GpuMemoryError, "memory"),
        ("something else (cudaError 12345: new)", GpuError, "something else"),
    ],
)
def test_what_cuda_says_becomes_what_to_do(said: str, kind: type[GpuError], meaning: str) -> None:
    error = cuda_failure("it cannot run small", said)
    assert type(error) is kind
    assert str(error).startswith("it cannot run small: ")
    assert meaning in str(error)
