"""The opponent is a fair one: its warp does what it says."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.bench.mls_smile import MlsSmile, similarity
from rtfilter.face import landmarks as lm
from rtfilter.sources.demo import DemoSource


@pytest.fixture(scope="module")
def face() -> tuple[np.ndarray, np.ndarray]:
    """A picture and its landmarks."""
    source = DemoSource(640, 360)
    frame, truth = source.frame(0), source.truth(0)
    source.close()
    return frame.rgb, truth.points_px


def test_a_similarity_is_reproduced_exactly() -> None:
    rng = np.random.default_rng(1)
    p = (rng.uniform(0, 100, 8) + 1j * rng.uniform(0, 100, 8)).astype(np.complex64)
    v = (rng.uniform(0, 100, 50) + 1j * rng.uniform(0, 100, 50)).astype(np.complex64)
    turn, shift = 1.2 * np.exp(0.3j), 5 - 7j
    moved = similarity(p, (turn * p + shift).astype(np.complex64), v)
    np.testing.assert_allclose(moved, turn * v + shift, atol=2e-3)


def test_control_points_are_met() -> None:
    p = np.array([0, 100, 100j, 100 + 100j, 50 + 50j], np.complex64)
    q = p.copy()
    q[4] += 8 - 3j
    np.testing.assert_allclose(similarity(p, q, p), q, atol=0.05)


def test_no_smile_changes_nothing(face: tuple[np.ndarray, np.ndarray]) -> None:
    rgb, points_px = face
    np.testing.assert_array_equal(MlsSmile(0.0).apply(rgb, points_px), rgb)


def test_the_corners_go_up_and_outwards(face: tuple[np.ndarray, np.ndarray]) -> None:
    rgb, points_px = face
    dotted = np.zeros_like(rgb)
    iod = float(np.linalg.norm(points_px[lm.EYE_OUTER_LEFT, :2] - points_px[lm.EYE_OUTER_RIGHT, :2]))
    corners = {"right": lm.MOUTH_CORNER_RIGHT, "left": lm.MOUTH_CORNER_LEFT, "nose": lm.NOSE_TIP}
    for index in corners.values():
        x, y = points_px[index, :2].round().astype(int)
        dotted[y - 1 : y + 2, x - 1 : x + 2] = 255
    out = MlsSmile(0.07).apply(dotted, points_px)
    moves = {}
    for name, index in corners.items():
        x, y = points_px[index, :2].round().astype(int)
        part = out[y - 15 : y + 16, x - 15 : x + 16, 0].astype(float)
        rows, columns = np.mgrid[-15:16, -15:16]
        moves[name] = np.array([(columns * part).sum(), (rows * part).sum()]) / part.sum() / iod
    assert moves["right"][1] == pytest.approx(-0.07, abs=0.02)
    assert moves["left"][1] == pytest.approx(-0.07, abs=0.02)
    assert moves["right"][0] < -0.01 < 0.01 < moves["left"][0]
    assert np.abs(moves["nose"]).max() < 0.02


def test_far_from_the_face_nothing_moves(face: tuple[np.ndarray, np.ndarray]) -> None:
    rgb, points_px = face
    out = MlsSmile().apply(rgb, points_px)
    assert np.any(out != rgb)
    np.testing.assert_array_equal(out[:, :40], rgb[:, :40])
    np.testing.assert_array_equal(out[:, -40:], rgb[:, -40:])


def test_a_face_outside_the_picture_is_left(face: tuple[np.ndarray, np.ndarray]) -> None:
    rgb, points_px = face
    np.testing.assert_array_equal(MlsSmile().apply(rgb, points_px + np.float32(5000)), rgb)
