"""The CUDA device as far as it goes without a GPU: on a pretended CuPy, and the true one without a driver."""

from __future__ import annotations

import gc
import importlib
import re
import sys
import threading
from functools import reduce
from pathlib import Path

import numpy as np
import pytest

from rtfilter.errors import GpuError, GpuMemoryError
from rtfilter.kernels import blocks, source
from rtfilter.kernels.cuda_device import CudaDevice
from rtfilter.kernels.warp import Warp
from rtfilter.render.mesh import RingedMesh
from tests.faces import builtin, face_px, texture
from tests.host_gpu.device import HostDevice
from tests.kernels.on_host import block, padded_rows

pytest.importorskip("cupy", reason="CuPy is not installed: pip install 'rtfilter[gpu]'")
pretending = importlib.import_module("tests.fakes.cupy_on_host")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> object:
    made = pretending.Gpu()
    pretending.pretend(made, monkeypatch)
    return made


def test_the_pretended_cupy_has_only_names_of_the_true_one(monkeypatch: pytest.MonkeyPatch) -> None:
    names = (
        "cupy",
        "cupy.cuda",
        *(f"cupy.cuda.{part}" for part in ("runtime", "pinned_memory", "function", "driver")),
    )
    import cupy

    true = {name: reduce(getattr, name.split(".")[1:], cupy) for name in names}
    pretending.pretend(pretending.Gpu(), monkeypatch)
    for name, module in true.items():
        for used in vars(sys.modules[name]):
            assert used.startswith("__") or hasattr(module, used), f"{name}.{used}"
    monkeypatch.undo()
    for kind, methods in (
        (true["cupy.cuda"].Stream, ("begin_capture", "end_capture", "record", "synchronize")),
        (true["cupy.cuda"].Graph, ("upload", "launch")),
        (true["cupy.cuda"].MemoryPool, ("malloc", "total_bytes", "free_all_blocks")),
        (true["cupy.cuda.function"].Module, ("load", "get_function")),
        (true["cupy.cuda"].Device, ("__enter__", "__exit__")),
    ):
        for method in methods:
            assert callable(getattr(kind, method)), f"{kind}.{method}"


def filtered(device: CudaDevice | HostDevice) -> list[np.ndarray]:
    """Two frames of the warp as a lane does them: one graph with its copies, launched twice."""
    stream, model, rgb = device.stream(), builtin(), texture()
    mesh = RingedMesh(model.triangles, model.holes).topology()
    warp, rows = Warp(device, stream, mesh), padded_rows(rgb)
    size = {"region_width": 320, "region_height": 240}
    pitch = rows.shape[1]
    soften = block(blocks.SOFTEN, picture_width=320, picture_height=240, **size)
    resample = block(blocks.RESAMPLE, source_pitch=pitch, changed_pitch=pitch, **size)
    given = (
        face_px()[None],
        np.full((1, 478, 2), 2.5, np.float32),
        np.float32([60.0]),
        soften,
        resample,
        rows,
    )
    host = [device.pinned(array.shape, array.dtype) for array in given]
    there = [device.empty(array.shape, array.dtype) for array in given]
    report, changed = device.pinned(1, blocks.REPORT), device.mapped(rows.shape, np.uint8)

    def record() -> None:
        for to, of in zip(there, host, strict=True):
            stream.upload(to, of)
        warp.find_flow(stream, *there[:4])
        warp.resample(stream, there[4], there[5], changed[1])
        stream.download(report, warp.reports)

    graph = stream.capture(record)
    seen = []
    for shift in (1.0, -1.0):
        for to, of in zip(host, given, strict=True):
            to[...] = of
        host[1][...] *= shift
        graph.launch()
        stream.wait()
        seen += [report.copy(), changed[0].copy()]
    return seen


def test_the_warp_runs_as_on_the_host(gpu: object) -> None:
    want, got = filtered(HostDevice()), filtered(CudaDevice())
    assert all(np.array_equal(one, other) for one, other in zip(want, got, strict=True))
    assert not np.array_equal(got[0], got[2])


def test_kernels_are_loaded_when_it_is_opened_and_marks_are_its_own(gpu: object) -> None:
    device = CudaDevice()
    assert len(gpu.loads) == len(source.kernel_names()), "a kernel would be loaded within a recording"
    assert device.stream().pointer != 0
    first, last = (device.stream().mark() for _ in range(2))
    assert isinstance(last.since_ms(first), float)
    with pytest.raises(ValueError, match="different devices"):
        last.since_ms(HostDevice().stream().mark())


def test_memory_is_zero_and_goes_back(gpu: object) -> None:
    device, stream = CudaDevice(), None
    stream = device.stream()
    before = device._pool.total_bytes()
    for _ in range(20):
        memory = device.empty((100, 7), np.float32)
        back = device.pinned((100, 7), np.float32)
        back[...] = 1.0
        stream.download(back, memory.part(0, (100, 7), np.float32))
        stream.wait()
        assert not back.any()
    del memory
    gc.collect()
    assert device._pool.total_bytes() - before <= 2 * 3072, "what was let go is used again"
    kept = device.empty(1 << 20, np.uint8)
    assert device._pool.total_bytes() >= 1 << 20
    device.close()
    device.close()
    assert device._pool.total_bytes() == 0
    assert kept.nbytes == 1 << 20
    with pytest.raises(ValueError, match="this device is closed"):
        device.empty(4, np.uint8)


def test_a_graph_holds_its_memory(gpu: object) -> None:
    device = CudaDevice()
    stream, host = device.stream(), device.pinned(1 << 16, np.uint8)
    there = [device.empty(1 << 16, np.uint8)]
    graph = stream.capture(lambda: stream.upload(there.pop(), host))
    gc.collect()
    assert device._pool.used >= 1 << 16
    graph.launch()
    stream.wait()


def test_one_thread_records_while_another_opens_a_filter(gpu: object) -> None:
    """Nothing that is done then waits for the whole GPU, which would break the recording off."""
    device, other = CudaDevice(), CudaDevice()
    stream, memory = device.stream(), device.empty(16, np.uint8)
    made: list[object] = []

    def make() -> None:
        made.extend((other.empty(4, np.uint8), other.pinned(4, np.uint8), other.stream()))

    def record() -> None:
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        stream.download(host, memory)

    host = device.pinned(16, np.uint8)
    stream.capture(record).launch()
    stream.wait()
    assert len(made) == 3


def test_memory_that_runs_out_is_an_error_and_the_device_goes_on(gpu: object) -> None:
    device = CudaDevice()
    gpu.memory_bytes = 1 << 20
    kept = device.empty(900_000, np.uint8)
    with pytest.raises(GpuMemoryError, match=r"making memory for uint8 \[400000\]: the GPU is out of memory"):
        device.empty(400_000, np.uint8)
    assert kept.nbytes == 900_000
    device.empty(1000, np.uint8)  # and it goes on working


def test_a_recording_that_fails_leaves_the_stream_usable(gpu: object) -> None:
    device = CudaDevice()
    stream = device.stream()

    def fail() -> None:
        raise KeyError("the lane's own mistake")

    with pytest.raises(KeyError):
        stream.capture(fail)
    for forbidden in (lambda: device.empty(4, np.uint8), stream.wait, stream.mark):
        with pytest.raises(ValueError, match="while a graph is being recorded"):
            stream.capture(forbidden)
    gpu.fail = 900
    with pytest.raises(GpuError, match="recording a frame's work"):
        stream.capture(lambda: None)
    stream.capture(lambda: None).launch()
    stream.wait()


def test_what_a_gpu_cannot_do_is_refused(gpu: object) -> None:
    device = CudaDevice()
    stream = device.stream()
    with pytest.raises(ValueError, match="no kernel 'crpo'"):
        stream.launch("crpo", (1, 1, 1), (1, 1, 1))


def test_importing_it_loads_no_cupy() -> None:
    text = Path(sys.modules[CudaDevice.__module__].__file__ or "").read_text("utf-8")
    assert not re.search(r"^(import|from) cupy", text, re.M)
