"""Lids: a squint does not shut eyes that are narrow by nature."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_INDEX
from rtfilter.face import landmarks as lm
from rtfilter.face import lids
from tests.faces import builtin

MEAN = builtin().mean_iod.astype(np.float64)


def narrowed(share: float, uppers: tuple[int, ...] = (*lm.EYE_LEFT_UPPER, *lm.EYE_RIGHT_UPPER)) -> np.ndarray:
    """The mean face whose upper lids are lowered by a share of the opening."""
    shape = MEAN.copy()
    for upper, lower in zip(
        (*lm.EYE_LEFT_UPPER, *lm.EYE_RIGHT_UPPER), (*lm.EYE_LEFT_LOWER, *lm.EYE_RIGHT_LOWER), strict=True
    ):
        if upper in uppers:
            shape[upper, 1] += share * (MEAN[lower, 1] - MEAN[upper, 1])
    return shape


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_lids_are_lowered_in_proportion_to_the_eye(share: float) -> None:
    room = lids.room(narrowed(share), MEAN)
    for name, at in BLENDSHAPE_INDEX.items():
        expected = 1.0 - share if name.startswith(("eyeSquint", "eyeBlink")) else 1.0
        assert room[at] == pytest.approx(expected, abs=1e-6), name


def test_each_eye_has_its_own_room() -> None:
    room = lids.room(narrowed(0.4, lm.EYE_LEFT_UPPER), MEAN)
    assert room[BLENDSHAPE_INDEX["eyeSquintLeft"]] == pytest.approx(0.6, abs=1e-6)
    assert room[BLENDSHAPE_INDEX["eyeSquintRight"]] == 1.0


def test_wide_eyes_and_shut_ones_stay_within_bounds() -> None:
    assert lids.room(narrowed(-0.5), MEAN).max() == 1.0
    assert lids.room(narrowed(1.5), MEAN).min() == pytest.approx(lids.LEAST_ROOM)


@pytest.mark.parametrize("share", [1.0, 1.2])
def test_a_mean_face_with_shut_eyes_gives_finite_room(share: float) -> None:
    for person in (MEAN, narrowed(share)):
        room = lids.room(person, narrowed(share))
        assert room.min() >= lids.LEAST_ROOM
        assert room.max() == 1.0
    assert lids.room(MEAN, narrowed(share)).min() == 1.0  # eyes wider than the model's
