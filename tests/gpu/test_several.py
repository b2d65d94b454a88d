"""Several faces of a frame are several works of one launch: as the CPU lane paints them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import pytest

from rtfilter.controls import Controls
from rtfilter.cpu.lane import CpuLane
from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
from rtfilter.frame import Frame
from rtfilter.gpu.cuda_lane import CudaLane
from rtfilter.gpu.lane import StepResult
from rtfilter.system.arrays import Box
from rtfilter.tracking.engine import EngineTracker, FaceNetworks
from tests.faces import builtin
from tests.gpu.conftest import MakeLane
from tests.gpu.in_planes import apart, in_planes
from tests.host_gpu.device import HostDevice
from tests.host_gpu.on_host import HostRuntime
from tests.tracking.scenes import HEAD, at

# Faces cut out closely, so that neighbours' edits share pixels: centres of the tiles, and their scale.
TIGHT = np.s_[20:240, 80:192]
PEOPLE = (((110, 160), 1.0), ((221, 165), 0.98), ((560, 160), 0.9))
PLAIN = Controls(occlusion=False, smoothing=0.0)
THEIRS = {
    1: PLAIN.with_(emotions={"surprised": 1.0}),
    2: PLAIN.with_(emotions={"sad": 1.0}),
    3: PLAIN.with_(emotions={"happy": 1.0}),
}


@pytest.fixture
def cpu(runtime: HostRuntime) -> Iterator[CpuLane]:
    device = HostDevice()
    networks = FaceNetworks(*(runtime.runner(spec, 1, device) for spec in (FACE_DETECTOR, FACE_MESH)))
    lane = CpuLane(EngineTracker(networks), builtin(), 0.1, faces=3)
    yield lane
    lane.close()


@pytest.fixture
def cuda(on_host: MakeLane) -> CudaLane:
    return on_host(0.1, faces=3)


def frames(count: int, planes: bool, shown: int = 3) -> list[Frame]:
    """Of people who sit still: the CUDA lane knows where the others are from the frame before."""
    made = []
    for seq in range(count):
        frame = at(crowd(PEOPLE[:shown]), seq)
        made.append(in_planes(frame) if planes else frame)
    return made


def crowd(people: Sequence[tuple[tuple[int, int], float]]) -> np.ndarray:
    rgb = np.full((320, 720, 3), 90, np.uint8)
    for (x, y), scale in people:
        tile = cv2.resize(HEAD[TIGHT], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        top, left = y - tile.shape[0] // 2, x - tile.shape[1] // 2
        rgb[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return rgb


def same(ours: StepResult, theirs: StepResult) -> float:
    """Share of the samples that lie more than 2 levels apart, and the same people in one order."""
    assert [one.person for one in ours.report.people] == [one.person for one in theirs.report.people]
    for one, other in zip(ours.report.people, theirs.report.people, strict=True):
        assert one.strength == pytest.approx(other.strength, abs=1e-6)
    assert ours.frame.changed == theirs.frame.changed
    whole = Box(0, 0, ours.frame.width, ours.frame.height)
    return float((apart(ours.frame, theirs.frame, whole) > 2).mean())


@pytest.mark.parametrize("planes", [False, True], ids=["rgb", "planes"])
def test_the_lanes_agree_on_three_faces_whose_edits_overlap(
    cuda: CudaLane, cpu: CpuLane, planes: bool
) -> None:
    launches: list[int] = []
    launch = cuda.batcher.device.launch
    cuda.batcher.device.launch = lambda batch: (launches.append(len(batch)), launch(batch))[1]  # type: ignore[method-assign, assignment, func-returns-value]
    for number, frame in enumerate(frames(4, planes)):
        launches.clear()
        ours, theirs = cuda.step(frame, PLAIN, THEIRS), cpu.step(frame, PLAIN, THEIRS)
        assert same(ours, theirs) < 1e-3
        assert len(ours.report.people) == 3
        if number > 1:
            assert max(launches) >= 3, "all faces in one launch"
    boxes = sorted(person.last.box for person in cuda._people.values() if person.last.box)
    assert len(boxes) == 3
    assert boxes[0].within(boxes[1]), "the two on the left are near enough to share pixels"


def test_who_leaves_fades_and_makes_room(cuda: CudaLane, cpu: CpuLane) -> None:
    for frame in frames(3, False):
        cuda.step(frame, PLAIN, THEIRS)
        cpu.step(frame, PLAIN, THEIRS)
    for frame in frames(38, False, shown=2)[4::3]:
        ours, theirs = cuda.step(frame, PLAIN, THEIRS), cpu.step(frame, PLAIN, THEIRS)
        assert same(ours, theirs) < 1e-3
    assert len(cuda._people) == 2
    assert len(cuda._free_rows) == 1


def test_bypass_of_one_leaves_their_pixels_alone(cuda: CudaLane, cpu: CpuLane) -> None:
    for lane in (cuda, cpu):
        resting: int | None = None
        for frame in frames(3, False):
            theirs = dict(THEIRS) if resting is None else {**THEIRS, resting: PLAIN.with_(bypass=True)}
            out, report = lane.step(frame, PLAIN, theirs)
            resting = max(report.people, key=lambda one: one.landmarks.points_px[:, 0].mean()).person
        assert len(report.people) == 3
        assert out.changed is not None
        assert np.array_equal(out.rgb[:, 400:], frame.rgb[:, 400:])
        assert not np.array_equal(out.rgb[:, :400], frame.rgb[:, :400])


def test_a_chosen_face_is_followed_on_the_device(on_host: MakeLane) -> None:
    lane = on_host(0.0)
    numbers, places = [], []
    for seq, frame in enumerate(frames(8, False, shown=2)):
        if seq == 4:
            other = max(PEOPLE[:2], key=lambda one: abs(one[0][0] - places[-1]))
            lane.choose(other[0][0] / frame.width, other[0][1] / frame.height)
        report = lane.step(frame, THEIRS[1]).report
        assert report.landmarks is not None
        numbers.append(report.landmarks.person)
        places.append(float(report.landmarks.points_px[:, 0].mean()))
    assert numbers == [1] * 4 + [2] * 4
    assert abs(places[4] - places[3]) > 80
    assert abs(places[7] - places[4]) < 20
    assert report.strength == 1.0


def test_after_a_step_back_in_time_everybody_has_a_place_of_their_own(cuda: CudaLane, cpu: CpuLane) -> None:
    """As in a clip that is looped: all are new, while the edits of those before still show."""
    for frame in (*frames(4, False), *frames(3, False)):
        ours, theirs = cuda.step(frame, PLAIN, THEIRS), cpu.step(frame, PLAIN, THEIRS)
    assert [one.person for one in ours.report.people] == [one.person for one in theirs.report.people]
    assert len(ours.report.people) == 3
    assert len({person.first_row for person in cuda._people.values()}) == 3
