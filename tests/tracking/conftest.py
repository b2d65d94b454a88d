"""The trackers, loaded once: it takes half a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.engines.prepare.files import PROCESSOR, prepared
from rtfilter.tracking.base import Tracker
from rtfilter.tracking.engine import EngineTracker, FaceNetworks

MakeTracker = Callable[[], EngineTracker]


@pytest.fixture(scope="session")
def make_engine_tracker(tmp_path_factory: pytest.TempPathFactory) -> MakeTracker:
    """Makes our own tracker, with networks out of a cache of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RTFILTER_CACHE", str(tmp_path_factory.mktemp("networks")))
        detector, mesh = (prepared(spec, form=PROCESSOR) for spec in (FACE_DETECTOR, FACE_MESH))
    return lambda: EngineTracker(
        FaceNetworks(OnnxRunner(detector, FACE_DETECTOR), OnnxRunner(mesh, FACE_MESH))
    )


@pytest.fixture(scope="module", params=["engine", "mediapipe"])
def shared_tracker(request: pytest.FixtureRequest) -> Iterator[Tracker]:
    made: Tracker
    if request.param == "engine":
        made = request.getfixturevalue("make_engine_tracker")()
    else:
        pytest.importorskip("mediapipe", reason="MediaPipe is not installed")
        from rtfilter.learn.mediapipe_tracker import MediaPipeTracker

        made = MediaPipeTracker()
    yield made
    made.close()


@pytest.fixture
def tracker(shared_tracker: Tracker) -> Tracker:
    """Both kinds, one after the other; every test starts with nobody followed."""
    shared_tracker.reset()
    return shared_tracker


@pytest.fixture(scope="module")
def shared_engine(make_engine_tracker: MakeTracker) -> Iterator[EngineTracker]:
    made = make_engine_tracker()
    yield made
    made.close()


@pytest.fixture
def engine(shared_engine: EngineTracker) -> EngineTracker:
    """Our own tracker; every test starts with nobody followed."""
    shared_engine.reset()
    return shared_engine
