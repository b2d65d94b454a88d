"""Mouth-shape preservation: the offset closest to the target that leaves speech readable.

    d = argmin |d - target|^2_C + |S d - permitted|^2_M     subject to closure
    permitted = (1 - mouth) * (raised * max(S target, 0) + lowered * min(S target, 0))

S maps coefficients to what speech is read from: gaps, corners, protrusion, jaw. Emotion may raise it by what
it asks for where lips are open and wide, in proportion to opening and width below that, and by nothing where
they are closed or rounded, or at mouth = 1; it may draw rounded lips in, and close nothing. So do people who
speak with feeling. Closed form: with
A = S C^-1 S^T, d = target - C^-1 S^T M (I + A M)^-1 (S target - permitted); where a lip pair's change is more
than closure permits, the smallest change (in C) takes the excess back. Called by `face.edit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX, BLENDSHAPES
from rtfilter.face import landmarks as lm
from rtfilter.face.model import MorphableModel
from rtfilter.kernels.cpu.edit import speaking

F64 = npt.NDArray[np.float64]

LEAST_WIDTH_IOD: Final = 0.2  # a floor against division by zero
PAIRS: Final = len(lm.LIPS_INNER_UPPER)
_UPPER: Final = np.array(lm.LIPS_INNER_UPPER)
_LOWER: Final = np.array(lm.LIPS_INNER_LOWER)
CLOSURE_DAMPING: Final = 0.003
CLOSURE_STEPS: Final = 2
OPEN_SHARE: Final = 0.6  # emotion may change a gap by this share of itself

# Lips nearer than the first are closed, up to the tracker's scatter. An emotion opens them by nothing there,
# by all that it asks for from the second on, and in proportion between.
CLOSED_IOD: Final = 0.03
FULL_GAP_IOD: Final = 0.33
# Width over the neutral width: rounded lips, whose width is all speech, and lips that are not rounded.
ROUNDED: Final = 0.7
UNROUNDED: Final = 1.1

# The rows after the lip pairs, with their weight beside a lip pair's 1.
_OUTER: Final = tuple(zip(lm.LIPS_MIDDLE_UPPER[1:8], lm.LIPS_MIDDLE_LOWER[1:8], strict=True)) + tuple(
    zip(lm.LIPS_OUTER_UPPER[2:7], lm.LIPS_OUTER_LOWER[2:7], strict=True)
)
EXTRA_ROWS: Final = {
    "corner_right": 1.0,
    "corner_left": 1.0,
    "protrusion": 0.05,
    "jaw": 1.0,
    **{f"outer_{k}": 0.05 for k in range(len(_OUTER))},
}
_NAMES: Final = np.array([""] * PAIRS + list(EXTRA_ROWS))
ROWS: Final = PAIRS + len(EXTRA_ROWS)
# Masks [R]. Corners and protrusion follow the width, each gap itself, and what is left the middle gap.
CORNER_ROWS: Final = np.isin(_NAMES, ("corner_right", "corner_left")).astype(np.float64)
WIDE_ROWS: Final = CORNER_ROWS + (_NAMES == "protrusion")
MIDDLE_ROWS: Final = 1.0 - WIDE_ROWS - (_NAMES == "")
# Measured: no emotion closes lips or jaw of people who speak; it draws in rounded lips, not wide ones.
LOWERED_ROWS: Final = 1.0 - CORNER_ROWS - (_NAMES == "") - (_NAMES == "jaw")
WEIGHT: Final = 1000.0  # of speech against staying at the target, in units of A's mean power

# Coefficients that may repair what emotion does to the lips; the others cost too much to be touched.
_REPAIR_COST: Final = {
    "jaw": 4.0, "mouthClose": 0.5, "mouthFunnel": 2.0, "mouthPucker": 2.0, "mouthLowerDown": 0.5,
    "mouthUpperUp": 1.0, "mouthRoll": 0.7, "mouthShrug": 0.7, "mouthPress": 0.7, "mouthLeft": 50.0,
    "mouthRight": 50.0, "mouthStretch": 1.0, "mouthDimple": 1.0,
}  # fmt: skip
_FIXED_COST: Final = 1e4
_EMOTIVE_COST: Final = 8.0  # smile, frown: the emotion itself


@dataclass(frozen=True, slots=True)
class Lips:
    """The lips in one frame.

    gaps_iod: float64 [9], negative where lips overlap. width_ratio: over the neutral mouth's.
    """

    gaps_iod: F64
    width_ratio: float

    @classmethod
    def of(cls, shape_iod: F64, neutral_iod: F64) -> Lips:
        """Of head-frame shapes [478, 3]."""
        return cls(lip_gaps(shape_iod), lip_width(shape_iod) / max(lip_width(neutral_iod), LEAST_WIDTH_IOD))

    def openness(self) -> tuple[F64, F64]:
        """How much of each speech row emotion may raise, and how much of it lower, [R] each, 0..1."""
        gaps = np.clip((self.gaps_iod - CLOSED_IOD) / (FULL_GAP_IOD - CLOSED_IOD), 0.0, 1.0)
        wide = min(max((self.width_ratio - ROUNDED) / (UNROUNDED - ROUNDED), 0.0), 1.0)
        raised = wide * WIDE_ROWS + gaps[PAIRS // 2] * MIDDLE_ROWS
        raised[:PAIRS] = gaps
        lowered = raised * LOWERED_ROWS + (1.0 - wide) * CORNER_ROWS
        return raised, lowered


class MouthGuard:
    """The constraint for one model, its constants precomputed: a frame costs a few small products.

    rows: float64 [R, 52], S; gap_rows: its first PAIRS. restore: float64 [52, R], takes back a change of
    speech. repair: float64 [52, PAIRS], the cheapest change of coefficients by excess of a gap.
    """

    def __init__(self, model: MorphableModel) -> None:
        self.rows = speech_rows(model)
        self.gap_rows = np.ascontiguousarray(self.rows[:PAIRS])
        spread = (1.0 / _costs())[:, None] * self.rows.T
        a = self.rows @ spread
        count = len(a)
        mean_power = float(np.trace(a)) / count
        weights = np.array([1.0] * PAIRS + list(EXTRA_ROWS.values())) * (WEIGHT / mean_power)
        self.restore = spread @ np.linalg.inv(np.diag(1.0 / weights) + a)
        # Damped: single lip pairs barely move alone, and an exact repair would shake the whole mouth.
        self.repair = (spread @ np.linalg.inv(a + CLOSURE_DAMPING * mean_power * np.eye(count)))[
            :, :PAIRS
        ].copy()

    def solve(self, target: F64, lips: Lips, mouth: float) -> F64:
        """The permitted offset [52].

        target: float64 [52]. mouth: 0..1; 1 gives speech priority everywhere.
        """
        # Closure: a gap may change by a share of itself only, so closed lips stay closed at any `mouth`.
        bound = OPEN_SHARE * np.maximum(lips.gaps_iod, 0.0)
        how = (self.rows, self.restore, self.repair, CLOSURE_STEPS)
        return np.asarray(speaking(target, *lips.openness(), bound, float(mouth), *how))


def lip_gaps(shape_iod: F64) -> F64:
    """Inner-lip gaps [9] in IODs of a head-frame shape [478, 3], along the face's vertical."""
    return np.asarray(shape_iod[_LOWER, 1] - shape_iod[_UPPER, 1])


def lip_width(shape_iod: F64) -> float:
    """Distance of the mouth corners across the face in IODs of a head-frame shape [478, 3]."""
    return float(shape_iod[lm.MOUTH_CORNER_LEFT, 0] - shape_iod[lm.MOUTH_CORNER_RIGHT, 0])


def speech_rows(model: MorphableModel) -> F64:
    """S, float64 [PAIRS + len(EXTRA_ROWS), 52]: change in IODs of nine inner-lip gaps, of the corners' places
    across the face, lip protrusion, jaw, and of the distances between the lips' middle and outer lines.

    Both corners, not their distance alone: a one-sided smile would else push the mouth to its other side.
    """
    basis = model.expression_basis.astype(np.float64)
    gaps = (basis[:, _LOWER, 1] - basis[:, _UPPER, 1]).T
    corners = np.stack([-basis[:, lm.LIPS_CORNER_RIGHT, 0].mean(1), basis[:, lm.LIPS_CORNER_LEFT, 0].mean(1)])
    lips = [*lm.LIPS_MIDDLE_UPPER[2:7], *lm.LIPS_MIDDLE_LOWER[2:7]]
    protrusion = basis[:, lips, 2].mean(1)
    jaw = basis[:, lm.CHIN, 1]
    outer = np.stack([basis[:, low, 1] - basis[:, up, 1] for up, low in _OUTER])
    return np.asarray(np.concatenate([gaps, corners, protrusion[None], jaw[None], outer]))


def _costs() -> F64:
    costs = np.full(BLENDSHAPE_COUNT, _FIXED_COST)
    for name in BLENDSHAPES:
        if name.startswith("mouth"):
            costs[BLENDSHAPE_INDEX[name]] = _EMOTIVE_COST
        for prefix, cost in _REPAIR_COST.items():
            if name.startswith(prefix):
                costs[BLENDSHAPE_INDEX[name]] = cost
    return costs
