"""Rises and falls of an expression."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.learn.emotions.people import Shapes
from rtfilter.learn.emotions.timing import DEFAULT_S, amplitude, moves, summary
from tests.faces import coefficients
from tests.learn.emotions.made import take

FPS = 50.0


def pulses(onset_s: float, offset_s: float, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """An amplitude that goes on for 2 s and off for 2 s, with exponential approaches."""
    time = np.arange(int(16 * FPS)) / FPS
    values, shown = 0.0, []
    for t in time:
        target = 1.5 if t % 4.0 < 2.0 else 0.3
        constant = onset_s if target > values else offset_s
        values += (target - values) / (constant * FPS)
        shown.append(values)
    return np.array(shown) + noise * np.random.default_rng(1).standard_normal(len(time)), time


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_the_time_constants_are_those_that_it_was_made_with(noise: float) -> None:
    found = summary([pulses(0.15, 0.35, noise)])
    assert found["onset_s"] == pytest.approx(0.15, rel=0.2)
    assert found["offset_s"] == pytest.approx(0.35, rel=0.2)
    assert found["rises"] >= 2
    assert found["falls"] >= 2


def test_an_even_expression_neither_rises_nor_falls() -> None:
    even = 1.0 + 0.05 * np.sin(np.arange(200) / 5)
    assert moves(even, np.arange(200) / FPS).rises_s == ()
    found = summary([(even, np.arange(200) / FPS)])
    assert (found["onset_s"], found["offset_s"]) == DEFAULT_S
    assert found["variation"] < 0.05


def test_takes_that_hardly_move_the_brows_tell_nothing() -> None:
    direction = coefficients(browInnerUp=0.6)
    scores = np.tile(direction, (20, 1))
    shapes = Shapes(take("a", "fearful"), np.zeros((20, 478, 3)), scores, np.arange(20) / FPS)
    shown = amplitude(shapes, np.zeros(52), direction)
    assert shown is not None
    assert np.allclose(shown, 1.0)
    assert amplitude(shapes, scores[0], direction) is None, "shows none of it"
    assert amplitude(shapes, np.zeros(52), coefficients(mouthSmile=0.6)) is None
