"""Pooling over people: shrinkage, sides, outliers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX
from rtfilter.learn.emotions.change import MATCHED, UNPAIRED, Change
from rtfilter.learn.emotions.pool import ARTICULATORS, MIRRORED, Model, learn_model, oriented, pool
from rtfilter.learn.emotions.prior import PRIOR, prior_row
from tests.faces import coefficients

SMILE, BROW = BLENDSHAPE_INDEX["mouthSmileLeft"], BLENDSHAPE_INDEX["browInnerUp"]
ALL = np.ones(BLENDSHAPE_COUNT)
MODEL = Model(0.1**2 * ALL, 0.1**2 * ALL, 0.0 * ALL, 0.5, (0.2, 0.1))


def change(values: np.ndarray, person: str = "a", emotion: str = "happy", grade: str = MATCHED) -> Change:
    return Change(person, emotion, 1.0, grade, False, 50, {"speech": values}, {}, {"speech": values})


def people(values: np.ndarray, count: int, **kinds: str) -> list[Change]:
    return [change(values, f"p{k}", **kinds) for k in range(count)]


def test_more_people_move_it_farther_from_the_prior() -> None:
    measured = coefficients(mouthSmile=1.0)
    prior = MODEL.scale * prior_row("happy")[SMILE]
    means = [pool("happy", people(measured, n), MODEL).mean[SMILE] for n in (1, 2, 8)]
    assert prior < means[0] < means[1] < means[2] < 1.0
    assert means[2] > 0.9


def test_an_estimated_neutral_counts_less_than_a_matched_sentence() -> None:
    measured = coefficients(mouthSmile=1.0)
    matched, estimated = (pool("happy", people(measured, 2, grade=g), MODEL) for g in (MATCHED, UNPAIRED))
    assert estimated.mean[SMILE] < matched.mean[SMILE]


def test_other_sentences_say_nothing_of_lips_that_speak() -> None:
    loud = coefficients(jawOpen=0.8, mouthLowerDown=0.8)
    found = pool("angry", people(loud, 6, emotion="angry", grade=UNPAIRED), MODEL)
    for name in ARTICULATORS:
        assert found.mean[BLENDSHAPE_INDEX[name]] == pytest.approx(
            MODEL.scale * prior_row("angry")[BLENDSHAPE_INDEX[name]]
        )


def test_sides_are_alike_but_for_contempt_which_turns_to_the_right() -> None:
    left = coefficients(mouthSmileLeft=0.6, mouthDimpleLeft=0.4)
    happy = oriented(change(left))
    assert np.array_equal(happy, happy[MIRRORED])
    contempt = oriented(change(left, emotion="contempt"))
    assert contempt[BLENDSHAPE_INDEX["mouthSmileRight"]] == 0.6
    assert contempt[BLENDSHAPE_INDEX["mouthSmileLeft"]] == 0.0
    both = [change(left, "a", "contempt"), change(left[MIRRORED], "b", "contempt")]
    assert pool("contempt", both, MODEL).measured[BLENDSHAPE_INDEX["mouthSmileRight"]] == pytest.approx(0.6)


def test_one_strange_person_is_cut() -> None:
    usual = people(coefficients(browInnerUp=0.3), 4)
    strange = replace(usual[0], person="x", solved={"speech": coefficients(browInnerUp=9.0)})
    found = pool("happy", [*usual, strange], MODEL)
    assert found.measured[BROW] < 0.5
    assert found.consistency[BROW] == 1.0


def test_two_people_cannot_be_told_from_mean_and_spread() -> None:
    own = [change(coefficients(browInnerUp=v, jawOpen=v), f"p{k}") for k, v in enumerate((0.1, 0.5, 0.3))]
    two, three = pool("happy", own[:2], MODEL), pool("happy", own, MODEL)
    jaw = BLENDSHAPE_INDEX["jawOpen"]
    assert two.spread[[BROW, jaw]] == pytest.approx(np.sqrt(MODEL.between[[BROW, jaw]]))
    assert three.spread[BROW] == pytest.approx(0.2)
    third = pool("happy", [*own[:2], replace(own[2], grade=UNPAIRED)], MODEL)
    assert third.spread[jaw] == pytest.approx(two.spread[jaw]), "of whom two tell of lips that speak"


def test_the_common_variances_are_those_that_people_were_made_with() -> None:
    random = np.random.default_rng(3)
    emotions = [e for e in PRIOR if e != "contempt"]
    truth = {e: 0.4 * prior_row(e) for e in emotions}

    def noise(size: float) -> np.ndarray:
        values = size * random.standard_normal(BLENDSHAPE_COUNT)
        return (values + values[MIRRORED]) / 2**0.5

    changes = [change(truth[e] + noise(0.15), f"p{k}", e) for e in emotions for k in range(6)]
    checks = [change(noise(0.1), f"c{k}", "neutral", UNPAIRED) for k in range(12)]
    model = learn_model(changes, checks, ALL, ALL)
    brows = [BROW, BLENDSHAPE_INDEX["browDownLeft"], SMILE]
    assert 0.25 < model.scale < 0.55, "made with 0.4"
    assert 0.05 < np.sqrt(model.between[brows]).mean() < 0.25
    error = [np.abs(pool(e, changes, model).mean - truth[e]).mean() for e in emotions]
    raw = [np.abs(pool(e, changes, model).measured - truth[e]).mean() for e in emotions]
    assert np.mean(error) < 0.8 * np.mean(raw), (
        "drawn to the prior is nearer to the truth than measured alone"
    )
