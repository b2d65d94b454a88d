"""From observations to the table, on made people whose feelings are known; and the command's bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPES, EMOTIONS
from rtfilter.errors import InputError
from rtfilter.learn.emotions import watch as watching
from rtfilter.learn.emotions.measure import main, measure, short
from rtfilter.learn.emotions.sources import Take
from rtfilter.learn.emotions.watch import Seen, watch
from tests.faces import builtin, coefficients
from tests.learn.emotions.made import seen, speech, take

TRUTH = {
    "happy": coefficients(mouthSmile=0.5, mouthUpperUp=0.4, eyeSquint=0.3),
    "sad": coefficients(mouthFrown=0.4, eyeSquint=0.4, browInnerUp=0.2),
    "angry": coefficients(browDown=0.6, eyeSquint=0.5),
    "surprised": coefficients(browInnerUp=0.6, browOuterUp=0.5, eyeWide=0.4),
    "fearful": coefficients(browInnerUp=0.6, eyeWide=0.4, mouthStretch=0.3),
    "disgusted": coefficients(mouthUpperUp=0.5, browDown=0.4, noseSneer=0.4),
    "contempt": coefficients(mouthSmileRight=0.5, browOuterUp=0.3),
}


def made_people() -> list[tuple[Take, Seen]]:
    """Two people with every emotion and the same sentence without, and four neutral speakers."""
    random = np.random.default_rng(5)
    count = len(builtin().identity_scale)
    found = []
    for person in ("W1", "W2"):
        identity = 0.7 * random.standard_normal(count)
        spoken = speech(seed=len(person))
        found.append((take(person, "neutral"), seen(spoken, identity, noise=0.002)))
        for emotion, direction in TRUTH.items():
            strength = random.uniform(0.85, 1.15)
            found.append((take(person, emotion), seen(spoken + strength * direction, identity, noise=0.002)))
    for k in range(4):
        identity = 0.7 * random.standard_normal(count)
        found.append((take(f"n{k}", "neutral", f"{k}"), seen(speech(seed=k), identity, noise=0.002)))
    return found


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    return dict(measure(builtin(), made_people()))


@pytest.mark.parametrize("emotion", TRUTH)
def test_directions_come_back(table: dict[str, Any], emotion: str) -> None:
    row = table["emotions"][emotion]
    found = np.array([row["direction"].get(name, 0.0) for name in BLENDSHAPES])
    # Cheeks and the wings of the nose hardly show in landmarks: there the prior stays.
    found[[name.startswith(("cheek", "nose")) for name in BLENDSHAPES]] = 0.0
    truth = np.where([name.startswith(("cheek", "nose")) for name in BLENDSHAPES], 0.0, TRUTH[emotion])
    assert found @ truth / np.linalg.norm(found) / np.linalg.norm(truth) > 0.87
    assert 0.6 < found @ truth / (truth @ truth) < 1.15
    assert row["people"] == row["matched_people"] == 2


def test_the_table_is_json_and_says_it_in_short(table: dict[str, Any]) -> None:
    assert list(json.loads(json.dumps(table))["emotions"]) == [e for e in EMOTIONS if e != "neutral"]
    lines = short(table).splitlines()
    assert len(lines) == len(TRUTH)
    assert all(len(line) > 40 for line in lines)


def test_a_wider_mouth_is_in_the_ratios(table: dict[str, Any]) -> None:
    assert table["emotions"]["happy"]["width_ratio"]["mean"] > 1.05
    assert table["emotions"]["angry"]["width_ratio"]["mean"] == pytest.approx(1.0, abs=0.03)


def test_missing_files_are_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = tmp_path / "face.task"
    assert main(["--footage", str(tmp_path), "--task", str(task)]) == 1
    assert "face.task: no such file" in capsys.readouterr().err
    task.write_bytes(b"x")
    assert main(["--footage", str(tmp_path), "--task", str(task)]) == 1
    said = capsys.readouterr().err
    assert "no person with a neutral and an emotional take" in said
    assert said.count("\n") == 1


def test_what_was_tracked_is_not_tracked_again_and_damage_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, calls = tmp_path / "clip.mp4", []
    file.write_bytes(b"x")
    task = tmp_path / "teacher.task"
    task.write_bytes(b"one")
    one = Take("clip", "a", "happy", 1.0, "", (file,))
    monkeypatch.setattr(watching, "_track", lambda *_: calls.append(1) or seen(speech(5)))
    first = watch(one, task, tmp_path / "cache")
    again = watch(one, task, tmp_path / "cache")
    assert len(calls) == 1
    assert np.array_equal(first.points_px, again.points_px)
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    watch(one, task, tmp_path / "cache")
    file.write_bytes(b"another")
    watch(one, task, tmp_path / "cache")
    assert len(calls) == 3
    task.write_bytes(b"another teacher")
    watch(one, task, tmp_path / "cache")
    assert len(calls) == 4


@pytest.mark.parametrize("still", [False, True])
def test_what_cannot_be_read_is_named(tmp_path: Path, still: bool) -> None:
    file = tmp_path / ("face.jpg" if still else "clip.mp4")
    file.write_bytes(b"nothing of a picture")
    with pytest.raises(InputError, match=file.name):
        list(watching.pictures(Take("t", "a", "happy", 1.0, "", (file,), still)))


def test_small_stills_are_read_twice_as_large(tmp_path: Path) -> None:
    file = tmp_path / "face.png"
    cv2.imwrite(str(file), np.full((100, 80, 3), 9, np.uint8))
    ((rgb, time_s),) = watching.pictures(Take("t", "a", "happy", 1.0, "", (file,), still=True))
    assert (rgb.shape, time_s) == ((200, 160, 3), 0.0)
