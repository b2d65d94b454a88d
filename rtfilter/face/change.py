"""The difference of two expressions of one face, as blendshape coefficients. Called by `quality.evaluate`.

    argmin_d  |shape_after - shape_before - R r - B d|^2_W  +  ridge |d|^2     subject to  d >= -e_before

B: the expression basis, R: a head's three shifts, three turns and scale. In the *difference* the person's
neutral cancels. Two fits, subtracted, could not show that a face which smiles fully (e = 1) smiles more.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.face.landmarks import LANDMARK_COUNT, SURFACE_COUNT
from rtfilter.face.model import MorphableModel

F64 = npt.NDArray[np.float64]

# Of the basis' mean power. Squint and blink, funnel and pucker look nearly the same to a tracker: the ridge
# shares such a change between them.
RIDGE: Final = 2e-3
# An edit moves pixels within the picture; the depth of the result is estimated.
DEPTH_WEIGHT: Final = 0.1
IRIS_WEIGHT: Final = 0.5
# Accelerated projected gradient (Beck, Teboulle 2009); coefficients move by less than 1e-3 after that.
STEPS: Final = 400


class ChangeFit:
    """The least-squares problem for one model and one person.

    neutral_iod: float64 [478, 3], the person's neutral in the head frame.
    """

    def __init__(self, model: MorphableModel, neutral_iod: F64) -> None:
        weights = np.ones((LANDMARK_COUNT, 3))
        weights[:, 2] = DEPTH_WEIGHT**2
        weights[SURFACE_COUNT:] *= IRIS_WEIGHT**2
        flat = weights.ravel()
        rigid = _rigid_motions(neutral_iod)
        basis = model.expression_basis.reshape(BLENDSHAPE_COUNT, -1).astype(np.float64)
        # Eliminating r leaves the part of the basis that no motion of the head can imitate.
        motion = np.linalg.solve((rigid * flat) @ rigid.T, (rigid * flat) @ basis.T)
        basis = basis - motion.T @ rigid
        self._weighted = basis * flat
        self._gram = self._weighted @ basis.T
        self._gram += RIDGE * float(np.trace(self._gram)) / BLENDSHAPE_COUNT * np.eye(BLENDSHAPE_COUNT)
        self._inverse = np.linalg.inv(self._gram)
        self._step = 1.0 / float(np.linalg.eigvalsh(self._gram)[-1])

    def solve(self, shape_change_iod: F64, expression_before: F64) -> F64:
        """The change of every coefficient, float64 [N, 52], in N frames.

        shape_change_iod: float64 [N, 478, 3], after minus before, both in the head frame of `before`.
        expression_before: float64 [N, 52]; no more than that can be taken away.
        """
        flat = shape_change_iod.reshape(len(shape_change_iod), -1)
        target = np.einsum("nd,ed->ne", flat, self._weighted)
        lowest = -expression_before
        best = np.maximum(target @ self._inverse, lowest)
        ahead, momentum = best, 1.0
        for _ in range(STEPS):
            following = np.maximum(ahead - self._step * (ahead @ self._gram - target), lowest)
            next_momentum = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum * momentum))
            ahead = following + ((momentum - 1.0) / next_momentum) * (following - best)
            best, momentum = following, next_momentum
        return np.asarray(best)


def _rigid_motions(shape_iod: F64) -> F64:
    """Three shifts, three turns (to first order) and the growth of a shape [478, 3]: [7, 1434]."""
    axes = np.eye(3)
    shifts = [np.broadcast_to(axis, shape_iod.shape) for axis in axes]
    turns = [np.cross(axis, shape_iod) for axis in axes]
    return np.asarray(np.stack([*shifts, *turns, shape_iod]).reshape(7, -1))
