"""The build's command: what it refuses, in one line; and the parts that need no footage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mediapipe", reason="MediaPipe is not installed")

from rtfilter.face.dense import DenseFace
from rtfilter.learn.model import build_face_model
from rtfilter.learn.model.build_face_model import clips_of, main, reconstruction_error, save
from rtfilter.learn.model.dense import _parts, save_dense
from rtfilter.learn.model.identity import _without_pose
from rtfilter.learn.model.observe import Clip
from tests.faces import builtin, coefficients, person, rotation, with_expression


def refused(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(list(options)) != 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_bad_inputs_are_refused_in_one_line(
    tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scans, task = str(shared / "models" / "ict_facekit.npz"), str(shared / "models" / "face_landmarker.task")
    empty = tmp_path / "empty"
    empty.mkdir()
    broken = tmp_path / "scans.npz"
    broken.write_bytes(b"PK\x03\x04 half a download")
    given = ["--out", str(tmp_path / "model.npz"), "--dense", str(tmp_path / "dense.npz")]
    folder = ["--footage", str(empty)]
    assert "not ICT-FaceKit" in refused(capsys, "--scans", str(broken), "--task", task, *folder, *given)
    assert "0 clips" in refused(capsys, "--scans", scans, "--task", task, *folder, *given)
    assert "check --task" in refused(capsys, "--scans", scans, "--task", "none.task", *folder, *given)
    gone = ["--footage", str(tmp_path / "gone")]
    assert "no such folder" in refused(capsys, "--scans", scans, "--task", task, *gone, *given)
    assert list(tmp_path.glob("*.npz")) == [broken], "nothing was written"


def test_clips_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.MOV", "c.txt", "d.webm"):
        (tmp_path / name).touch()
    assert [path.name for path in clips_of(tmp_path)] == ["a.MOV", "b.mp4", "d.webm"]


def test_both_files_are_read_back_as_they_were(tmp_path: Path) -> None:
    save(builtin(), tmp_path / "model.npz")
    again = type(builtin()).load(tmp_path / "model.npz")
    assert np.array_equal(again.expression_basis, builtin().expression_basis)
    assert np.array_equal(again.expression_covariance, builtin().expression_covariance)
    dense = DenseFace.builtin()
    save_dense(dense, tmp_path / "dense.npz")
    assert (tmp_path / "dense.npz").read_bytes() == build_face_model.TARGET.with_name(
        "face_dense.npz"
    ).read_bytes()


def test_the_error_is_that_of_what_the_model_cannot_make() -> None:
    """A face of the model's own is explained; one of which half the landmarks wander by 2 % is not."""
    from rtfilter.face.pose import Pose

    rng = np.random.default_rng(0)
    neutral, points = person(rng, free_iod=0.0), []
    for k in range(60):
        shape = with_expression(neutral, coefficients(jawOpen=0.3 * (k % 10) / 10))
        points.append(Pose(rotation(5, 0, 0), np.zeros(3), 100.0).project(shape))
    clean = Clip("clean", np.array(points), np.zeros((60, 52)), np.arange(60) / 30)
    shaken = Clip(
        "x", clean.points_px + rng.normal(0, 2.0, clean.points_px.shape), clean.scores, clean.time_s
    )
    assert reconstruction_error(builtin(), clean) < 0.004
    assert 0.01 < reconstruction_error(builtin(), shaken) < 0.05


@pytest.mark.parametrize("cut", [(), (0,), (1,), (0, 2), (1, 2), (0, 1, 2)])
def test_a_triangle_is_cut_without_gap_or_turn(cut: tuple[int, ...]) -> None:
    points = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
    sides = [(0, 1), (1, 2), (2, 0)]
    between = {(min(sides[k]), max(sides[k])): 3 + k for k in cut}
    parts = _parts([0, 1, 2], between)
    assert len(parts) == 1 + len(cut)
    areas = []
    for a, b, c in parts:
        u, v = points[b] - points[a], points[c] - points[a]
        areas.append(0.5 * (u[0] * v[1] - u[1] * v[0]))
    assert min(areas) > 0, "the sense stays"
    assert sum(areas) == pytest.approx(8.0)


def test_what_a_pose_explains_is_no_identity() -> None:
    mean = builtin().mean_iod.astype(np.float64)
    weights = builtin().rigidity.astype(np.float64)
    turned = np.cross([0.0, 0.02, 0.01], mean) + np.array([0.1, 0.0, -0.2]) + 0.03 * mean
    own = 0.05 * builtin().identity_basis[0].astype(np.float64)
    free = _without_pose(np.stack([turned, own, own + turned]), mean, weights)
    assert free[0] == pytest.approx(0.0, abs=1e-12)
    assert free[2] == pytest.approx(free[1], abs=1e-12)
    assert np.linalg.norm(free[1]) > 0.03
