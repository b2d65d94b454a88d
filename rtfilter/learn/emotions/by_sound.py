"""How a feeling's shape depends on the sound: at rest, at closures, on open vowels, on rounded ones.

    change in state s = gain[s, part of the face] * change during speech + what several people share beyond

Few people show every state with every feeling, but all show that brows stay where they are and that lips
yield to speech: gains are pooled over people and emotions, by part of the face. What an emotion does beyond
is kept as far as two or more people agree on it.

Where no footage of feeling shows lips at rest (MEAD's clips are cut to the speech), the gain there is 1, and
for the lips that of closures: lips that are closed have the same room whether a sound asks for it or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPES
from rtfilter.learn.emotions.change import MATCHED, Change
from rtfilter.learn.emotions.pool import MIRRORED, ONE_SIDED, Pooled, is_left
from rtfilter.learn.emotions.solver import MEASURED
from rtfilter.learn.emotions.states import STATES

F64 = npt.NDArray[np.float64]

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "brows": ("brow",),
    "lids": ("eye",),
    "cheeks": ("cheek", "nose"),
    "corners": ("mouthSmile", "mouthFrown", "mouthStretch", "mouthDimple"),
    "upper_lip": ("mouthUpperUp",),
    "lips": (
        "jaw", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRoll", "mouthShrug", "mouthLowerDown",
        "mouthPress",
    ),
}  # fmt: skip
LIP_PARTS: Final = ("upper_lip", "lips")
# A gain of 1 is expected until people show otherwise: it weighs as much as this sum of squared coefficients.
GAIN_EVIDENCE: Final = 0.1
GAIN_RANGE: Final = (0.0, 1.8)
# Standard deviations of what one person, and what a feeling itself, does in a state beyond the gain.
BEYOND_PERSON: Final = 0.12
BEYOND_EMOTION: Final = 0.06


def part_mask(part: str) -> npt.NDArray[np.bool_]:
    """Which coefficients [52] belong to a part of the face."""
    return np.array([name.startswith(PARTS[part]) for name in BLENDSHAPES]) & MEASURED


def gains(changes: Sequence[Change]) -> dict[str, dict[str, float]]:
    """The gain by state and part of the face, least squares over all people and emotions."""
    clips = [change for change in changes if not change.still]
    found: dict[str, dict[str, float]] = {}
    for state in STATES:
        found[state] = {}
        for part in PARTS:
            mask = part_mask(part)
            pairs = [
                (_side(c, c.solved["speech"])[mask], _side(c, c.solved[state])[mask])
                for c in clips
                if state in c.solved and _comparable(c, part)
            ]
            across = sum(float(speech @ here) for speech, here in pairs)
            power = sum(float(speech @ speech) for speech, _ in pairs)
            gain = (across + GAIN_EVIDENCE) / (power + GAIN_EVIDENCE)
            found[state][part] = float(np.clip(gain, *GAIN_RANGE))
    if not any("rest" in change.solved for change in clips):
        for part in LIP_PARTS:
            found["rest"][part] = found["closed"][part]
    return found


def state_people(emotion: str, changes: Sequence[Change]) -> dict[str, int]:
    """How many people show each state with an emotion."""
    clips = [change for change in changes if change.emotion == emotion and not change.still]
    return {state: sum(state in change.solved for change in clips) for state in STATES}


def by_state(
    emotion: str, pooled: Pooled, changes: Sequence[Change], gain: Mapping[str, Mapping[str, float]]
) -> dict[str, F64]:
    """The change of coefficients [52] in every state."""
    clips = [change for change in changes if change.emotion == emotion and not change.still]
    found = {}
    for state in STATES:
        factor = np.zeros(BLENDSHAPE_COUNT)
        for part in PARTS:
            factor[part_mask(part)] = gain[state][part]
        there = [change for change in clips if state in change.solved]
        beyond = np.zeros(BLENDSHAPE_COUNT)
        if len(there) > 1:
            off = [_side(c, c.solved[state]) - factor * _side(c, c.solved["speech"]) for c in there]
            share = BEYOND_EMOTION**2 / (BEYOND_EMOTION**2 + BEYOND_PERSON**2 / len(there))
            beyond = share * np.mean(off, axis=0)
            only = np.array([sum(_comparable(c, part) for c in there) > 1 for part in PARTS])
            for part, known in zip(PARTS, only, strict=True):
                if not known:
                    beyond[part_mask(part)] = 0.0
        found[state] = np.where(MEASURED, factor * pooled.mean + beyond, 0.0)
    return found


def _comparable(change: Change, part: str) -> bool:
    """Lips that speak are compared on the same sentence only."""
    return part != "lips" or change.grade == MATCHED


def _side(change: Change, values: F64) -> F64:
    if change.emotion not in ONE_SIDED:
        return 0.5 * (values + values[MIRRORED])
    return values[MIRRORED] if is_left(change.solved["speech"]) else values
