"""What is believed of the network: large and sure things, and what comes in from beside the face; no more."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.face import landmarks as lm
from rtfilter.occlusion.mask import BACKGROUND, OCCLUDER
from rtfilter.occlusion.square import SIDE_PX, points_in_square
from rtfilter.occlusion.trust import UNSURE, believed
from rtfilter.tracking.roi import Roi
from tests.faces import coefficients, face_px

NONE = np.zeros((SIDE_PX, SIDE_PX), np.float32)


def points(**expression: float) -> np.ndarray:
    found = face_px(expression=coefficients(**expression)).astype(np.float32)
    return points_in_square(found, Roi.of_landmarks(found))


def disc(x: float, y: float, radius: float, sure: float = 0.95) -> np.ndarray:
    column, row = np.meshgrid(np.arange(SIDE_PX) + 0.5, np.arange(SIDE_PX) + 0.5)
    seen = np.full((3, SIDE_PX, SIDE_PX), 0.02, np.float32)
    seen[OCCLUDER][np.hypot(column - x, row - y) <= radius] = sure
    return seen


def holds(seen: np.ndarray, known: float = 1.0, before: np.ndarray = NONE, **expression: float) -> bool:
    return bool((believed(seen, points(**expression), before, known)[OCCLUDER] > 0.5).any())


CHEEK = points()[lm.FACE_OVAL[0], :2] * 0 + points()[50, :2]


@pytest.mark.parametrize(
    ("radius", "sure", "known", "wanted"),
    [
        (8.0, 0.95, 1.0, True),
        (8.0, 0.55, 1.0, False),  # unsure
        (2.0, 0.99, 1.0, False),  # small: a mole, a shadow
        (3.5, 0.75, 1.0, True),
        (3.5, 0.75, 0.0, False),  # and nothing is known of the face yet
        (8.0, 0.95, 0.0, True),
    ],
)
def test_what_lies_within_the_face_is_large_and_sure(
    radius: float, sure: float, known: float, wanted: bool
) -> None:
    assert holds(disc(*CHEEK, radius, sure), known) == wanted


def test_what_was_held_stays() -> None:
    small = disc(*CHEEK, 3.0, 0.6)
    assert not holds(small)
    assert holds(small, before=small[OCCLUDER])


def test_what_comes_in_from_beside_the_face_may_be_thin() -> None:
    row = int(points()[13, 1])
    seen = disc(0, 0, 0.0)
    seen[OCCLUDER][row - 1 : row + 1, : SIDE_PX // 2] = 0.8  # a headset's boom
    assert holds(seen, known=0.0)


@pytest.mark.parametrize("part", ["mouth", "eye"])
def test_an_open_mouth_and_an_eye_are_no_occluders(part: str) -> None:
    shown = points(jawOpen=1.0, eyeWide=1.0)
    rim = {"mouth": (*lm.LIPS_INNER_UPPER, *lm.LIPS_INNER_LOWER), "eye": lm.EYE_RIGHT_OUTLINE}[part]
    corners = shown[list(rim), :2]
    x, y = corners.mean(0)
    low, high = corners.min(0), corners.max(0)
    seen = disc(0, 0, 0.0)
    seen[OCCLUDER][int(low[1]) : int(high[1]) + 1, int(low[0]) : int(high[0]) + 1] = 0.99
    assert not holds(seen, jawOpen=1.0, eyeWide=1.0)
    assert holds(disc(x, y, 16.0), jawOpen=1.0, eyeWide=1.0), "a hand over it is larger"


def test_background_within_the_face_is_none() -> None:
    seen = disc(0, 0, 0.0)
    seen[BACKGROUND] = 1.0
    out = believed(seen, points(), NONE, 1.0)[BACKGROUND]
    for place in (1, 4, 13, 50, 280, 105, 334, 152):
        x, y = points()[place, :2]
        assert out[min(int(y) - 3 * (place == 152), 95), int(x)] == 0.0
    assert (out[:4] == 1.0).all()
    assert (out[:, :4] == 1.0).all()


def test_what_is_not_believed_stays_below_the_threshold_and_nothing_is_written_to() -> None:
    seen = disc(*CHEEK, 2.0)
    before = seen.copy()
    out = believed(seen, points(), NONE, 1.0)
    assert np.array_equal(seen, before)
    assert out[OCCLUDER].max() == pytest.approx(UNSURE)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_landmarks_of_no_numbers_do_not_crash(bad: float) -> None:
    lost = points()
    lost[::3] = bad
    with np.errstate(invalid="ignore"):
        assert np.isfinite(believed(disc(*CHEEK, 8.0), lost, NONE, 1.0)).all()
