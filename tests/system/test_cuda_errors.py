"""CUDA's error numbers, alone or within a library's message, as errors that say what to do."""

from __future__ import annotations

import re

import pytest

from rtfilter.errors import GpuError, GpuLostError, GpuMemoryError
from rtfilter.system.cuda_errors import gpu_error, names_cuda, reported_error, start_problem

# A number, the error's type, and what its user reads.
MEANINGS = [
    (2, GpuMemoryError, "close programs that use it"),
    (3, GpuError, "does not start: restart the machine"),
    (46, GpuError, "in exclusive use by another program"),
    (100, GpuError, "there is no NVIDIA GPU"),
    (101, GpuError, "no GPU of this number"),
    (209, GpuError, r"compute capability 7\.5"),
    (218, GpuError, "cannot translate our kernels: install a current driver"),
    (222, GpuError, "older than the compiler NVRTC"),
    (700, GpuLostError, "outside its memory"),
    (702, GpuLostError, "longer than the system allows"),
    (719, GpuLostError, "Open the filter anew"),
    (999, GpuLostError, "taken away"),
    (803, GpuError, "restart the machine"),
    (801, GpuError, "operation not supported"),
]


@pytest.mark.parametrize(("code", "kind", "meaning"), MEANINGS)
def test_every_failure_says_what_to_do(code: int, kind: type[GpuError], meaning: str) -> None:
    error = gpu_error("copying", code, f"cudaError {code}: operation not supported")
    assert type(error) is kind
    assert re.search(meaning, str(error))
    assert str(error).startswith("copying: ")
    assert "--lane cpu" in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("message", "kind", "meaning"),
    [
        ("Error Code 1: Cuda Runtime (cudaError 35: ...)", GpuError, "no NVIDIA driver, or it is too old"),
        ("Requested size was 1: OutOfMemory", GpuMemoryError, "out of memory"),
        ("(cudaError 2: out of memory)", GpuMemoryError, "out of memory"),
        ("(cudaError 719: unspecified launch failure)", GpuLostError, "the GPU failed: a kernel failed"),
        ("CUDA failure 700: an illegal memory access was encountered ; GPU=0", GpuLostError, "outside its"),
        ("BFCArena: Failed to allocate memory for requested buffer of size 4096", GpuMemoryError, "memory"),
        ("something else (cudaError 12345: new)", GpuError, "something else"),
    ],
)
def test_a_librarys_message_is_explained_by_its_number(
    message: str, kind: type[GpuError], meaning: str
) -> None:
    error = reported_error("it cannot run small", message)
    assert type(error) is kind
    assert str(error).startswith("it cannot run small: ")
    assert meaning in str(error)
    assert names_cuda(message)


def test_a_message_about_a_file_names_no_gpu() -> None:
    assert not names_cuda("Load model from a.onnx failed: Protobuf parsing failed.")


@pytest.mark.parametrize(("code", "meaning"), [(802, "try again"), (700, "restart"), (12345, "error 12345")])
def test_a_driver_that_does_not_start(code: int, meaning: str) -> None:
    assert meaning in start_problem(code)
