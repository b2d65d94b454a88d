"""The fit's small solves against NumPy and SciPy doing the same thing slowly."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from rtfilter.kernels.cpu.solve import box_least_squares, moments, orthogonal_factor


def test_moments_are_the_weighted_ones() -> None:
    rng = np.random.default_rng(1)
    shape, points, weights = rng.normal(size=(478, 3)), rng.normal(size=(478, 3)) * 90 + 400, rng.random(478)
    weights /= weights.sum()
    shape_mean, points_mean, cross, power = moments(shape, points, weights)
    shape0, points0 = shape - weights @ shape, points - weights @ points
    assert np.allclose(shape_mean, weights @ shape)
    assert np.allclose(points_mean, weights @ points)
    assert np.allclose(cross, points0.T @ (weights[:, None] * shape0))
    assert np.allclose(power, shape0.T @ (weights[:, None] * shape0))


@pytest.mark.parametrize("seed", range(5))
def test_the_orthogonal_factor_is_the_polar_one(seed: int) -> None:
    """Eight steps suffice for a condition number of 20; 1e-9 leaves room above rounding (4e-15 seen)."""
    rng = np.random.default_rng(seed)
    u, _, vt = np.linalg.svd(rng.normal(size=(3, 3)))
    vt *= np.linalg.det(u @ vt)
    spread = np.array([1.0, 0.6, 0.05])
    matrix = u * (spread / np.prod(spread) ** (1 / 3)) @ vt
    assert np.allclose(orthogonal_factor(matrix, 8), u @ vt, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_box_least_squares_converges_to_the_constrained_optimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    basis = rng.normal(size=(200, 52))
    wanted = np.clip(rng.normal(0.0, 0.7, 52), -1, 1.5)
    target = basis @ wanted
    gram = basis.T @ basis
    power = np.linalg.eigvalsh(gram)
    rho = 0.3 * float(np.sqrt(power[0] * power[-1]))
    arguments = (np.linalg.inv(gram), np.linalg.inv(gram + rho * np.eye(52)), basis.T @ target, rho, 1.6)
    best = lsq_linear(basis, target, bounds=(0.0, 1.0), tol=1e-12).x
    found = box_least_squares(*arguments, 300)
    assert np.abs(found - best).max() < 1e-5
    assert found.min() >= 0.0
    assert found.max() <= 1.0
    few, start = box_least_squares(*arguments, 16), box_least_squares(*arguments, 0)
    assert np.abs(few - best).mean() < 0.2 * np.abs(start - best).mean() + 1e-9
