"""Mouth-shape preservation: the offset closest to the target that leaves speech readable.

    d = argmin |d - target|^2_W + m |S d|^2    subject to closure

S maps coefficients to what speech is read from. Both steps are closed form: with A = S W^-1 S^T and
r = S target, the unconstrained optimum is d = target - W^-1 S^T M (I + A M)^-1 r; where a lip pair's change
is more than closure permits, the smallest change (in W) takes the excess back. Called by `face.edit`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX, BLENDSHAPES
from rtfilter.face import landmarks as lm
from rtfilter.face.model import MorphableModel

F64 = npt.NDArray[np.float64]

PAIRS: Final = len(lm.LIPS_INNER_UPPER)
_UPPER: Final = np.array(lm.LIPS_INNER_UPPER)
_LOWER: Final = np.array(lm.LIPS_INNER_LOWER)
CLOSURE_DAMPING: Final = 0.003
CLOSURE_STEPS: Final = 2
OPEN_SHARE: Final = 0.6  # at mouth = 0, emotion may change a gap by this share of itself

# Rows after the lip pairs, with their weight beside a lip pair's 1: corners may travel, so the width
# yields easily; lips that protrude and the jaw are speech.
_OUTER: Final = tuple(zip(lm.LIPS_MIDDLE_UPPER[1:8], lm.LIPS_MIDDLE_LOWER[1:8], strict=True)) + tuple(
    zip(lm.LIPS_OUTER_UPPER[2:7], lm.LIPS_OUTER_LOWER[2:7], strict=True)
)
EXTRA_ROWS: Final = {
    "width": 0.0002,
    "protrusion": 0.001,
    "jaw": 1.0,
    "height": 0.02,
    **{f"outer_{k}": 0.05 for k in range(len(_OUTER))},
}

# Coefficients that may repair what emotion does to the lips; the others cost too much to be touched.
_REPAIR_COST: Final = {
    "jaw": 4.0, "mouthClose": 0.5, "mouthFunnel": 2.0, "mouthPucker": 3.0, "mouthLowerDown": 0.5,
    "mouthUpperUp": 0.5, "mouthRoll": 0.7, "mouthShrug": 0.7, "mouthPress": 0.7, "mouthLeft": 50.0,
    "mouthRight": 50.0,
}  # fmt: skip
_FIXED_COST: Final = 1e4
_EMOTIVE_COST: Final = 8.0  # smile, frown, dimple, stretch: the emotion itself


class MouthGuard:
    """The constraint for one model, its constants precomputed: a frame costs a few small products.

    rows: float64 [R, 52], S; gap_rows: its first PAIRS. In the modes of M^1/2 A M^1/2, which has the
    eigenvalues power [R], to_modes [R, 52] is M^1/2 S and from_modes [52, R] is W^-1 S^T M^1/2. repair:
    float64 [52, PAIRS], the cheapest change of coefficients by excess of a gap.
    """

    def __init__(self, model: MorphableModel) -> None:
        self.rows = speech_rows(model)
        self.gap_rows = np.ascontiguousarray(self.rows[:PAIRS])
        spread = (1.0 / _costs())[:, None] * self.rows.T
        a = self.rows @ spread
        count = len(a)
        mean_power = float(np.trace(a)) / count
        # (I + m A M)^-1 for every m at once: M^1/2 A M^1/2 = Q diag(power) Q^T.
        weights = np.sqrt(np.array([1.0] * PAIRS + list(EXTRA_ROWS.values())) * (20.0 / mean_power))
        self.power, q = np.linalg.eigh(weights[:, None] * a * weights)
        self.to_modes = (q.T * weights) @ self.rows
        self.from_modes = spread @ (weights[:, None] * q)
        # Damped: single lip pairs barely move alone, and an exact repair would shake the whole mouth.
        self.repair = (spread @ np.linalg.inv(a + CLOSURE_DAMPING * mean_power * np.eye(count)))[
            :, :PAIRS
        ].copy()

    def solve(self, target: F64, gaps_iod: F64, mouth: float) -> F64:
        """The permitted offset [52].

        target: float64 [52]. gaps_iod: float64 [9], the inner-lip gaps of this frame in IODs, negative where
        lips overlap. mouth: 0..1; 1 gives speech priority everywhere.
        """
        m = mouth_weight(mouth)
        share = m / (1.0 + m * self.power)
        # (Products this small stay on one thread; larger ones are einsum's, see docs/decisions.md.)
        offset = target - self.from_modes @ (share * (self.to_modes @ target))
        # Closure: a gap may change by a share of itself only, so closed lips stay closed at any m.
        bound = OPEN_SHARE * np.maximum(gaps_iod, 0.0)
        for _ in range(CLOSURE_STEPS):
            change = self.gap_rows @ offset
            over = change - np.minimum(np.maximum(change, -bound), bound)
            offset = offset - self.repair @ over
        return np.asarray(offset)


def mouth_weight(mouth: float) -> float:
    """m, the weight of speech against emotion, for the user's trade-off 0..1."""
    return mouth / (1.02 - mouth)


def lip_gaps(shape_iod: F64) -> F64:
    """Inner-lip gaps [9] in IODs of a head-frame shape [478, 3], along the face's vertical."""
    return np.asarray(shape_iod[_LOWER, 1] - shape_iod[_UPPER, 1])


def speech_rows(model: MorphableModel) -> F64:
    """S, float64 [PAIRS + len(EXTRA_ROWS), 52]: change in IODs of nine inner-lip gaps, mouth width, lip
    protrusion, jaw, height of the lips, and of the distances between the lips' middle and outer lines."""
    basis = model.expression_basis.astype(np.float64)
    gaps = (basis[:, _LOWER, 1] - basis[:, _UPPER, 1]).T
    width = basis[:, lm.INNER_CORNER_LEFT, 0] - basis[:, lm.INNER_CORNER_RIGHT, 0]
    lips = [*lm.LIPS_MIDDLE_UPPER[2:7], *lm.LIPS_MIDDLE_LOWER[2:7]]
    protrusion = basis[:, lips, 2].mean(1)
    jaw = basis[:, lm.CHIN, 1]
    height = basis[:, [lm.LIP_UPPER_INNER, lm.LIP_LOWER_INNER], 1].mean(1)
    outer = np.stack([basis[:, low, 1] - basis[:, up, 1] for up, low in _OUTER])
    return np.asarray(np.concatenate([gaps, width[None], protrusion[None], jaw[None], height[None], outer]))


def _costs() -> F64:
    costs = np.full(BLENDSHAPE_COUNT, _FIXED_COST)
    for name in BLENDSHAPES:
        if name.startswith("mouth"):
            costs[BLENDSHAPE_INDEX[name]] = _EMOTIVE_COST
        for prefix, cost in _REPAIR_COST.items():
            if name.startswith(prefix):
                costs[BLENDSHAPE_INDEX[name]] = cost
    return costs
