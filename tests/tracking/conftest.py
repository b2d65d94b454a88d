"""The tracker, loaded once: it takes half a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.engines.prepare.files import PROCESSOR, network_bytes
from rtfilter.tracking.engine import EngineTracker, FaceNetworks

MakeTracker = Callable[[], EngineTracker]


@pytest.fixture(scope="session")
def make_engine_tracker(tmp_path_factory: pytest.TempPathFactory) -> MakeTracker:
    """Makes our own tracker, with networks out of a cache of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RTFILTER_CACHE", str(tmp_path_factory.mktemp("networks")))
        detector, mesh = (network_bytes(spec, form=PROCESSOR) for spec in (FACE_DETECTOR, FACE_MESH))
    return lambda: EngineTracker(
        FaceNetworks(OnnxRunner(detector, FACE_DETECTOR), OnnxRunner(mesh, FACE_MESH))
    )


@pytest.fixture(scope="module")
def shared_engine(make_engine_tracker: MakeTracker) -> Iterator[EngineTracker]:
    made = make_engine_tracker()
    yield made
    made.close()


@pytest.fixture
def engine(shared_engine: EngineTracker) -> EngineTracker:
    """Follows nobody at the start of every test."""
    shared_engine.reset()
    return shared_engine
