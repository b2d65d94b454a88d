"""The Frechet distance against its closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.quality.judges.frechet import frechet_distance


def by_eigenvalues(one: np.ndarray, other: np.ndarray) -> float:
    """The formula as it is written, with a matrix's root."""
    first, second = np.cov(one.T), np.cov(other.T)
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    apart = np.square(one.mean(0) - other.mean(0)).sum()
    return float(apart + np.trace(first) + np.trace(second) - 2 * shared)


def test_it_is_that_of_the_formula() -> None:
    rng = np.random.default_rng(0)
    mix = rng.normal(0, 1, (8, 8))
    one, other = rng.normal(0, 1, (300, 8)) @ mix, rng.normal(0.5, 2, (200, 8))
    assert frechet_distance(one, other) == pytest.approx(by_eigenvalues(one, other), rel=1e-9)
    assert frechet_distance(other, one) == pytest.approx(frechet_distance(one, other), rel=1e-9)


def test_in_one_dimension_it_is_that_of_means_and_deviations() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.normal(3, 1, (500, 1)), rng.normal(-1, 2.5, (400, 1))
    expected = (one.mean() - other.mean()) ** 2 + (one.std(ddof=1) - other.std(ddof=1)) ** 2
    assert frechet_distance(one, other) == pytest.approx(expected)


def test_a_shift_alone_is_its_square_and_a_set_is_at_no_distance_of_itself() -> None:
    one = np.random.default_rng(2).normal(0, 1, (60, 128))  # fewer frames than features
    assert frechet_distance(one, one) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(one, one + 0.25) == pytest.approx(128 * 0.25**2)
    assert frechet_distance(one, 2.0 * one - one.mean(0)) == pytest.approx(np.trace(np.cov(one.T)))


def test_it_tells_spread_from_the_mean_alone() -> None:
    rng = np.random.default_rng(3)
    wide = rng.normal(0, 1, (400, 16))
    frozen = np.tile(wide.mean(0), (400, 1))
    # All frames alike: the means agree, and the distance is all of the spread.
    assert frechet_distance(wide, frozen) == pytest.approx(np.trace(np.cov(wide.T)))
