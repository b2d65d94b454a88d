"""The learned appearance: it shows the person in the present light, and nothing that lies over them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from rtfilter.face.model import MorphableModel
from rtfilter.face.uv import skin_uv
from rtfilter.occlusion.appearance import Appearance
from rtfilter.occlusion.square import (
    SIDE_PX,
    look,
    picture_from_square,
    points_in_square,
    square_from_picture,
)
from rtfilter.tracking.roi import Roi

F32 = npt.NDArray[np.float32]
ROI = Roi(48.0, 48.0, 96.0, 0.0)
FREE = np.ones((SIDE_PX, SIDE_PX), np.float32)


@pytest.fixture
def appearance() -> Appearance:
    return Appearance(MorphableModel.builtin().triangles)


def face() -> F32:
    """A flat face, 64 px high, in the middle of the square."""
    points = np.zeros((478, 3), np.float32)
    points[:, :2] = 16.0 + 64.0 * skin_uv()
    return points


def skin(level: float = 0.5) -> F32:
    """A square whose colour changes slowly, float32 [3, 96, 96]."""
    ys, xs = np.mgrid[:SIDE_PX, :SIDE_PX] / SIDE_PX
    return np.stack([0.6 + 0.3 * xs, 0.5 + 0.2 * ys, 0.5 - 0.2 * xs]).astype(np.float32) * np.float32(level)


def test_nothing_is_known_before_anything_was_seen(appearance: Appearance) -> None:
    assert appearance.known == 0.0
    assert not appearance.draw(face(), ROI).any()


def test_it_shows_what_was_seen(appearance: Appearance) -> None:
    for _ in range(5):
        appearance.see(skin(), face(), ROI, FREE)
    drawn = appearance.draw(face(), ROI)
    sure = drawn[3] > 0.95
    assert appearance.known > 0.9
    assert sure.mean() > 0.2  # of the square; the face covers 0.35 of it
    assert np.abs(drawn[:3] - skin())[:, sure].max() < 0.02  # measured 0.006: two interpolations
    assert not drawn[:3, drawn[3] == 0.0].any()


def test_it_takes_over_the_light_of_the_frame(appearance: Appearance) -> None:
    for _ in range(5):
        appearance.see(skin(0.8), face(), ROI, FREE)
    dark = skin(0.3)
    drawn = appearance.draw(face(), ROI, dark)
    sure = drawn[3] > 0.95
    assert np.abs(drawn[:3] - dark)[:, sure].max() < 0.03  # measured 0.011


def test_a_hand_that_stays_is_not_learned(appearance: Appearance) -> None:
    for _ in range(5):
        appearance.see(skin(), face(), ROI, FREE)
    covered, free = skin(), FREE.copy()
    covered[:, 50:70, 30:60], free[50:70, 30:60] = 0.05, 0.0
    for _ in range(300):
        appearance.see(covered, face(), ROI, free)
    drawn = appearance.draw(face(), ROI, covered)
    sure = drawn[3] > 0.95
    assert np.abs(drawn[:3] - skin())[:, sure].max() < 0.03


def test_one_wrong_sighting_moves_the_mean_a_little(appearance: Appearance) -> None:
    for _ in range(20):
        appearance.see(skin(), face(), ROI, FREE)
    wrong = skin()
    wrong[:, 50:60, 40:50] = 0.0
    appearance.see(wrong, face(), ROI, FREE)
    drawn = appearance.draw(face(), ROI, skin())
    assert np.abs(drawn[:3] - skin())[:, drawn[3] > 0.95].max() < 0.02


def test_reset_forgets(appearance: Appearance) -> None:
    appearance.see(skin(), face(), ROI, FREE)
    appearance.reset()
    assert appearance.known == 0.0
    assert not appearance.draw(face(), ROI, skin()).any()


def test_a_turned_head_leaves_the_hidden_half_unknown(appearance: Appearance) -> None:
    points = face()
    middle = points[:, 0].mean()
    left = points[:, 0] > middle
    points[left, 0] = middle - 0.2 * (points[left, 0] - middle)  # folded behind the other half
    points[left, 2] = 20.0
    for _ in range(5):
        appearance.see(skin(), points, ROI, FREE)
    assert 0.2 < appearance.known < 0.7


def test_the_square_and_the_picture_map_to_each_other() -> None:
    roi = Roi(300.0, 200.0, 150.0, 0.3)
    there, back = picture_from_square(roi), square_from_picture(roi)
    at = np.array([[10.0, 20.0], [90.0, 3.0]])
    picture = at @ there[:, :2].T + there[:, 2]
    np.testing.assert_allclose(picture @ back[:, :2].T + back[:, 2], at, atol=1e-9)
    np.testing.assert_allclose(
        picture_from_square(roi)[:, :2] @ [48, 48] + there[:, 2], [300, 200], atol=1e-9
    )
    points = np.zeros((2, 3), np.float32)
    points[:, :2] = picture
    np.testing.assert_allclose(points_in_square(points, roi)[:, :2], at, atol=1e-3)


def test_the_square_shows_the_picture_where_the_matrix_says() -> None:
    picture = np.zeros((400, 500, 3), np.uint8)
    roi = Roi(300.0, 200.0, 192.0, 0.0)  # two pixels of the picture in one of the square
    picture[200:202, 310:312] = 255
    seen = np.empty((3, SIDE_PX, SIDE_PX), np.float32)
    look(picture, roi, seen)
    row, column = np.unravel_index(int(seen[0].argmax()), seen[0].shape)
    x, y = square_from_picture(roi)[:, :2] @ [311.0, 201.0] + square_from_picture(roi)[:, 2]
    assert abs(column + 0.5 - x) < 0.6
    assert abs(row + 0.5 - y) < 0.6
