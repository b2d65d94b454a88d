"""The CUDA lane on the host device, and a CPU lane that sees the same landmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rtfilter.errors import MissingExtraError
from rtfilter.kernels.host_build import find_compiler
from rtfilter.lane.cuda import CudaLane
from rtfilter.lane.on_host import HostRuntime, open_on_host
from tests.faces import builtin

MakeLane = Callable[..., CudaLane]


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

    def make(fade_s: float = 0.0) -> CudaLane:
        made.append(open_on_host(builtin(), fade_s, runtime))
        return made[-1]

    yield make
    for lane in made:
        lane.close()
