"""What is found out from the driver, with real shared libraries in its place, compiled here."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rtfilter.engines.driver import LEAST_MEMORY_BYTES, Gpu, NoGpuError, find_gpus
from rtfilter.engines.nvml import driver_version
from rtfilter.errors import GpuError

Build = Callable[..., str]

# The driver's functions as cuda.h declares them, for `{count}` GPUs of the same kind.
CUDA = r"""
#include <string.h>
int cuInit(unsigned flags) {{ return flags ? 1 : {init}; }}
int cuDriverGetVersion(int *version) {{ *version = {version}; return 0; }}
int cuDeviceGetCount(int *count) {{ *count = {count}; return 0; }}
int cuDeviceGet(int *device, int index) {{ *device = 40 + index; return index < {count} ? 0 : 101; }}
int cuDeviceGetName(char *name, int size, int device) {{ strncpy(name, "GeForce RTX 4070", size); return 0; }}
int cuDeviceGetAttribute(int *value, int attribute, int device) {{
    *value = attribute == 75 ? {major} : attribute == 76 ? {minor} : -1; return {attribute};
}}
int cuDeviceTotalMem_v2(size_t *bytes, int device) {{ *bytes = {memory}; return 0; }}
int cuDeviceGetPCIBusId(char *bus, int size, int device) {{ strncpy(bus, "0000:01:00.0", size); return 0; }}
"""
NVML = r"""
#include <string.h>
static int started;
int nvmlInit_v2(void) {{ started++; return {init}; }}
int nvmlShutdown(void) {{ started--; return 0; }}
int nvmlSystemGetDriverVersion(char *text, unsigned size) {{
    strncpy(text, "580.95.05", size); return !started;
}}
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **device) {{
    *device = &started; return strcmp(bus, "0000:01:00.0") != 0;
}}
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long *memory) {{
    memory[0] = 12ull << 30; memory[1] = {free}; memory[2] = 0; return device != &started;
}}
"""
GOOD = {
    "init": 0,
    "version": 12080,
    "count": 2,
    "major": 8,
    "minor": 9,
    "memory": "12ull << 30",
    "attribute": 0,
}


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Compiles a source, with its blanks filled in, to a library; its path."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler to make a driver that has no GPU behind it; none was found")

    def compiled(source: str, **values: object) -> str:
        number = len(list(tmp_path.iterdir()))
        text, library = tmp_path / f"{number}.c", tmp_path / f"{number}.so"
        text.write_text(source.format(**values))
        subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", library, text], check=True, timeout=60)
        return str(library)

    return compiled


def test_what_is_there_is_told(build: Build) -> None:
    nvml = build(NVML, init=0, free="3ull << 30")
    first, second = find_gpus(build(CUDA, **GOOD), nvml)
    assert first == Gpu(0, "GeForce RTX 4070", (8, 9), 12 << 30, (12, 8), 3 << 30)
    assert second.index == 1
    assert first.target == "sm89"
    assert first.problem == ""
    assert str(first) == "GeForce RTX 4070, compute capability 8.9, 12.0 GiB"
    assert driver_version(nvml) == "580.95.05"


def test_nothing_depends_on_the_management_library(build: Build, tmp_path: Path) -> None:
    library = build(CUDA, **GOOD)
    for nvml in (str(tmp_path / "none.so"), library, build(NVML, init=9, free=0)):
        assert find_gpus(library, nvml)[0].free_bytes is None
        assert driver_version(nvml) is None


def test_no_driver_is_nothing_that_anyone_would_miss(tmp_path: Path) -> None:
    with pytest.raises(NoGpuError, match=r"no NVIDIA driver .*nvidia\.com/drivers"):
        find_gpus(str(tmp_path / "libcuda.so.1"))


@pytest.mark.parametrize(("init", "count"), [(100, 1), (0, 0)])
def test_a_driver_without_a_gpu(init: int, count: int, build: Build) -> None:
    with pytest.raises(NoGpuError, match=r"no NVIDIA GPU.*--gpus all.*CUDA_VISIBLE_DEVICES"):
        find_gpus(build(CUDA, **{**GOOD, "init": init, "count": count}))


@pytest.mark.parametrize(
    ("init", "said"),
    [
        (34, "stub"),
        (101, "CUDA_VISIBLE_DEVICES"),
        (803, "restart the machine"),
        (999, "restart the machine"),
        (77, r"error 77\): install a current driver"),
    ],
)
def test_a_driver_that_does_not_start_says_what_to_do(init: int, said: str, build: Build) -> None:
    with pytest.raises(GpuError, match=said) as caught:
        find_gpus(build(CUDA, **{**GOOD, "init": init}))
    assert not isinstance(caught.value, NoGpuError)
    assert "\n" not in str(caught.value)


def test_a_library_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "libcuda.so.1").write_text("not a library")
    with pytest.raises(GpuError, match=r"does not load .*nvidia\.com/drivers") as caught:
        find_gpus(str(tmp_path / "libcuda.so.1"))
    assert not isinstance(caught.value, NoGpuError)


def test_a_driver_from_long_ago_lacks_functions(build: Build) -> None:
    with pytest.raises(GpuError, match="too old, it has no cuDriverGetVersion"):
        find_gpus(build("int cuInit(unsigned flags) {{ return 0; }}"))


def test_a_call_that_fails_is_named(build: Build) -> None:
    with pytest.raises(GpuError, match=r"cuDeviceGetAttribute \(error 999\)"):
        find_gpus(build(CUDA, **{**GOOD, "attribute": 999}))


@pytest.mark.parametrize(
    ("changed", "free", "said"),
    [
        ({"version": 11080}, "3ull << 30", r"serves CUDA 11\.8, needed is 12\.0 \(driver 525 or newer\)"),
        ({"major": 7, "minor": 0}, "3ull << 30", r"capability is 7\.0, needed is 7\.5 .*--lane cpu"),
        ({}, "100ull << 20", "100 MiB of memory free, needed are 768 MiB: close programs"),
        ({"memory": "512ull << 20"}, "3ull << 30", ""),
    ],
)
def test_a_gpu_that_will_not_do(changed: dict[str, object], free: str, said: str, build: Build) -> None:
    gpu = find_gpus(build(CUDA, **{**GOOD, **changed}), build(NVML, init=0, free=free))[0]
    assert (gpu.problem == "") == (said == "")
    assert re.search(said, gpu.problem), gpu.problem


def test_libraries_of_the_next_cuda_need_a_newer_driver() -> None:
    gpu = Gpu(0, "A", (8, 9), 12 << 30, (12, 8))
    assert gpu.driver_problem(12) == ""
    assert "driver 580 or newer" in gpu.driver_problem(13)
    assert "needed are" in Gpu(0, "A", (8, 9), LEAST_MEMORY_BYTES - 1, (12, 8)).problem
