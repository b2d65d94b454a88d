"""Brows and lashes: hair translates, it is not stretched. Called by `face.model`, for the basis of edits.

A basis moves the upper edge of a brow further than its lower edge, or less far, and both further than the
lid, as skin does. Applied to a picture that makes hair thicker or thinner. Here both edges get the mean of
their two displacements, and so, by degrees, do landmarks near them, since hair grows beyond the edges too:
the bare skin towards lids and forehead takes up the difference. Lashes and the crease above an upper lid
likewise keep to the lid where a brow would draw them up: otherwise a raised brow smears lashes into a shadow.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

# Distances from the nearest brow landmark up to which a brow's motion is all taken along, and from which
# nothing of it is left; and the width over which neighbouring landmarks of a brow share in it. In IODs.
HAIR_IOD: Final = 0.02
REACH_IOD: Final = 0.16
REACH_ABOVE_IOD: Final = 0.24  # on the forehead, whose next landmarks are 0.16 away
SHARE_IOD: Final = 0.04
_UPPER: Final = np.array(lm.BROW_RIGHT_UPPER + lm.BROW_LEFT_UPPER)
_LOWER: Final = np.array(lm.BROW_RIGHT_LOWER + lm.BROW_LEFT_LOWER)
# Upper lids, and the row of landmarks above them, column by column: between them are the lashes.
_LIDS: Final = np.array(lm.EYE_RIGHT_UPPER + lm.EYE_LEFT_UPPER)
_CREASE: Final = np.array([247, 30, 29, 27, 28, 56, 190, 467, 260, 259, 257, 258, 286, 414])
# What is left of the way that a brow draws the crease up from the lid. (The next row is the brow's: its hair
# would be stretched.)
CREASE_DRAWN: Final = 0.25
# Their places are the guard's and the lids' business.
_FIXED: Final = np.array(
    [*lm.EYE_RIGHT_OUTLINE, *lm.IRIS_RIGHT, *lm.EYE_LEFT_OUTLINE, *lm.IRIS_LEFT],
)


def translated(basis_iod: F32, mean_iod: F32) -> F32:
    """A basis [E, 478, 3] whose brows and lashes keep their thickness. mean_iod: float32 [478, 3]."""
    basis = basis_iod.astype(np.float64)
    both = 0.5 * (basis[:, _UPPER] + basis[:, _LOWER])
    shares, carried = _shares(mean_iod.astype(np.float64))
    moved = basis + carried[:, None] * (np.einsum("vb,ebk->evk", shares, both) - basis)
    moved[:, _UPPER] = moved[:, _LOWER] = both
    # y grows downwards; a blink, which leaves the crease where it is, draws nothing up.
    rises = np.minimum(moved[:, _CREASE, 1], 0.0)
    drawn = np.clip(moved[:, _CREASE, 1] - moved[:, _LIDS, 1], rises, 0.0)
    moved[:, _CREASE, 1] -= (1.0 - CREASE_DRAWN) * drawn
    return np.asarray(moved, np.float32)


def _shares(mean_iod: F64) -> tuple[F64, F64]:
    """What every landmark takes of each column's motion, [478, 10], in sums of 1; and how much of that
    replaces its own, [478], 0..1.
    """
    columns = np.stack([mean_iod[_UPPER], mean_iod[_LOWER]])
    apart = np.linalg.norm(mean_iod[:, None] - columns[:, None], axis=3).min(0)
    near = apart.min(1, keepdims=True)
    weights = np.exp(-0.5 * (apart / SHARE_IOD) ** 2 + 0.5 * (near / SHARE_IOD) ** 2)
    nearest = columns[:, apart.argmin(1), 1].min(0)
    upwards = np.clip((nearest - mean_iod[:, 1]) / np.maximum(near[:, 0], 1e-9), 0.0, 1.0)
    reach = REACH_IOD + (REACH_ABOVE_IOD - REACH_IOD) * upwards
    left = np.clip((reach - near[:, 0]) / (reach - HAIR_IOD), 0.0, 1.0)
    carried = left * left * (3.0 - 2.0 * left)
    carried[_FIXED] = 0.0
    return weights / weights.sum(1, keepdims=True), carried
