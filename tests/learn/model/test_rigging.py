"""Rigging on clips whose blendshapes are known: data where there are any, the prior where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX, MIRROR
from rtfilter.face.pose import Pose
from rtfilter.learn.model.observe import Clip
from rtfilter.learn.model.rigging import fit_rig, rigidity
from rtfilter.learn.model.teacher import covariance, quietest, relative, resting_scores
from tests.faces import REFLECT, builtin, person, rotation, with_expression

FRAMES = 160
SHOWN = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp")


def clip(seed: int, gain: float) -> Clip:
    """A person who shows SHOWN alone, with shapes `gain` times the built-in ones, and turns the head."""
    rng = np.random.default_rng(seed)
    scores = np.zeros((FRAMES, BLENDSHAPE_COUNT))
    for name in SHOWN:
        scores[:, BLENDSHAPE_INDEX[name]] = np.clip(rng.normal(0.3, 0.3, FRAMES), 0, 1)
    neutral = person(rng)
    points = []
    for score in scores:
        pose = Pose(rotation(*rng.uniform(-8, 8, 3)), np.array([320.0, 240.0, 0.0]), 150.0)
        shape = with_expression(neutral, gain * score)
        points.append(pose.project(shape) + rng.normal(0, 0.3, shape.shape))
    return Clip(f"clip {seed}", np.array(points), scores, np.arange(FRAMES) / 30)


def test_what_footage_shows_is_corrected_and_the_rest_is_kept() -> None:
    model = builtin()
    prior = model.expression_basis.astype(np.float64)
    mean = model.mean_iod.astype(np.float64)
    clips = [clip(seed, 1.3) for seed in range(4)]
    rig, neutrals = fit_rig(clips, mean, model.mirror, prior)
    for name in SHOWN:
        index = BLENDSHAPE_INDEX[name]
        gained = (rig.basis[index] * prior[index]).sum() / (prior[index] ** 2).sum()
        assert gained == pytest.approx(1.3, abs=0.12), name
    unseen = [k for k in range(BLENDSHAPE_COUNT) if k not in {BLENDSHAPE_INDEX[name] for name in SHOWN}]
    assert np.abs(rig.basis[unseen] - prior[unseen]).max() < 0.01
    assert len(neutrals) == len(clips)


def test_left_and_right_are_exact_mirrors() -> None:
    model = builtin()
    rig, _ = fit_rig(
        [clip(seed, 1.0) for seed in range(2)],
        model.mean_iod.astype(np.float64),
        model.mirror,
        model.expression_basis.astype(np.float64),
    )
    assert np.array_equal((rig.basis * REFLECT)[list(MIRROR)][:, model.mirror], rig.basis)


def test_what_moves_least_holds_the_pose() -> None:
    weights = rigidity(builtin().expression_basis.astype(np.float64))
    assert weights.max() == 1.0
    assert weights.min() == 0.0
    assert not weights[468:].any()
    assert weights[6] > 10 * weights[152], "the bridge of the nose counts more than the chin"


def test_the_teachers_rest_is_zero_and_its_one_stays_one() -> None:
    rng = np.random.default_rng(0)
    scores = np.clip(rng.normal(0.3, 0.2, (100, BLENDSHAPE_COUNT)), 0, 1)
    scores[:8] = 0.05
    scores[:8, BLENDSHAPE_INDEX["eyeSquintLeft"]] = 0.4
    scores[:8, BLENDSHAPE_INDEX["eyeSquintRight"]] = 0.2
    given = Clip("someone", np.zeros((100, 478, 3)), scores, np.arange(100) / 30)
    assert set(quietest(given)) <= set(range(8))
    rest = resting_scores([given])
    assert rest[BLENDSHAPE_INDEX["eyeSquintLeft"]] == rest[BLENDSHAPE_INDEX["eyeSquintRight"]]
    assert rest[BLENDSHAPE_INDEX["eyeSquintLeft"]] == pytest.approx(0.3)
    (read,) = relative([given], rest)
    assert read.scores[:8].mean(1) == pytest.approx(0.0, abs=1e-9)
    assert (read.scores[scores == 1.0] == 1.0).all()


def test_the_covariance_is_symmetric_in_both_ways_and_no_variance_is_negative() -> None:
    found = covariance([clip(seed, 1.0) for seed in range(2)])
    assert np.array_equal(found, found.T)
    assert np.allclose(found[np.ix_(MIRROR, MIRROR)], found)
    assert np.linalg.eigvalsh(found).min() > -1e-12
    assert found[BLENDSHAPE_INDEX["jawOpen"], BLENDSHAPE_INDEX["jawOpen"]] > 0.02
