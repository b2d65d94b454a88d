"""The lane on the true CUDA device, over a pretended CuPy, end to end.

The networks are ONNX Runtime's, queued in the stream's order as a GPU's would be.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rtfilter.controls import Controls
from rtfilter.cpu.lane import CpuLane
from rtfilter.engines.spec import NetworkSpec
from rtfilter.errors import GpuError, GpuLostError, GpuMemoryError
from rtfilter.frame import Frame
from rtfilter.gpu.batcher import Batcher
from rtfilter.gpu.cuda_lane import CudaLane
from rtfilter.gpu.fallback import FallingBack
from rtfilter.kernels.cuda_device import CudaDevice
from rtfilter.kernels.device import Device
from rtfilter.render.mesh import RingedMesh
from rtfilter.sources.demo import DemoSource
from tests.faces import ScriptedTracker, builtin, face_px
from tests.gpu.conftest import MakeLane
from tests.gpu.in_planes import in_planes, same
from tests.host_gpu.on_host import HostRunner, HostRuntime

pytest.importorskip("cupy", reason="CuPy is not installed: pip install 'rtfilter[gpu]'")
pretending = importlib.import_module("tests.fakes.cupy_on_host")

HAPPY = Controls({"happy": 1.0}, smoothing=0.0)


class QueuedRunner:
    """ONNX Runtime in a stream of the pretended CuPy."""

    def __init__(self, inner: HostRunner, capturable: bool) -> None:
        self._inner, self.capturable = inner, capturable
        self.spec, self.batch = inner.spec, inner.batch
        self.run, self.bind, self.close = inner.run, inner.bind, inner.close

    def enqueue(self, stream: Any) -> None:
        recording = stream.native.recorded is not None
        assert self.capturable or not recording
        with stream.working("starting a network"):
            stream.native.queue(self._inner.run_bound)


class QueuedRuntime:
    def __init__(self, host: HostRuntime, capturable: bool, one_thread: bool = False) -> None:
        self._host, self._capturable, self.one_thread = host, capturable, one_thread

    def runner(self, spec: NetworkSpec, batch: int, device: Device) -> QueuedRunner:
        return QueuedRunner(self._host.runner(spec, batch, device), self._capturable)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    made = pretending.Gpu()
    pretending.pretend(made, monkeypatch)
    return made


@pytest.fixture(scope="module")
def demo() -> list[Frame]:
    source = DemoSource(320, 240)
    frames = [source.frame(seq) for seq in range(5)]
    source.close()
    return frames


@pytest.fixture
def opened() -> list[CudaDevice]:
    return []


@pytest.fixture
def open_device(gpu: Any, opened: list[CudaDevice]) -> Callable[[], CudaDevice]:
    def make() -> CudaDevice:
        opened.append(CudaDevice())
        return opened[-1]

    return make


def batcher_on(
    open_device: Callable[[], Device], runtime: HostRuntime, streams: int = 1, **how: bool
) -> Batcher:
    mesh = RingedMesh(builtin().triangles, builtin().holes)
    return Batcher(open_device, QueuedRuntime(runtime, **{"capturable": True, **how}), mesh, streams)


def lane_on(open_device: Callable[[], Device], runtime: HostRuntime, **how: bool) -> CudaLane:
    return CudaLane(batcher_on(open_device, runtime, **how), builtin(), 0.0)


@pytest.mark.parametrize("planes", [False, True], ids=["RGB", "planes"])
@pytest.mark.parametrize("how", [{}, {"capturable": False}])
def test_it_does_what_it_does_on_the_host_device(
    runtime: HostRuntime,
    open_device: Callable[[], CudaDevice],
    opened: list[CudaDevice],
    on_host: MakeLane,
    demo: list[Frame],
    how: dict[str, bool],
    planes: bool,
) -> None:
    """To the last bit, with graphs and without; and nothing of it is left when it is closed."""
    expected, lane = on_host(0.0), lane_on(open_device, runtime, **how)
    for picture in demo:
        frame = in_planes(picture) if planes else picture
        ours, report = lane.step(frame, HAPPY)
        theirs, _ = expected.step(frame, HAPPY)
        assert ours.changed == theirs.changed
        assert ours.changed is not None
        assert same(ours, theirs)
        assert report.landmarks is not None
    assert opened[0]._pool.total_bytes() > 4 << 20
    lane.close()
    del lane
    assert [device._pool.total_bytes() for device in opened] == [0]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("status", [2, 700, 719, 999])
def test_a_gpu_that_fails_in_the_middle(
    gpu: Any,
    runtime: HostRuntime,
    open_device: Callable[[], CudaDevice],
    demo: list[Frame],
    status: int,
    late: bool,
) -> None:
    """The CPU lane filters that very frame; closing what is broken is not in its way."""
    messages: list[str] = []

    def on_cpu(why: str) -> CpuLane:
        return CpuLane(ScriptedTracker([face_px()]), builtin(), 0.0, why)

    lane = FallingBack(lane_on(open_device, runtime), on_cpu, messages.append)
    for frame in demo[:3]:
        lane.step(frame, HAPPY)
    setattr(gpu, "late" if late else "fail", status)
    out, _ = lane.step(demo[3], HAPPY)
    assert out.changed is not None
    assert lane.name == "cpu"
    assert len(messages) == 1
    assert "\n" not in messages[0]
    lane.close()


def test_a_lost_gpu_is_told_as_such(
    gpu: Any, runtime: HostRuntime, open_device: Callable[[], CudaDevice], demo: list[Frame]
) -> None:
    lane = lane_on(open_device, runtime)
    lane.step(demo[0], HAPPY)
    gpu.late = 719
    for _ in range(2):
        with pytest.raises(GpuLostError, match="--lane cpu"):
            lane.step(demo[1], HAPPY)
    gpu.late = 0
    with pytest.raises(GpuLostError):
        lane.step(demo[1], HAPPY)


def test_too_little_memory_is_told_and_the_rest_freed(gpu: Any, runtime: HostRuntime) -> None:
    opened: list[CudaDevice] = []

    def small() -> CudaDevice:
        gpu.memory_bytes = 5 << 20
        opened.append(CudaDevice())
        return opened[-1]

    with pytest.raises(GpuMemoryError, match="the GPU is out of memory"):
        lane_on(small, runtime)
    assert opened[0]._pool.total_bytes() == 0


@pytest.mark.parametrize("one_thread", [False, True])
def test_several_streams(
    runtime: HostRuntime,
    open_device: Callable[[], CudaDevice],
    on_host: MakeLane,
    demo: list[Frame],
    one_thread: bool,
) -> None:
    batcher = batcher_on(open_device, runtime, 2, one_thread=one_thread)
    lanes = [CudaLane(batcher, builtin(), 0.0) for _ in range(2)]
    expected = on_host(0.0)
    for frame in demo[:3]:
        theirs, _ = expected.step(frame, HAPPY)
        for lane in lanes:
            assert np.array_equal(lane.step(frame, HAPPY)[0].rgb, theirs.rgb)
    batcher.close()
    with pytest.raises(GpuError, match="closed"):
        lanes[0].step(demo[3], HAPPY)
