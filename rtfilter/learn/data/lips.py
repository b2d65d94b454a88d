"""Lips of the synthetic corpus: coefficients changed as little as needed so that gaps are what speech asks.

At a closure all nine inner-lip gaps are zero, and nowhere do lips overlap. Called by `data.corpus`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.face import landmarks as lm
from rtfilter.face.model import MorphableModel
from rtfilter.learn.data.visemes import both_sides

F64 = npt.NDArray[np.float64]

# What a coefficient costs to move; others stay. The jaw rises only where lips alone do not reach.
_COSTS: Final = {
    "jawOpen": 3.0, "mouthClose": 0.3, "mouthLowerDown": 0.5, "mouthUpperUp": 0.5, "mouthFunnel": 2.0,
    "mouthRollLower": 1.0, "mouthRollUpper": 1.0, "mouthPress": 0.7, "mouthShrugLower": 1.0,
    "mouthShrugUpper": 2.0, "mouthDimple": 3.0, "mouthSmile": 3.0,
}  # fmt: skip
_STEPS: Final = 40
_DAMPING: Final = 0.02


class LipCloser:
    """The gaps' equations for one model."""

    def __init__(self, model: MorphableModel) -> None:
        basis = model.expression_basis.astype(np.float64)
        self._upper, self._lower = list(lm.LIPS_INNER_UPPER), list(lm.LIPS_INNER_LOWER)
        self.rows = (basis[:, self._lower, 1] - basis[:, self._upper, 1]).T
        spread = np.zeros((BLENDSHAPE_COUNT, len(self.rows)))
        for name, cost in _COSTS.items():
            for index in both_sides(name):
                spread[index] = self.rows[:, index] / cost
        power = self.rows @ spread
        damped = power + _DAMPING * np.trace(power) / len(power) * np.eye(len(power))
        self._repair = spread @ np.linalg.inv(damped)
        # Of the middle pair alone, which has no single coefficient of its own: for what is left at the end.
        middle = len(self.rows) // 2
        self._middle, self._last = middle, spread[:, middle] / power[middle, middle]

    def gaps_iod(self, neutral_iod: npt.NDArray[np.float32], expression: F64) -> F64:
        """Inner-lip gaps [T, 9] of a person's face; expression: float64 [T, 52]."""
        rest = neutral_iod[self._lower, 1] - neutral_iod[self._upper, 1]
        return np.asarray(rest + expression @ self.rows.T)

    def close(self, neutral_iod: npt.NDArray[np.float32], expression: F64, closure: F64) -> F64:
        """`expression` [T, 52] with gaps between 0 and (1 - closure) times their own; closure: [T], 0..1."""
        own = self.gaps_iod(neutral_iod, expression)
        most = np.maximum(own, 0.0) * (1.0 - closure)[:, None]
        changed = expression.copy()
        for step in range(_STEPS):
            gaps = self.gaps_iod(neutral_iod, changed)
            excess = gaps - np.clip(gaps, 0.0, most)
            if step % 2:
                changed -= excess[:, self._middle, None] * self._last
            else:
                changed -= excess @ self._repair.T
            np.clip(changed, 0.0, 1.0, out=changed)
        return changed
