"""Lips with a feeling over lips without it."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.learn.emotions.mouth import FIFTHS, compare, fifths, shrunk_ratio, summary
from rtfilter.learn.emotions.people import Shapes
from rtfilter.learn.emotions.states import lips
from tests.faces import builtin, coefficients
from tests.learn.emotions.made import seen, speech, take


def shapes(expression: np.ndarray, emotion: str) -> Shapes:
    basis = builtin().expression_basis.astype(np.float64)
    shape = builtin().mean_iod.astype(np.float64) + np.einsum("te,enc->tnc", expression, basis)
    return Shapes(take("a", emotion), shape, expression, seen(expression).time_s)


def test_a_take_against_itself_changes_nothing() -> None:
    spoken = shapes(speech(), "neutral")
    found = compare(spoken, spoken)
    assert np.allclose(found.width, 1.0)
    assert np.allclose(found.gap, 1.0)
    assert found.width_r == pytest.approx(1.0)
    assert found.gap_gain == pytest.approx(1.0)


def test_a_smile_widens_as_far_as_it_does() -> None:
    smiling = speech() + coefficients(mouthSmile=0.6)
    found = compare(shapes(smiling, "happy"), shapes(speech(), "neutral"))
    truth = (
        lips(shapes(smiling, "happy").shape_iod).width_iod
        / lips(shapes(speech(), "neutral").shape_iod).width_iod
    )
    assert found.width_mean == pytest.approx(truth.mean(), abs=0.02)
    assert found.width.min() > 1.05
    assert found.width_r > 0.95


def test_fifths_go_from_least_to_most() -> None:
    assert len(fifths(np.arange(23.0))) == FIFTHS
    assert (np.diff(fifths(np.random.default_rng(0).random(50))) > 0).all()


def test_ratios_lean_to_one_as_people_are_few_or_differ() -> None:
    assert shrunk_ratio([]) == 1.0
    assert 1.0 < shrunk_ratio([1.2]) < shrunk_ratio([1.2, 1.2]) <= 1.2
    assert shrunk_ratio([1.0, 1.44]) < shrunk_ratio([1.2, 1.2])
    width, gap = summary([])
    assert width["mean"] == gap["mean"] == 1.0
