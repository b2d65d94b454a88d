"""People: one head frame, one aspect, a neutral where none was seen."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.learn.emotions.people import by_emotion, people, proportions
from rtfilter.learn.emotions.watch import Seen
from tests.faces import builtin, coefficients, rotation
from tests.learn.emotions.made import seen, speech, take

SMILE = coefficients(mouthSmile=0.7, eyeSquint=0.4)


def stretched(before: Seen, by: float) -> Seen:
    """As a crop of another shape shows it: taller by a factor."""
    return Seen(before.points_px * (1.0, by, 1.0), before.scores, before.time_s)


def test_a_head_that_moves_has_still_shapes() -> None:
    (person,) = people(builtin(), [(take("a", "neutral"), seen(np.zeros((40, 52))))])
    shape = person.neutral[0].shape_iod
    assert np.abs(shape - shape.mean(0)).max() < 1e-6


def test_an_estimated_neutral_is_nearer_than_the_mean_face() -> None:
    identity = np.array([1.5, -1.0, 1.0, -0.5] + [0.0] * (len(builtin().identity_scale) - 4))
    own = builtin().mean_iod + np.einsum(
        "i,inc->nc", identity * builtin().identity_scale, builtin().identity_basis
    )
    (person,) = people(builtin(), [(take("a", "happy"), seen(speech() + SMILE, identity))])
    assert person.neutral == ()

    def off(shape: np.ndarray) -> float:
        size = np.linalg.norm(shape[33] - shape[263]) / np.linalg.norm(own[33] - own[263])
        return float(np.sqrt(np.mean((shape / size - own) ** 2)))

    assert off(person.neutral_iod) < 0.6 * off(builtin().mean_iod.astype(np.float64))


@pytest.mark.parametrize("by", [0.92, 0.97, 1.08])
def test_the_crops_proportions_are_taken_back(by: float) -> None:
    """And a feeling's own shape is not taken for a crop's."""
    quiet, smiling = seen(speech()), seen(speech() + SMILE)
    takes = [(take("a", "neutral"), quiet), (take("a", "happy"), stretched(smiling, by))]
    (person,) = people(builtin(), takes)
    (truth,) = people(builtin(), [takes[0], (take("a", "happy"), smiling)])
    (happy,), (same,) = by_emotion(person)["happy"], by_emotion(truth)["happy"]
    off = np.abs(happy.shape_iod - same.shape_iod)[..., :2].mean()
    before = abs(by - 1.0) * np.abs(same.shape_iod[..., 1]).mean()
    assert off < 0.3 * before


def test_proportions_are_measured_in_a_turned_head_of_another_size() -> None:
    face = builtin().mean_iod.astype(np.float64)
    turned = (face * (1.1, 1.2, 1.1)) @ rotation(3.0, 2.0, 2.0).T + (0.1, 0.0, 0.0)
    assert np.abs(proportions(turned, face) - (1.1, 1.2, 1.1)).max() < 0.02
