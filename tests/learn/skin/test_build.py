"""The command: refusals in one line, and real takes observed once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtfilter.face.model import MorphableModel
from rtfilter.learn.skin import observe as observing
from rtfilter.learn.skin.build import Learner, main
from rtfilter.learn.skin.expressions import expressions


def test_missing_files_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = tmp_path / "t.task"
    assert main(["--footage", str(tmp_path), "--task", str(task)]) == 1
    task.write_bytes(b"teacher")
    assert main(["--footage", str(tmp_path), "--task", str(task)]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2
    assert "no such file" in lines[0]
    assert "check the folder" in lines[1]


def test_frames_are_spaced_evenly() -> None:
    assert observing.spaced(5, 10).tolist() == [0, 1, 2, 3, 4]
    assert observing.spaced(101, 3).tolist() == [0, 50, 100]
    assert observing.spaced(1, 3).tolist() == [0]


def test_a_real_smile_is_observed_once_and_folds(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two takes of one person, tracked for real; the second time everything is read."""
    monkeypatch.setattr(observing, "MOST_FRAMES", 24)
    footage, task = shared / "footage", shared / "models" / "face_landmarker.task"
    wanted = ("mead-W009_front_happy_level3_001", "mead-W009_front_neutral_level1_001")
    chosen = [take for take in observing.takes(footage) if take.name in wanted]
    where = (tmp_path / "tracked", tmp_path / "skin")
    first = list(observing.observe(chosen, task, *where, lambda line: None))
    made = {path: path.stat().st_mtime_ns for folder in where for path in folder.iterdir()}
    again = list(observing.observe(chosen, task, *where, lambda line: None))
    assert {path: path.stat().st_mtime_ns for path in made} == made
    for (_, _, one), (_, _, other) in zip(first, again, strict=True):
        assert (one.rgb == other.rgb).all()
        assert (one.weight == other.weight).all()
    next(iter(where[1].iterdir())).write_bytes(b"damaged")
    repaired = list(observing.observe(chosen, task, *where, lambda line: None))
    assert all((r[2].rgb == f[2].rgb).all() for r, f in zip(repaired, first, strict=True))

    shown = expressions(MorphableModel.builtin(), [(take, seen) for take, seen, _ in first])
    rows = np.concatenate([shown[take.name][skin.index] for take, _, skin in first])
    happy = np.concatenate([[take.emotion == "happy"] * len(skin.index) for take, _, skin in first])
    learner = Learner.make()
    ratios = learner.ratios([skin for _, _, skin in first], rows)
    change = ratios.log_ratio[happy].mean(0) - ratios.log_ratio[~happy].mean(0)
    cheek = learner.grid.spread(change.astype(np.float32))
    # A smile's fold from the nose to the corner of the mouth is darker than the cheek beside it.
    assert cheek[78:90, 38:44].mean() < cheek[70:82, 20:26].mean() - 0.02
