"""A feeling by sound state."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX
from rtfilter.learn.emotions.by_sound import PARTS, by_state, gains, part_mask, state_people
from rtfilter.learn.emotions.change import MATCHED, Change
from rtfilter.learn.emotions.pool import Pooled
from rtfilter.learn.emotions.solver import MEASURED
from tests.faces import coefficients

SPEECH = coefficients(mouthSmile=1.0, browInnerUp=1.0, mouthUpperUp=1.0, eyeSquint=1.0)
SMILE, BROW = BLENDSHAPE_INDEX["mouthSmileLeft"], BLENDSHAPE_INDEX["browInnerUp"]


def person(name: str, **states: np.ndarray) -> Change:
    return Change(name, "happy", 1.0, MATCHED, False, 50, {"speech": SPEECH, **states}, {}, {})


def pooled() -> Pooled:
    zero = np.zeros(BLENDSHAPE_COUNT)
    return Pooled(0.5 * SPEECH, SPEECH, zero, zero + 1, 3, 150)


def test_every_measured_coefficient_belongs_to_one_part_of_the_face() -> None:
    assert np.array_equal(np.sum([part_mask(part) for part in PARTS], axis=0), MEASURED.astype(int))


def test_lips_that_yield_and_brows_that_stay_are_found() -> None:
    rounded = SPEECH * np.where(part_mask("corners"), 0.4, 1.0)
    found = gains([person(f"p{k}", rounded=rounded) for k in range(3)])
    assert found["rounded"]["corners"] == pytest.approx(0.4, abs=0.03)
    assert found["rounded"]["brows"] == pytest.approx(1.0)
    states = by_state("happy", pooled(), [], found)
    assert states["rounded"][SMILE] == pytest.approx(0.2, abs=0.02)
    assert states["rounded"][BROW] == pytest.approx(0.5)


def test_without_any_pause_lips_at_rest_are_as_at_closures_and_the_rest_is_kept() -> None:
    closed = SPEECH * np.where(part_mask("upper_lip"), 0.2, 1.0)
    found = gains([person("a", closed=closed), person("b", closed=closed)])
    assert found["rest"]["upper_lip"] == found["closed"]["upper_lip"] < 0.3
    assert found["rest"]["brows"] == found["rest"]["corners"] == 1.0


def test_what_one_person_does_in_a_state_is_no_rule() -> None:
    odd = {"open": SPEECH + coefficients(browDown=0.5)}
    gain = gains([person("a"), person("b")])
    one = by_state("happy", pooled(), [person("a", **odd)], gain)
    two = by_state("happy", pooled(), [person("a", **odd), person("b", **odd)], gain)
    down = BLENDSHAPE_INDEX["browDownLeft"]
    assert one["open"][down] == 0.0
    assert 0.05 < two["open"][down] < 0.4
    assert state_people("happy", [person("a", **odd), person("b")])["open"] == 1
