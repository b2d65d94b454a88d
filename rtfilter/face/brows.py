"""Brows: hair translates, it is not stretched. Called by `face.model` for the basis that edits are made with.

A basis moves the upper edge of a brow further than its lower edge, or less far, as skin does. Applied to a
picture that makes hair thicker or thinner. Here both edges get the mean of their two displacements, and the
skin around takes up the difference.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

# Distance from the nearest brow landmark at which the difference is all taken up, and the width over which
# neighbouring landmarks of a brow share it, in IODs.
REACH_IOD: Final = 0.14
SHARE_IOD: Final = 0.04
_UPPER: Final = np.array(lm.BROW_RIGHT_UPPER + lm.BROW_LEFT_UPPER)
_LOWER: Final = np.array(lm.BROW_RIGHT_LOWER + lm.BROW_LEFT_LOWER)
# Their places are the guard's and the lids' business.
_FIXED: Final = np.array(
    [
        *(*lm.EYE_RIGHT_CORNERS, *lm.EYE_RIGHT_UPPER, *lm.EYE_RIGHT_LOWER, *lm.IRIS_RIGHT),
        *(*lm.EYE_LEFT_CORNERS, *lm.EYE_LEFT_UPPER, *lm.EYE_LEFT_LOWER, *lm.IRIS_LEFT),
    ]
)


def translated(basis_iod: F32, mean_iod: F32) -> F32:
    """A basis [E, 478, 3] whose brows keep their thickness. mean_iod: float32 [478, 3], for distances."""
    brow = np.concatenate([_UPPER, _LOWER])
    basis = basis_iod.astype(np.float64)
    both = 0.5 * (basis[:, _UPPER] + basis[:, _LOWER])
    change = np.concatenate([both, both], axis=1) - basis[:, brow]
    moved = basis + np.einsum("vb,ebk->evk", _shares(mean_iod.astype(np.float64), brow), change)
    moved[:, brow] = np.concatenate([both, both], axis=1)
    return np.asarray(moved, np.float32)


def _shares(mean_iod: F64, brow: npt.NDArray[np.intp]) -> F64:
    """How much of each brow landmark's change a landmark takes along: float64 [478, B]."""
    apart = np.linalg.norm(mean_iod[:, None] - mean_iod[brow], axis=2)
    near = apart.min(1, keepdims=True)
    weights = np.exp(-0.5 * (apart / SHARE_IOD) ** 2 + 0.5 * (near / SHARE_IOD) ** 2)
    left = np.clip(1.0 - near / REACH_IOD, 0.0, 1.0)
    shares = weights / weights.sum(1, keepdims=True) * left * left * (3.0 - 2.0 * left)
    shares[_FIXED] = 0.0
    return np.asarray(shares)
