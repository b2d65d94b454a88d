"""The CUDA lane on the host device, and a CPU lane that sees the same landmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from rtfilter.controls import Controls
from rtfilter.cpu.lane import CpuLane
from rtfilter.errors import MissingExtraError
from rtfilter.frame import Frame
from rtfilter.gpu.cuda_lane import CudaLane
from rtfilter.tracking.base import Landmarks
from tests.faces import builtin
from tests.gpu.in_planes import apart, same_outside
from tests.host_gpu.build import find_compiler
from tests.host_gpu.on_host import HostRuntime, open_on_host

MakeLane = Callable[..., CudaLane]


class Echo:
    """A tracker that gives the other lane's landmarks."""

    def __init__(self) -> None:
        self.landmarks: Landmarks | None = None

    def track(self, frame: Frame) -> Landmarks | None:
        return self.landmarks

    def reset(self) -> None: ...

    def close(self) -> None: ...


class Both:
    """The same frames through both lanes. levels: how often the pixels of changed boxes (in planes: the
    samples) differ by so much."""

    def __init__(self, lane: CudaLane, fade_s: float) -> None:
        self.cuda, self._echo = lane, Echo()
        self.cpu = CpuLane(self._echo, builtin(), fade_s)
        self.levels = np.zeros(256, np.int64)
        self.changed = 0

    def step(self, frame: Frame, controls: Controls) -> tuple[Frame, Frame]:
        """Without what covers the face: the CUDA lane's mask is that around the landmarks before."""
        controls = controls.with_(occlusion=False)
        ours, report = self.cuda.step(frame, controls)
        self._echo.landmarks = report.landmarks
        theirs, expected = self.cpu.step(frame, controls)
        assert report.strength == pytest.approx(expected.strength, abs=1e-6)
        assert (report.state is None) == (expected.state is None)
        assert ours.changed == theirs.changed
        assert ours.original is frame
        if ours.changed is None:
            assert ours.pixels is frame.pixels
            return ours, theirs
        self.changed += 1
        assert same_outside(ours, frame, ours.changed), "the background is bit-exact"
        self.levels += np.bincount(apart(ours, theirs, ours.changed), minlength=256)
        return ours, theirs

    def farther_than(self, levels: int) -> float:
        """Share of the changed boxes' pixels that differ by more."""
        return float(self.levels[levels + 1 :].sum() / self.levels.sum())


def need_compiler() -> None:
    """Skip where the kernels cannot be compiled for the processor."""
    try:
        find_compiler()
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> HostRuntime:
    """The networks, made into a cache of their own."""
    need_compiler()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RTFILTER_CACHE", str(tmp_path_factory.mktemp("cache")))
        return HostRuntime(builtin())


@pytest.fixture
def on_host(runtime: HostRuntime) -> Iterator[MakeLane]:
    """Makes lanes that are closed after the test."""
    made: list[CudaLane] = []

    def make(fade_s: float = 0.0, faces: int = 1) -> CudaLane:
        made.append(open_on_host(builtin(), fade_s, runtime, faces))
        return made[-1]

    yield make
    for lane in made:
        lane.close()


@pytest.fixture
def both(on_host: MakeLane) -> Iterator[Both]:
    made = Both(on_host(0.2), 0.2)
    yield made
    made.cpu.close()
