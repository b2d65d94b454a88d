"""Failures of a GPU are errors of one line, with what to do; and a GPU that was lost stays lost."""

from __future__ import annotations

import importlib
import re
import sys

import numpy as np
import pytest

from rtfilter.errors import GpuError, GpuLostError, GpuMemoryError
from rtfilter.kernels.cuda_device import CudaDevice
from rtfilter.kernels.cuda_stream import gpu_errors
from rtfilter.system.installation import install_extra

pytest.importorskip("cupy", reason="CuPy is not installed: pip install 'rtfilter[gpu]'")
pretending = importlib.import_module("tests.fakes.cupy_on_host")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> object:
    made = pretending.Gpu()
    pretending.pretend(made, monkeypatch)
    return made


def test_cupys_exceptions_become_ours() -> None:
    with (
        pytest.raises(GpuMemoryError, match=r"copying: the GPU is out of memory .*--lane cpu"),
        gpu_errors("copying"),
    ):
        raise pretending.CUDARuntimeError(2)
    with (
        pytest.raises(GpuError, match="opening: there is no NVIDIA driver, or it is too old"),
        gpu_errors("opening"),
    ):
        raise RuntimeError("CuPy failed to load libcuda.so.1: OSError: libcuda.so.1: cannot open")
    with pytest.raises(RuntimeError, match="another library's"), gpu_errors("opening"):
        raise RuntimeError("another library's")


OPERATIONS = {
    "memory": lambda device, stream: device.empty(4, np.uint8),
    "pinned": lambda device, stream: device.pinned(4, np.uint8),
    "stream": lambda device, stream: device.stream(),
    "copy": lambda device, stream: stream.upload(device.kept[0], device.kept[1]),
    "capture": lambda device, stream: stream.capture(lambda: None),
    "graph": lambda device, stream: device.graph.launch(),
    "wait": lambda device, stream: stream.wait(),
    "mark": lambda device, stream: stream.mark(),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_call_explains_its_failure_and_a_lost_gpu_stays_lost(operation: str, gpu: object) -> None:
    device = CudaDevice()
    stream = device.stream()
    device.kept = (device.empty(4, np.uint8), device.pinned(4, np.uint8))
    device.graph = stream.capture(lambda: None)
    act = OPERATIONS[operation]
    gpu.fail = 2
    with pytest.raises(GpuMemoryError):
        act(device, stream)
    act(device, stream)
    gpu.fail = 719
    with pytest.raises(GpuLostError, match="the GPU failed: a kernel failed"):
        act(device, stream)
    assert gpu.fail == 0
    for later in OPERATIONS.values():
        with pytest.raises(GpuLostError, match="a kernel failed"):
            later(device, stream)
    assert gpu.current == 0, "the thread's device is what it was"
    gpu.fail = 719  # a lost GPU answers nothing any more
    device.close()


def test_closing_a_gpu_that_fails_then_tells(gpu: object) -> None:
    device = CudaDevice()
    gpu.fail = 719
    with pytest.raises(GpuLostError, match="freeing the GPU's memory"):
        device.close()


def test_a_kernel_that_fails_shows_when_it_is_waited_for(gpu: object) -> None:
    device = CudaDevice()
    stream = device.stream()
    gpu.late = 700
    with pytest.raises(GpuLostError, match="waiting for the GPU: the GPU failed: a kernel reached outside"):
        stream.wait()


@pytest.mark.parametrize("status", [100, 999, 46])
def test_a_gpu_that_cannot_be_opened(status: int, gpu: object) -> None:
    gpu.fail = status
    with pytest.raises(GpuError, match="opening GPU 0: "):
        CudaDevice()
    gpu.stuck = 0
    with pytest.raises(GpuError, match="opening GPU 3: there is no GPU of this number"):
        CudaDevice(3)


def test_a_missing_cupy_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(
        GpuError, match=rf"needs CuPy, which does not load .*{re.escape(install_extra('gpu'))}"
    ):
        CudaDevice()


def test_the_true_cupy_without_a_driver() -> None:
    from cupy.cuda import runtime

    if runtime.driverGetVersion() != 0:
        pytest.skip("this machine has an NVIDIA driver")
    with pytest.raises(
        GpuError, match="opening GPU 0: there is no NVIDIA driver, or it is too old: install"
    ) as raised:
        CudaDevice()
    assert "\n" not in str(raised.value)
