"""Both lanes whole, each with its own tracking; and the filter on top of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rtfilter.controls import Controls
from rtfilter.cpu.lane import CpuLane
from rtfilter.engines.driver import Gpu
from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
from rtfilter.engines.prepare.choose import EngineChoice
from rtfilter.errors import UsageError
from rtfilter.filter import FaceFilter
from rtfilter.frame import Frame
from rtfilter.gpu.choose import LaneChoice
from rtfilter.sources.demo import DemoSource
from rtfilter.sources.file import FileSource
from rtfilter.system.arrays import Box
from rtfilter.tracking.engine import EngineTracker, FaceNetworks
from tests.faces import builtin
from tests.gpu.conftest import MakeLane
from tests.gpu.in_planes import apart
from tests.host_gpu.device import HostDevice
from tests.host_gpu.on_host import HostRuntime, open_on_host

CONTROLS = (
    Controls({"happy": 1.0}),
    Controls({"surprised": 1.2, "angry": 0.3}, mouth=0.3, smoothing=0.0),
)
FRAMES = 16


@pytest.fixture
def cpu(runtime: HostRuntime) -> Iterator[CpuLane]:
    """The CPU lane with the engine-run tracker, of the same networks."""
    device = HostDevice()
    networks = FaceNetworks(*(runtime.runner(spec, 1, device) for spec in (FACE_DETECTOR, FACE_MESH)))
    lane = CpuLane(EngineTracker(networks), builtin(), 0.2)
    yield lane
    lane.close()


def frames_of(name: str, shared: Path) -> list[Frame]:
    source = DemoSource(640, 480) if name == "demo" else FileSource(str(shared / "footage" / name))
    frames = [source.read() for _ in range(FRAMES)]
    source.close()
    return [frame for frame in frames if frame is not None]


@pytest.mark.parametrize("name", ["demo", "d0.mp4", "d9.mp4", "s18.mp4"])
def test_the_lanes_agree_on_whole_frames(
    on_host: MakeLane, cpu: CpuLane, name: str, request: pytest.FixtureRequest
) -> None:
    """Promised: at most 2 levels apart on 99.9 % of the pixels (clips are planes: of the samples).

    Measured over 50 frames of nine sources, two targets: nowhere more than 2 levels apart, and 1 where the
    clips come as RGB; landmarks within 0.0003 % of an IOD, for both lanes read the square by one arithmetic.
    """
    frames = frames_of(name, Path() if name == "demo" else request.getfixturevalue("shared"))
    lane = on_host(0.2)
    for asked in CONTROLS:
        controls = asked.with_(occlusion=False)
        lane.reset()
        cpu.reset()
        over, changed = [], 0
        for frame in frames:
            ours, report = lane.step(frame, controls)
            theirs, expected = cpu.step(frame, controls)
            levels = apart(ours, theirs, Box(0, 0, frame.width, frame.height))
            over.append(float((levels > 2).mean()))
            changed += ours.changed is not None
            assert report.landmarks is not None
            assert expected.landmarks is not None
            assert expected.state is not None
            off_px = np.abs(report.landmarks.points_px - expected.landmarks.points_px)[:, :2].max()
            assert off_px < 5e-5 * expected.state.pose.scale_px_per_iod
        assert changed >= FRAMES - 2
        assert max(over) < 1e-4
        (one,) = lane._people.values()
        assert one.light.value[0] > 0.05  # both saw the room's light, and from one place
        light = cpu._people.of(expected.landmarks.person).light
        np.testing.assert_allclose(one.light.value, light.value, atol=1e-3)


def test_both_lanes_leave_a_bar_over_the_face_alone(on_host: MakeLane, cpu: CpuLane) -> None:
    """Their masks differ: the CUDA lane's lies around the landmarks of the frame before.

    Measured: up to 0.17 % of the pixels of a frame are more than 2 levels apart.
    """
    lane, changed = on_host(0.2), 0
    for number, frame in enumerate(frames_of("demo", Path())):
        rgb = frame.rgb.copy()
        bar = slice(200 + 2 * number, 250 + 2 * number)
        if number > 4:
            rgb[bar, 100:540] = (40, 90, 200)
        frame = Frame.from_rgb(rgb, pts=frame.pts_ns, seq=number)
        ours, _ = lane.step(frame, CONTROLS[0])
        theirs, _ = cpu.step(frame, CONTROLS[0])
        over = (apart(ours, theirs, Box(0, 0, 640, 480)) > 2).mean()
        assert over < (0.004 if number > 7 else 0.02)  # in between they may see it a frame apart
        changed += ours.changed is not None and theirs.changed is not None
        if number > 7:  # it is held within 100 ms
            for out in (ours, theirs):
                assert not (out.rgb != rgb)[bar, 104:536][3:-3].any()
    assert changed > 8


@pytest.fixture
def on_a_gpu(runtime: HostRuntime, monkeypatch: pytest.MonkeyPatch) -> LaneChoice:
    """A choice whose GPU is the host device."""
    gpu = Gpu(0, "NVIDIA Test 4090", (8, 9), 24 << 30, (12, 4))
    monkeypatch.setattr(
        "rtfilter.gpu.open.open_cuda",
        lambda choice, model, fade_s, notify, streams, faces: open_on_host(model, fade_s, runtime, faces),
    )
    return LaneChoice("cuda", "a test", True, True, EngineChoice(gpu, None, "sm89", "a test"))


def test_the_filter_is_the_same_on_either_lane(on_a_gpu: LaneChoice) -> None:
    """Bypass, reset, the report, and closing twice."""
    frames = frames_of("demo", Path())[:4]
    one = FaceFilter(lane=on_a_gpu, fade_s=0.0)
    assert one.lane == "cuda"
    first = [one.step(frame, CONTROLS[1]) for frame in frames]
    report = first[-1].report
    assert report.state is not None
    assert report.state.expression.shape == (52,)
    assert set(report.stage_ns) == {"track", "device", "render", "total"}
    bypassed = one.step(frames[0], CONTROLS[1].with_(bypass=True))
    assert bypassed.frame.rgb is frames[0].rgb
    assert bypassed.report.landmarks is None
    again = [one.step(frame, CONTROLS[1]) for frame in frames]
    pairs = zip(first, again, strict=True)
    assert all(np.array_equal(a.frame.rgb, b.frame.rgb) for a, b in pairs), "bypass forgets"
    one.close()
    one.close()
    with pytest.raises(UsageError, match="closed"):
        one.step(frames[0], CONTROLS[0])
