"""Frechet distance between two sets of features. Called by `judges.realism`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]


def frechet_distance(one: F64, other: F64) -> float:
    """Frechet (2-Wasserstein, squared) distance between the Gaussians of two sets of features.

    `|m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^1/2)` with means m and covariances C (divided by N - 1).
    With C = A^T A, the last trace is the sum of the singular values of A1 A2^T: no square root of a matrix,
    so that fewer frames than features do no harm to the arithmetic.

    Args:
        one, other: float64 [N, features] and [M, features]; N, M >= 2.
    """
    first, second = _factor(one), _factor(other)
    apart = np.square(one.mean(0) - other.mean(0)).sum()
    shared = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    distance = apart + np.square(first).sum() + np.square(second).sum() - 2.0 * shared
    return float(max(distance, 0.0))


def _factor(features: F64) -> F64:
    """A with A^T A = covariance, with no more rows than features."""
    centred = (features - features.mean(0)) / np.sqrt(len(features) - 1)
    if len(centred) <= centred.shape[1]:
        return np.asarray(centred, np.float64)
    return np.asarray(np.linalg.qr(centred, mode="r"), np.float64)
