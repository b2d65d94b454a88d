"""The lane's calls of its device, in order: one graph a frame, nothing made, one wait; and failures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rtfilter.controls import Controls
from rtfilter.cpu.lane import CpuLane
from rtfilter.engines.driver import Gpu
from rtfilter.engines.expression.layout import EXPRESSION
from rtfilter.engines.prepare.choose import EngineChoice
from rtfilter.engines.runner import Runner
from rtfilter.engines.spec import NetworkSpec
from rtfilter.errors import GpuError, GpuLostError, GpuMemoryError
from rtfilter.frame import Frame
from rtfilter.gpu.batch_device import Runtime
from rtfilter.gpu.batcher import Batcher
from rtfilter.gpu.choose import LaneChoice
from rtfilter.gpu.cuda_lane import CudaLane, Step
from rtfilter.gpu.fallback import FallingBack, open_lane
from rtfilter.gpu.lane import Lane
from rtfilter.gpu.replay import GRAPHS_KEPT
from rtfilter.kernels.device import Device
from rtfilter.render.mesh import RingedMesh
from rtfilter.sources.demo import DemoSource
from rtfilter.system.arrays import U8
from tests.faces import ScriptedTracker, builtin, face_px
from tests.fakes.watched_device import Watch
from tests.host_gpu.on_host import HostRunner, HostRuntime

HAPPY = Controls({"happy": 1.0}, smoothing=0.0)


@pytest.fixture(scope="module")
def demo() -> list[Frame]:
    source = DemoSource(320, 240)
    frames = [source.frame(seq) for seq in range(8)]
    source.close()
    return frames


@pytest.fixture
def watch() -> Watch:
    return Watch()


def lane_on(watch: Watch, runtime: Runtime) -> CudaLane:
    model = builtin()
    return CudaLane(Batcher(watch.open, runtime, RingedMesh(model.triangles, model.holes)), model, 0.0)


@pytest.fixture
def warm(watch: Watch, runtime: HostRuntime, demo: list[Frame]) -> Iterator[CudaLane]:
    """A lane that has seen a few frames."""
    lane = lane_on(watch, runtime)
    for frame in demo[:4]:
        lane.step(frame, HAPPY)
    watch.forget()
    yield lane
    lane.close()


def test_a_frame_is_one_graph_and_one_wait(
    warm: CudaLane, watch: Watch, demo: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the picture is copied in between, while the device works."""
    copy = Step.copy

    def watched(step: Step) -> U8:
        if step._copy is None:
            watch.record("picture copied")
        return copy(step)

    monkeypatch.setattr(Step, "copy", watched)
    for frame in demo[4:]:
        watch.forget()
        out, _ = warm.step(frame, HAPPY)
        assert out.changed is not None
        assert watch.events == ["graph", "picture copied", "wait"]


def test_looking_for_others_costs_no_second_wait(warm: CudaLane, watch: Watch, demo: list[Frame]) -> None:
    """Now and then, queued behind the frame's own work."""
    looked = []
    for seq in range(4, 30):
        watch.forget()
        warm.step(Frame.from_rgb(demo[seq % 8].rgb, pts=seq * 33_333_333, seq=seq), HAPPY)
        assert watch.events.count("wait") == 1
        looked.append(watch.events[0] == "graph" and watch.events[1:2] != ["wait"])
    assert 1 <= sum(looked) <= 4


def test_a_picture_that_stays_as_it_is_is_not_even_copied(
    warm: CudaLane, watch: Watch, demo: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    for frame in demo[:4]:
        warm.step(frame, Controls(smoothing=0.0))
    monkeypatch.setattr(Step, "copy", lambda step: pytest.fail("copied in vain"))
    warm.step(demo[5], Controls(smoothing=0.0))


def test_the_graph_is_recorded_once_for_a_size(runtime: HostRuntime, watch: Watch, demo: list[Frame]) -> None:
    lane = lane_on(watch, runtime)
    for frame in demo * 2:
        lane.step(frame, HAPPY)
    lane.close()
    assert watch.events.count("capture") == 2, "one for frames, one for the detector, which looks every 15th"
    recorded = [event for event in watch.recorded if event not in ("empty", "pinned")]
    assert recorded == watch.recorded, "nothing is made while a graph is recorded"
    frames = recorded[: recorded.index("upload", 1)]
    assert frames == [
        "upload",
        "launch carry_out",
        "launch crop",
        "call",
        "launch points",
        "call",
        "launch carry_back",
        "launch add_maps",
        "launch limit_offsets",
        "launch mesh_extend",
        "launch rasterise_flow",
        "launch interpolate_flow",
        "launch soften_flow",
        "launch measure_irises",
        "launch resample_box",
        "download",
        "download",
    ]


def test_a_face_that_comes_nearer_costs_a_few_graphs_and_bounded_memory(
    runtime: HostRuntime, watch: Watch
) -> None:
    lane = lane_on(watch, runtime)
    made = []
    for width in range(120, 620, 25):
        source = DemoSource(width, width)
        lane.reset()
        for seq in range(2):
            lane.step(source.frame(seq), HAPPY)
        source.close()
        made.append(watch.events.count("empty"))
        assert len(lane.batcher.device._graphs[1]._replays) <= GRAPHS_KEPT
    lane.close()
    assert made[-1] == made[0], "memory is made for regions up to a megabyte at the start"


class Uncapturable:
    """A network that must be called anew for every run, as ONNX Runtime's on CUDA."""

    capturable = False

    def __init__(self, inner: HostRunner, watch: Watch) -> None:
        self._inner, self._watch = inner, watch
        self.spec, self.batch = inner.spec, inner.batch
        self.run, self.bind, self.close = inner.run, inner.bind, inner.close

    def enqueue(self, stream):  # type: ignore[no-untyped-def]
        assert not self._watch.recording
        self._watch.record(self.spec.name)
        self._inner.enqueue(stream)


def test_networks_that_no_graph_can_hold_run_between_graphs(
    runtime: HostRuntime, watch: Watch, demo: list[Frame]
) -> None:
    class Mixed:
        one_thread = False

        def runner(self, spec: NetworkSpec, batch: int, device: Device) -> Runner:
            made = runtime.runner(spec, batch, device)
            return made if spec is EXPRESSION else Uncapturable(made, watch)  # type: ignore[arg-type,return-value]

    lane, plain = lane_on(watch, Mixed()), lane_on(Watch(), runtime)
    for frame in demo[:3]:
        watch.forget()
        out, _ = lane.step(frame, HAPPY)
        assert np.array_equal(out.rgb, plain.step(frame, HAPPY)[0].rgb)
    assert [event for event in watch.events if event != "call"] == ["graph", "face_mesh", "graph", "wait"]
    lane.close()
    plain.close()


def failing(event: str, error: GpuError, after: int = 0):  # type: ignore[no-untyped-def]
    """Raises at the event of that name, once it has happened `after` times."""
    left = [after]

    def before(happens: str) -> None:
        if happens == event:
            left[0] -= 1
            if left[0] < 0:
                raise error

    return before


@pytest.mark.parametrize("event", ["empty", "pinned"])
def test_memory_that_is_not_there_is_told_and_the_rest_given_back(
    runtime: HostRuntime, event: str, demo: list[Frame]
) -> None:
    def first_frame(watch: Watch) -> None:
        lane = lane_on(watch, runtime)
        try:
            lane.step(demo[0], HAPPY)
        finally:
            lane.close()

    counted = Watch()
    first_frame(counted)
    times = counted.events.count(event)
    assert times > 5
    for after in (0, 2, times // 2, times - 1):
        watch = Watch(failing(event, GpuMemoryError("the GPU's memory does not suffice"), after))
        with pytest.raises(GpuMemoryError, match="suffice"):
            first_frame(watch)
        assert watch.open_devices == 0


FAILURES = {
    "graph": GpuLostError("the GPU failed: it fell off the bus"),
    "wait": GpuLostError("the GPU failed: a kernel took too long"),
    "capture": GpuError("recording a frame's work: the graph cannot be made"),
    "upload": GpuLostError("copying: the GPU failed"),
}


@pytest.mark.parametrize("event", FAILURES)
def test_a_failure_goes_to_the_caller_where_the_cpu_was_not_allowed(
    runtime: HostRuntime, event: str, demo: list[Frame]
) -> None:
    watch = Watch()
    lane = lane_on(watch, runtime)
    watch.before = failing(event, FAILURES[event])
    with pytest.raises(GpuError, match=str(FAILURES[event])[:12]):
        all_of(lane, demo)
    lane.close()
    assert watch.open_devices == 0


def on_cpu(why: str) -> Lane:
    return CpuLane(ScriptedTracker([face_px()]), builtin(), 0.0, why)


@pytest.mark.parametrize("event", FAILURES)
def test_the_cpu_lane_takes_over_where_it_was_allowed(
    runtime: HostRuntime, event: str, demo: list[Frame]
) -> None:
    """Without a lost frame, with one message, and for good."""
    watch = Watch()
    messages: list[str] = []

    lane = FallingBack(lane_on(watch, runtime), on_cpu, messages.append)
    assert lane.name == "cuda"
    watch.before = failing(event, FAILURES[event])
    for frame in demo:
        out, _ = lane.step(frame, HAPPY)
        assert out.original is frame
        assert out.changed is not None, "every frame is filtered, by one or the other"
    assert lane.name == "cpu"
    assert len(messages) == 1
    assert str(FAILURES[event]) in messages[0]
    assert "CPU lane" in messages[0]
    assert str(FAILURES[event]) in lane.why
    assert watch.open_devices == 0
    lane.reset()
    lane.close()


def test_a_second_failure_is_the_callers(runtime: HostRuntime, demo: list[Frame]) -> None:
    def fails(why: str) -> Lane:
        watch = Watch()
        made = lane_on(watch, runtime)
        watch.before = failing("wait", FAILURES["wait"], 1)
        return made

    lane = FallingBack(fails(""), fails, lambda line: None)
    with pytest.raises(GpuLostError):
        all_of(lane, demo)
    lane.close()


def all_of(lane: Lane, frames: list[Frame]) -> None:
    for frame in frames:
        lane.step(frame, HAPPY)


def test_a_gpu_that_cannot_be_opened_is_an_error_or_the_announced_cpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """For real: with this machine's CuPy and driver, or without."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("RTFILTER_CACHE", str(tmp_path))
    gpu = Gpu(0, "NVIDIA Test 4090", (8, 9), 24 << 30, (12, 4))
    engine = EngineChoice(gpu, None, "sm89", "a test")
    with pytest.raises(GpuError):
        open_lane(LaneChoice("cuda", "a test", True, False, engine), on_cpu, builtin(), 0.0)
    messages: list[str] = []
    lane = open_lane(
        LaneChoice("cuda", "a test", True, True, engine), on_cpu, builtin(), 0.0, messages.append
    )
    assert lane.name == "cpu"
    assert "cannot be loaded" in lane.why
    assert sum("the CPU lane is used" in line for line in messages) == 1
    lane.close()
