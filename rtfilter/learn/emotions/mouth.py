"""What a feeling does to the lips' width and opening, against the same sentence without it.

Ratios are averaged over people as logarithms and drawn towards 1 as few people's are: with two people whose
logarithms differ by d, the mean m becomes m * R^2 / (R^2 + d^2 / 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.learn.emotions.people import Shapes
from rtfilter.learn.emotions.states import align_lips, lips, states

F64 = npt.NDArray[np.float64]

FIFTHS: Final = 5
REACH: Final = 0.3  # R: feelings change width and opening by about this much, as a logarithm
LEAST_GAP_IOD: Final = 0.02


@dataclass(frozen=True)
class Mouth:
    """One person's lips with a feeling over without it: ratios, by fifths from the least to the most.

    width, gap: of the means, float64 [5]. width_mean, gap_mean: of all of speech. width_gain, gap_gain: of
    the standard deviations. width_r, gap_r: correlation along the aligned sentence.
    """

    width: F64
    width_mean: float
    width_gain: float
    width_r: float
    gap: F64
    gap_mean: float
    gap_gain: float
    gap_r: float


def compare(emotional: Shapes, neutral: Shapes) -> Mouth:
    """The lips of two takes of one sentence.

    Fifths are matched by rank: the narrowest fifth with the feeling over the narrowest without. Matched by
    frame, every slip of the alignment would make narrow mouths look wider and wide ones narrower.
    """
    with_feeling, without = lips(emotional.shape_iod), lips(neutral.shape_iod)
    ours, theirs = align_lips(with_feeling, without)
    speaks = states(without, neutral.time_s)["speech"][theirs]
    w1, w0 = with_feeling.width_iod[ours][speaks], without.width_iod[theirs][speaks]
    g1, g0 = with_feeling.gap_iod[ours][speaks], without.gap_iod[theirs][speaks]
    return Mouth(
        width=fifths(w1) / fifths(w0),
        width_mean=float(w1.mean() / w0.mean()),
        width_gain=float(w1.std() / w0.std()),
        width_r=float(np.corrcoef(w0, w1)[0, 1]),
        gap=(fifths(g1) + LEAST_GAP_IOD) / (fifths(g0) + LEAST_GAP_IOD),
        gap_mean=float(g1.mean() / g0.mean()),
        gap_gain=float(g1.std() / g0.std()),
        gap_r=float(np.corrcoef(g0, g1)[0, 1]),
    )


def fifths(values: F64) -> F64:
    """The mean of every fifth of some values, sorted: float64 [5]."""
    return np.array([part.mean() for part in np.array_split(np.sort(values), FIFTHS)])


def shrunk_ratio(ratios: Sequence[float]) -> float:
    """The mean ratio over people; 1 for nobody."""
    if not ratios:
        return 1.0
    logs = np.log(ratios)
    spread = logs.var(ddof=1) if len(logs) > 1 else REACH**2
    return float(np.exp(logs.mean() * REACH**2 / (REACH**2 + spread / len(logs))))


def summary(mouths: Sequence[Mouth]) -> tuple[dict[str, float | list[float]], dict[str, float | list[float]]]:
    """`width_ratio` and `gap_ratio` of the table."""

    def over(name: str) -> float:
        return shrunk_ratio([getattr(mouth, name) for mouth in mouths])

    def each(name: str) -> list[float]:
        return [shrunk_ratio([float(getattr(mouth, name)[k]) for mouth in mouths]) for k in range(FIFTHS)]

    width, gap = each("width"), each("gap")
    return (
        {"roundest": width[0], "widest": width[-1], "mean": over("width_mean"), "gain": over("width_gain"),
         "fifths": width},
        {"least": gap[0], "most": gap[-1], "mean": over("gap_mean"), "gain": over("gap_gain"), "fifths": gap},
    )  # fmt: skip
