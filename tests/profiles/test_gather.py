"""An enrolment while it runs: two people, turned heads, what is taken up again, and a full disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from rtfilter.errors import InputError
from rtfilter.face.pose import Pose
from rtfilter.frame import Frame
from rtfilter.profiles.check import Problem
from rtfilter.profiles.gather import TOLD_AFTER, Gathering
from rtfilter.profiles.guide import PROMPTS, coverage, prompt_at
from rtfilter.profiles.store import ProfileStore
from rtfilter.sources.portrait import Portrait
from rtfilter.tracking.engine import EngineTracker
from tests.faces import builtin, coefficients, face_px, rotation
from tests.profiles.test_store import full_disk

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]
RATE = 6.0


@pytest.fixture(scope="module")
def seen() -> tuple[U8, F32]:
    """The portrait and its landmarks."""
    rgb = np.ascontiguousarray(Portrait.builtin().rgb[:400, :400])
    tracker = EngineTracker()
    found = tracker.track(Frame.from_rgb(rgb))
    tracker.close()
    assert found is not None
    return rgb, found.points_px


def gathering(store: ProfileStore | None, lines: list[str] | None = None, seconds: float = 20.0) -> Gathering:
    said: list[str] = [] if lines is None else lines
    return Gathering(store, "anna", seconds, builtin(), said.append)


def run(gathered: Gathering, seen: tuple[U8, F32], seconds: float, start_s: float = 0.0) -> None:
    rgb, points = seen
    for number in range(round(seconds * RATE) + 1):
        gathered.step(rgb, [points], start_s + number / RATE)


def test_seconds_and_samples_are_counted(seen: tuple[U8, F32]) -> None:
    gathered = gathering(None)
    run(gathered, seen, 6.0)
    assert gathered.progress.seconds == pytest.approx(6.0, abs=0.2)
    assert len(gathered.samples) == pytest.approx(36, abs=2)
    gathered.require_enough()


def test_what_was_gathered_is_taken_up_again(seen: tuple[U8, F32], tmp_path: Path) -> None:
    store, lines = ProfileStore(tmp_path), []
    first = gathering(store)
    run(first, seen, 4.0)
    first.write()
    again = gathering(store, lines)
    (line,) = lines
    assert "taking up again what was gathered for anna: 4 s" in line
    assert "--fresh" in line
    assert len(again.samples) == len(first.samples)
    assert np.array_equal(again.samples[-1].texture, first.samples[-1].texture)
    run(again, seen, 3.0, start_s=1000.0)
    assert again.progress.seconds == pytest.approx(7.0, abs=0.4)


def test_a_kill_costs_five_seconds_at_most(seen: tuple[U8, F32], tmp_path: Path) -> None:
    store = ProfileStore(tmp_path)
    run(gathering(store), seen, 8.0)  # never told to write
    assert 3.0 < gathering(store).progress.seconds <= 8.0


def test_two_people_and_nobody(seen: tuple[U8, F32]) -> None:
    gathered, (rgb, points) = gathering(None), seen
    wide = np.concatenate([rgb, rgb], axis=1)
    for number in range(TOLD_AFTER):
        progress = gathered.step(wide, [points, points + np.array([400, 0, 0], np.float32)], number / RATE)
    assert progress.problem is Problem.TWO_FACES
    for number in range(TOLD_AFTER):
        progress = gathered.step(rgb, [], 2.0 + number / RATE)
    assert progress.problem is Problem.NO_FACE
    assert progress.seconds == 0.0
    assert not gathered.samples


def test_only_turned_heads_are_no_enrolment(seen: tuple[U8, F32]) -> None:
    gathered, (rgb, _) = gathering(None), seen
    turned = face_px(Pose(rotation(yaw_deg=60.0), np.array([200.0, 200.0, 0.0]), 120.0))
    for number in range(60):
        progress = gathered.step(rgb, [turned], number / RATE)
    assert progress.problem is Problem.TURNED
    with pytest.raises(InputError, match=r"only 0.0 s .*in 60 of 60 frames the face is turned too far"):
        gathered.require_enough()


def test_a_pause_does_not_count(seen: tuple[U8, F32]) -> None:
    gathered = gathering(None)
    run(gathered, seen, 2.0)
    gathered.step(seen[0], [], 2.1)
    run(gathered, seen, 2.0, start_s=60.0)
    assert gathered.progress.seconds == pytest.approx(4.0, abs=0.2)


def test_a_full_disk_is_told_once_and_tried_again(seen: tuple[U8, F32], tmp_path: Path) -> None:
    store, lines = ProfileStore(tmp_path), []
    gathered = gathering(store, lines)
    with full_disk(20_000):
        run(gathered, seen, 6.0)
    assert len(lines) == 1
    assert "cannot be written" in lines[0]
    assert "Free some space" in lines[0]
    assert not list(store.parts("anna"))
    gathered.write()  # there is room again
    assert len(gathering(store).samples) == len(gathered.samples)


def test_every_prompt_has_its_turn() -> None:
    assert [prompt_at(60.0 * (k + 0.5) / len(PROMPTS), 60.0)[0] for k in range(len(PROMPTS))] == list(PROMPTS)
    assert prompt_at(1e9, 60.0) == (PROMPTS[-1], 0.0)


def test_coverage_says_what_was_shown() -> None:
    smiling = np.array([coefficients(mouthSmile=0.6)] * 10 + [coefficients()] * 30)
    shown = coverage(smiling, np.linspace(-12.0, 12.0, 40))
    assert shown["smile"] == 1.0
    assert shown["neutral"] == 1.0
    assert shown["turn"] == 1.0
    assert shown["frown"] == 0.0
