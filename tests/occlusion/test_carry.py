"""How a head moved: the similarity between two sets of landmarks, its inverse, and chains of them."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.occlusion.carry import after, inverse, moved, rigid_points
from tests.faces import coefficients, face_px


def similarity(turn_deg: float, size: float, x: float, y: float) -> np.ndarray:
    a, b = size * np.cos(np.radians(turn_deg)), size * np.sin(np.radians(turn_deg))
    return np.array([[a, -b, x], [b, a, y]])


def applied(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    out = points.copy()
    out[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    return out


@pytest.mark.parametrize("way", [(0, 1, 0, 0), (12, 1.1, 30, -8), (-75, 0.6, -200, 90)])
def test_a_similarity_is_found_again(way: tuple[float, float, float, float]) -> None:
    before, matrix = face_px(), similarity(*way)
    found = moved(rigid_points(before), rigid_points(applied(matrix, before)))
    assert np.abs(found - matrix).max() < 1e-3
    assert np.abs(after(inverse(matrix), matrix) - np.eye(2, 3)).max() < 1e-9
    assert np.abs(after(matrix, matrix)[:, :2] - matrix[:, :2] @ matrix[:, :2]).max() < 1e-9


def test_a_mouth_that_opens_is_no_head_that_moves() -> None:
    still, said = face_px(), face_px(expression=coefficients(jawOpen=1.0, mouthSmile=0.6))
    found = moved(rigid_points(still), rigid_points(said))
    assert np.abs(found[:, :2] - np.eye(2)).max() < 0.01
    assert np.abs(applied(found, still)[[33, 263, 168], :2] - still[[33, 263, 168], :2]).max() < 0.6


def test_points_on_one_spot_have_no_size() -> None:
    spot = np.full(13, 5 + 5j)
    assert np.isfinite(moved(spot, spot)).all()
    assert np.isfinite(inverse(np.zeros((2, 3)))).all()
