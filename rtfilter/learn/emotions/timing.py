"""How fast an expression comes and goes: time constants of its rises and falls within emotional takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.learn.emotions.by_sound import part_mask
from rtfilter.learn.emotions.people import Shapes

F64 = npt.NDArray[np.float64]

# Brows: what moves without speech, and is seen well. Corners and lips rise and fall with every vowel.
PART: Final = "brows"
LEAST_DIRECTION: Final = 0.3  # takes of emotions that hardly move the brows tell nothing
LEAST_AMPLITUDE: Final = 0.4  # and so do takes of people who don't move theirs
STEP: Final = 0.25  # of the mean amplitude: smaller ups and downs are accents of speech, and noise
LONGEST_S: Final = 2.0
# An exponential approach takes ln(0.8 / 0.2) time constants from a fifth to four fifths of its way.
DEFAULT_S: Final = (0.2, 0.35)  # where no take shows a rise or a fall
FIFTHS_IN_CONSTANTS: Final = float(np.log(4.0))


@dataclass(frozen=True)
class Moves:
    """Time constants in seconds of every rise and fall of one take."""

    rises_s: tuple[float, ...]
    falls_s: tuple[float, ...]


def amplitude(take: Shapes, neutral_scores: F64, direction: F64) -> F64 | None:
    """How much of a direction [52] every frame shows, float64 [N]; None where brows show too little of it."""
    wanted = np.where(part_mask(PART), direction, 0.0)
    power = float(wanted @ wanted)
    if power < LEAST_DIRECTION**2:
        return None
    shown = _smooth((take.scores - neutral_scores) @ wanted / power)
    return shown if float(shown.mean()) >= LEAST_AMPLITUDE else None


def moves(shown: F64, time_s: F64) -> Moves:
    """The rises and falls of an amplitude [N], which alternate; the first and last, cut off, are left out."""
    turns = _turns(shown, STEP * max(float(np.mean(np.abs(shown))), 1e-3))
    rises: list[float] = []
    falls: list[float] = []
    for start, end in pairwise(turns[1:-1]):
        constant = _fifths_s(shown[start : end + 1], time_s[start : end + 1]) / FIFTHS_IN_CONSTANTS
        if 0.0 < constant <= LONGEST_S:
            (rises if shown[end] > shown[start] else falls).append(constant)
    return Moves(tuple(rises), tuple(falls))


def summary(shown: Sequence[tuple[F64, F64]]) -> dict[str, float | int]:
    """The table's `timing`: time constants (geometric means), and how evenly an expression is held.

    shown: amplitude and time_s of every take that tells something.
    """
    found = [moves(values, time_s) for values, time_s in shown]
    rises = [value for take in found for value in take.rises_s]
    falls = [value for take in found for value in take.falls_s]
    held = [float(values.std() / values.mean()) for values, _ in shown]
    return {
        "onset_s": float(np.exp(np.mean(np.log(rises)))) if rises else DEFAULT_S[0],
        "offset_s": float(np.exp(np.mean(np.log(falls)))) if falls else DEFAULT_S[1],
        "variation": float(np.median(held)) if held else 0.0,
        "rises": len(rises),
        "falls": len(falls),
        "takes": len(shown),
    }


def _turns(values: F64, step: float) -> list[int]:
    """Indices of alternating lows and highs that lie at least `step` apart."""
    turns, low, high, up = [0], 0, 0, 0
    for index, value in enumerate(values):
        low = index if value < values[low] else low
        high = index if value > values[high] else high
        if up >= 0 and values[high] - value >= step:
            turns, low, up = [*turns, high], index, -1
        elif up <= 0 and value - values[low] >= step:
            turns, high, up = [*turns, low], index, 1
    return [*turns, high if up > 0 else low]


def _fifths_s(values: F64, time_s: F64) -> float:
    """The time from a fifth to four fifths of the way between the first value and the last."""
    way = (values - values[0]) / (values[-1] - values[0])
    early = np.flatnonzero(way <= 0.2)[-1]
    late = early + int(np.flatnonzero(way[early:] >= 0.8)[0])
    crossing = [np.interp(share, way[early : late + 1], time_s[early : late + 1]) for share in (0.2, 0.8)]
    return float(crossing[1] - crossing[0])


def _smooth(values: F64) -> F64:
    """Median, then mean, of three frames."""
    if len(values) < 3:
        return values
    padded = np.pad(values, 1, "edge")
    middle = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    padded = np.pad(middle, 1, "edge")
    return np.asarray((padded[:-2] + padded[1:-1] + padded[2:]) / 3.0)
