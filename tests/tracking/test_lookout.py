"""Looks beside a stream: the same answers whatever the speed, and nothing hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rtfilter.planes import Planes
from rtfilter.system.arrays import U8
from rtfilter.tracking.detect import Detection, Letterbox
from rtfilter.tracking.engine import EngineTracker
from rtfilter.tracking.lookout import LookAside
from rtfilter.tracking.tiles import Tile, whole
from tests.tracking.conftest import MakeTracker
from tests.tracking.scenes import LEFT, RIGHT, at, scene

ROOT = Path(__file__).resolve().parents[2]


class Brightness:
    """A detector that "finds" the mean of what it saw as a place, and takes its time."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self.seen = 0.0
        self.threads: list[int] = []
        self.fails = False

    def see(self, pixels: U8 | Planes, tile: Tile | None = None) -> Letterbox:
        assert isinstance(pixels, np.ndarray)
        self.seen = float(pixels.mean())
        return Letterbox(0.0, 0.0, 1.0)

    def faces(self, box: Letterbox) -> list[Detection]:
        self.threads.append(threading.get_ident())
        time.sleep(self.delay_s)
        if self.fails:
            raise RuntimeError("no network")
        return [Detection(self.seen, 0.0, 1.0, 1.0, 0.9, np.zeros((6, 2), np.float32))]


@pytest.fixture
def detector() -> Brightness:
    return Brightness()


@pytest.fixture
def lookout(detector: Brightness) -> Iterator[LookAside]:
    made = LookAside(detector)
    yield made
    made.close()


def grey(level: int) -> U8:
    return np.full((40, 60, 3), level, np.uint8)


@pytest.mark.parametrize("delay_s", [0.0, 0.05])
def test_a_look_is_awaited_in_the_next_picture(
    lookout: LookAside, detector: Brightness, delay_s: float
) -> None:
    detector.delay_s = delay_s
    for level in (10, 20, 30):
        lookout.picture(grey(level))
        lookout.look(Tile(0, 0, 30))
        lookout.picture(None)
        found = lookout.looked()
        assert found is not None
        assert [face.x for face in found] == [level]
    assert lookout.looked() is None
    assert threading.get_ident() not in detector.threads


def test_the_picture_may_be_overwritten_while_its_faces_are_looked_for(
    lookout: LookAside, detector: Brightness
) -> None:
    """As by a program that reads its camera into one array."""
    detector.delay_s = 0.05
    picture = grey(10)
    lookout.picture(picture)
    lookout.look(Tile(0, 0, 30))
    picture[:] = 200
    found = lookout.looked()
    assert found is not None
    assert found[0].x == 10


def test_a_detection_waits_for_the_look_and_takes_its_answer_where_it_is_the_same(
    lookout: LookAside, detector: Brightness
) -> None:
    detector.delay_s = 0.02
    lookout.picture(grey(10))
    lookout.look(whole(60, 40))
    assert [face.x for face in lookout.detect()] == [10]
    assert len(detector.threads) == 1
    assert lookout.looked() is not None
    lookout.look(Tile(0, 0, 30))
    lookout.detect()
    assert len(detector.threads) == 3


def test_what_the_network_raises_is_raised_in_the_next_picture_and_once(
    lookout: LookAside, detector: Brightness
) -> None:
    detector.fails = True
    lookout.picture(grey(10))
    lookout.look(Tile(0, 0, 30))
    with pytest.raises(RuntimeError, match="no network"):
        lookout.looked()
    assert lookout.looked() is None
    detector.fails = False
    lookout.look(Tile(0, 0, 30))
    assert lookout.looked() is not None


def test_a_reset_drops_the_look_and_a_close_waits_for_it(detector: Brightness) -> None:
    detector.delay_s = 0.05
    lookout = LookAside(detector)
    lookout.picture(grey(10))
    lookout.look(Tile(0, 0, 30))
    lookout.reset()
    assert lookout.looked() is None
    lookout.picture(grey(20))
    lookout.look(Tile(0, 0, 30))
    lookout.close()
    lookout.close()
    assert len(detector.threads) == 2
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("rtfilter-look")]


def test_the_same_pictures_give_the_same_landmarks_however_slow_the_look_is(
    make_engine_tracker: MakeTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two who cross, so that looks decide; and small ones, whom the search finds."""
    pictures = [scene(((200 + 12 * k, 160), 250), ((520 - 12 * k, 160), 220)) for k in range(28)]
    frames = [at(rgb, seq) for seq, rgb in enumerate(pictures)]
    frames += [at(scene(((500, 200), 160), width=1280, height=640), 100 + seq) for seq in range(20)]
    streams = []
    for delay_s in (0.0, 0.01):
        tracker = make_engine_tracker()
        faces = tracker._networks.faces

        def slowly(box: Letterbox, faces=faces, delay_s: float = delay_s) -> list[Detection]:
            time.sleep(delay_s)
            return faces(box)

        monkeypatch.setattr(tracker._networks, "faces", slowly)
        streams.append([tracker.track(frame) for frame in frames])
        tracker.close()
    assert any(found is not None for found in streams[0][28:])
    for one, other in zip(*streams, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.person == other.person
            assert np.array_equal(one.points_px, other.points_px)


def test_a_stream_may_end_reset_or_fail_with_a_look_under_way(make_engine_tracker: MakeTracker) -> None:
    tracker: EngineTracker = make_engine_tracker()
    for seq in range(16):  # the sixteenth looks around
        tracker.track(at(scene((LEFT, 240)), seq))
    tracker.reset()
    for seq in range(40):
        assert tracker.track(at(scene((RIGHT, 240)), seq)) is not None
    tracker.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_with_a_look_under_way_goes_on_in_both_processes() -> None:
    program = """
import os, sys
import numpy as np
from rtfilter.tracking.engine import EngineTracker
from tests.tracking.scenes import at, scene
tracker = EngineTracker()
small = scene(((500, 200), 160), width=1280, height=640)
def work(first):
    return [tracker.track(at(small, seq)) for seq in range(first, first + 30)]
work(0)[:3]
tracker.reset()
work_before = [tracker.track(at(np.zeros_like(small), seq)) for seq in range(3)]
child = os.fork()
if child == 0:
    found = work(3)
    tracker.close()
    sys.exit(0 if found[-1] is not None else 7)
assert work(3)[-1] is not None
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
tracker.close()
"""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", program],
        capture_output=True,
        text=True,
        timeout=90.0,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
