"""The change of a shape as blendshape coefficients, drawn towards what a teacher saw.

    argmin_d  |change - R r - B d|^2_W  +  sum_c lambda (d_c - g_c s_c)^2     subject to  d >= -g before

s: the change of the teacher's scores; g: how much of our coefficient one of its is worth (`teacher_gain`).
Where landmarks show a coefficient they decide; where they hardly see it (noseSneer, eyeSquint against
eyeBlink) the teacher's view stays. R: shifts, turns and size of the head. (`face.change` draws towards zero,
and fits gaze too: that shares a squint among four directions of gaze.)
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPES
from rtfilter.face.landmarks import LANDMARK_COUNT, SURFACE_COUNT
from rtfilter.face.model import MorphableModel

F64 = npt.NDArray[np.float64]

# In units of the basis' mean power. From 0.05 to 0.2 the changes of two people with one feeling agree best (a
# cosine of 0.85), and a fifth of the squares of the mean change stays unexplained.
PULL: Final = 0.1
DEPTH_WEIGHT: Final = 0.1
STEPS: Final = 600
# Not what a feeling does to a face that speaks, or not to be told from a turned head. What the teacher says
# of gaze is taken as it is, since lids follow it.
LEFT_OUT: Final = ("jawForward", "jawLeft", "jawRight", "cheekPuff", "tongueOut")
# Fitted, so that a mouth drawn to one side is not taken for half a frown, but nobody's feeling: it is some
# people's way of showing contempt, to the left or to the right.
ASIDE: Final = ("mouthLeft", "mouthRight")
GAZE: Final = tuple(name for name in BLENDSHAPES if name.startswith("eyeLook"))
_IS_GAZE: Final = np.isin(BLENDSHAPES, GAZE)
_IS_LEFT_OUT: Final = np.isin(BLENDSHAPES, LEFT_OUT)
_FITTED: Final = ~(_IS_GAZE | _IS_LEFT_OUT)
MEASURED: Final = _FITTED & ~np.isin(BLENDSHAPES, ASIDE)


class Solver:
    """The problem for one model and one person; neutral_iod: float64 [478, 3], gain: float64 [52]."""

    def __init__(self, model: MorphableModel, neutral_iod: F64, gain: F64, pull: float = PULL) -> None:
        self._gain = gain
        weights = np.ones((LANDMARK_COUNT, 3))
        weights[:, 2] = DEPTH_WEIGHT**2
        weights[SURFACE_COUNT:] = 0.0
        flat = weights.ravel()
        self.basis = model.expression_basis.reshape(BLENDSHAPE_COUNT, -1).astype(np.float64)
        motions = _motions(neutral_iod)
        free = np.where(_FITTED[:, None], self.basis, 0.0)
        # What a motion of the head can imitate is taken out of the basis.
        free = free - np.linalg.solve((motions * flat) @ motions.T, (motions * flat) @ free.T).T @ motions
        free[~_FITTED] = 0.0
        self._weighted = free * flat
        gram = self._weighted @ free.T
        self._pull = pull * float(np.trace(gram)) / int(_FITTED.sum())
        self._gram = gram + self._pull * np.eye(BLENDSHAPE_COUNT)
        self._inverse = np.linalg.inv(self._gram)
        self._step = 1.0 / float(np.linalg.eigvalsh(self._gram)[-1])

    @property
    def seen(self) -> F64:
        """How much of each coefficient the landmarks decide, float64 [52], 0..1; the teacher has the rest."""
        return np.asarray(1.0 - self._pull * np.diag(self._inverse))

    def solve(self, shape_change_iod: F64, score_change: F64, before: F64) -> F64:
        """The change of coefficients, float64 [52]; gaze and what is left out are 0.

        shape_change_iod: float64 [478, 3]. score_change: float64 [52]. before: float64 [52], what the teacher
        saw before the change; no more than that is taken away.
        """
        gaze = np.where(_IS_GAZE, score_change, 0.0) @ self.basis
        target = self._weighted @ (shape_change_iod.ravel() - gaze)
        target += self._pull * np.where(_FITTED, self._gain * score_change, 0.0)
        lowest = -self._gain * np.maximum(before, 0.0)
        change = np.maximum(self._inverse @ target, lowest)
        for _ in range(STEPS):
            change = np.maximum(change - self._step * (self._gram @ change - target), lowest)
        return np.where(MEASURED, change, 0.0)


def _motions(shape_iod: F64) -> F64:
    """Three shifts, three turns (to first order) and the growth of a shape [478, 3]: [7, 1434]."""
    axes = np.eye(3)
    motions = [np.broadcast_to(axis, shape_iod.shape) for axis in axes]
    motions += [np.cross(axis, shape_iod) for axis in axes]
    return np.asarray(np.stack([*motions, shape_iod]).reshape(7, -1))
