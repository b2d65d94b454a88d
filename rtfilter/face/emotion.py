"""Emotion to expression: measured directions in blendshape space, limited by the face's own expression.

A direction is what people who speak with that feeling do against their own neutral: assets/emotions.json,
made by `learn.emotions.measure`, emphasised and accented, without what is the speaker's own. Called by
`face.edit`; `engines.expression` has the same arithmetic as a graph.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX, EMOTIONS, Controls
from rtfilter.errors import InputError
from rtfilter.kernels.cpu.edit import asked_for

F64 = npt.NDArray[np.float64]

TABLE: Final = "emotions.json"
TABLE_VERSION: Final = 1
# Factor on the measured change: a tracker sees less of a strong expression than there is, and the skin's maps
# make fewer folds than people have.
EMPHASIS: Final[Mapping[str, float]] = {
    "happy": 2.5, "sad": 3.4, "angry": 2.5, "surprised": 2.6, "fearful": 2.5, "disgusted": 2.5,
    "contempt": 2.5,
}  # fmt: skip
# Added to that, to be read for what it is: chosen with two recognisers (`learn.emotions.accent`), then by
# hand (docs/model-cards/emotions.md).
ACCENTS: Final[Mapping[str, Mapping[str, float]]] = {
    "happy": {
        "mouthSmile": 0.40, "mouthStretch": 0.15, "cheekSquint": 0.25, "mouthFunnel": -0.15,
        "mouthUpperUp": -0.30, "mouthDimple": 0.15, "mouthLowerDown": 0.15,
    },
    "sad": {
        "mouthFrown": 0.70, "browDown": 0.55, "browInnerUp": 0.65, "mouthShrugLower": 0.30, "eyeBlink": -0.10,
        "mouthShrugUpper": 0.15, "mouthFunnel": -0.20, "mouthLowerDown": -0.15, "eyeSquint": -1.20,
    },
    "angry": {
        "noseSneer": 0.35, "mouthSmile": -0.30, "mouthStretch": -0.20, "mouthFunnel": 0.15, "browDown": 0.10,
        "eyeBlink": -0.10, "browOuterUp": 0.40, "mouthFrown": 0.15, "eyeSquint": -0.45,
    },
    "surprised": {"browOuterUp": 0.25, "eyeWide": 0.30, "mouthFunnel": 0.15, "mouthStretch": -0.15},
    "fearful": {
        "eyeWide": 0.40, "mouthStretch": 0.15, "browInnerUp": 0.25, "mouthSmile": -0.25, "mouthFrown": 0.20,
    },
    "disgusted": {"noseSneer": 0.60, "mouthUpperUp": 0.30},
    "contempt": {"mouthSmileRight": 0.60, "mouthDimpleRight": 0.20, "browOuterUpLeft": -0.60},
}  # fmt: skip
# Shares of shapes of another feeling that are taken away. (A name without a side stands for both.)
OPPOSED: Final[Mapping[str, Mapping[str, float]]] = {
    "happy": {"mouthFrown": 0.8, "browDown": 0.5, "mouthPress": 0.5},
    "sad": {"mouthSmile": 0.8, "cheekSquint": 0.5, "eyeWide": 0.6},
    "angry": {"mouthSmile": 0.8, "browInnerUp": 0.8, "eyeWide": 0.5},
    "surprised": {"browDown": 0.8, "eyeSquint": 0.6, "mouthSmile": 0.4},
    "fearful": {"mouthSmile": 0.6, "eyeSquint": 0.5},
    "disgusted": {"mouthSmile": 0.6, "eyeWide": 0.6, "browInnerUp": 0.5},
    "contempt": {},
}
# The speaker's own; and what is not taken from them, since rounding is speech and a blink is not opened.
SPOKEN: Final = ("jaw", "eyeLook", "mouthLeft", "mouthRight", "tongue")
KEPT: Final = ("mouthPucker", "mouthFunnel", "mouthClose", "mouthRoll", "eyeBlink")

# What "neutral" draws back to rest: feeling, not speech, gaze or blinking.
AFFECT: Final = (
    "browDown", "browInnerUp", "browOuterUp", "cheekSquint", "eyeSquint", "eyeWide", "mouthDimple",
    "mouthFrown", "mouthSmile", "noseSneer",
)  # fmt: skip

# The share of a target that is dropped where the face shows it fully already, and the most that own
# expression and edit may reach together.
ALREADY: Final = 0.5
LIMIT: Final = 2.0
LID_SHARE: Final = 1.4  # of a lid's target that is lost by blink

# Emotions on the circumplex (Russell 1980): valence, arousal.
CIRCUMPLEX: Final[Mapping[str, tuple[float, float]]] = {
    "happy": (0.85, 0.35), "surprised": (0.15, 0.95), "fearful": (-0.45, 0.80), "angry": (-0.75, 0.60),
    "disgusted": (-0.80, 0.10), "sad": (-0.70, -0.55), "neutral": (0.35, -0.75),
}  # fmt: skip


def _both_sides(name: str) -> tuple[int, ...]:
    if name in BLENDSHAPE_INDEX:
        return (BLENDSHAPE_INDEX[name],)
    return BLENDSHAPE_INDEX[name + "Left"], BLENDSHAPE_INDEX[name + "Right"]


@cache
def measured() -> Mapping[str, Mapping[str, float]]:
    """The built-in table's directions: by emotion, the change of each blendshape against neutral speech.

    Raises InputError for a table of another version.
    """
    text = resources.files("rtfilter.face").joinpath("assets", TABLE).read_text("utf-8")
    table = json.loads(text)
    if table["version"] != TABLE_VERSION:
        raise InputError(
            f"{TABLE}: version {table['version']}, expected {TABLE_VERSION}: install rtfilter anew"
        )
    return {emotion: row["direction"] for emotion, row in table["emotions"].items()}


@cache
def directions() -> F64:
    """What each emotion asks for at intensity 1, [E, 52]; read only.

    Positive: towards that shape. Negative: takes it away, at most as much as there is of it.
    """
    rows = np.zeros((len(EMOTIONS), BLENDSHAPE_COUNT))
    for emotion, shapes in measured().items():
        row = rows[EMOTIONS.index(emotion)]
        for name, amount in shapes.items():
            if not name.startswith(SPOKEN):
                row[BLENDSHAPE_INDEX[name]] = EMPHASIS[emotion] * amount
        for name, amount in ACCENTS[emotion].items():
            row[list(_both_sides(name))] += amount
        for name, at in BLENDSHAPE_INDEX.items():
            if name.startswith(KEPT):
                row[at] = max(row[at], 0.0)
        for name, share in OPPOSED[emotion].items():
            both = list(_both_sides(name))
            row[both] = np.where(row[both] > 0.0, row[both], np.minimum(row[both], -share))
    rows.flags.writeable = False
    return rows


def _affect_mask() -> F64:
    mask = np.zeros(BLENDSHAPE_COUNT)
    for name in AFFECT:
        mask[list(_both_sides(name))] = 1.0
    return mask


_AFFECT: Final = _affect_mask()
LIDS: Final = [
    BLENDSHAPE_INDEX[n] for n in ("eyeWideLeft", "eyeWideRight", "eyeSquintLeft", "eyeSquintRight")
]
BLINKS: Final = [
    BLENDSHAPE_INDEX[n] for n in ("eyeBlinkLeft", "eyeBlinkRight", "eyeBlinkLeft", "eyeBlinkRight")
]
# The most that a direct offset may reach on top of the own expression: a blink ends at 1, all else is free (2
# is more than can be requested).
IS_BLINK: Final = np.isin(np.arange(BLENDSHAPE_COUNT), BLINKS).astype(np.float64)
# All of a lid's lowering is dropped on a lid that is down.
DROPPED: Final = ALREADY + (1.0 - ALREADY) * IS_BLINK
DIRECT_ROOM: Final = 2.0 - IS_BLINK
_LIDS, _BLINKS = np.array(LIDS, np.int64), np.array(BLINKS, np.int64)
_NEUTRAL: Final = EMOTIONS.index("neutral")


def mix(controls: Controls) -> F64:
    """Intensities float64 [E] in the order of EMOTIONS, valence and arousal included."""
    amounts = np.array([controls.emotions.get(name, 0.0) for name in EMOTIONS])
    return controls.intensity * (amounts + from_valence_arousal(controls.valence, controls.arousal))


def from_valence_arousal(valence: float, arousal: float) -> F64:
    """Emotion intensities for a point of the circumplex: (0, 0) is no edit, distance 1 is intensity 1.

    Each emotion weighs in with a smooth bump around its own angle, and the sum grows with the distance
    from the centre, so a path through the plane is a continuous path through expressions.
    """
    distance = min(float(np.hypot(valence, arousal)), 1.0)
    weights = np.zeros(len(EMOTIONS))
    for emotion, (v, a) in CIRCUMPLEX.items():
        alignment = (valence * v + arousal * a) / (max(distance, 1e-9) * float(np.hypot(v, a)))
        weights[EMOTIONS.index(emotion)] = np.exp(6.0 * (alignment - 1.0))
    # distance^2 / (distance + small) keeps the slope finite at the centre, where the angle has no meaning.
    return np.asarray(weights / weights.sum() * (distance * distance / (distance + 0.05)) * 1.05)


@dataclass(frozen=True, slots=True)
class Target:
    """The edit that an emotion mix asks for, whatever the face does.

    rising: float64 [52], towards a shape. falling: float64 [52], 0..1, the share to take away.
    direct: float64 [52], offsets that are requested by name.
    """

    rising: F64
    falling: F64
    direct: F64

    @classmethod
    def of_controls(cls, controls: Controls) -> Target:
        """The target of a user's controls."""
        direct = np.zeros(BLENDSHAPE_COUNT)
        for name, amount in controls.blendshapes.items():
            direct[BLENDSHAPE_INDEX[name]] = amount
        return replace(cls.of_mix(mix(controls)), direct=direct)

    @classmethod
    def of_mix(cls, amounts: F64) -> Target:
        """The target of emotion intensities [E]."""
        direction = amounts @ directions()
        taken = np.minimum(np.maximum(-direction, 0.0), 1.0)
        neutral = min(float(amounts[_NEUTRAL]), 1.0) * _AFFECT
        return cls(np.maximum(direction, 0.0), np.maximum(taken, neutral), np.zeros(BLENDSHAPE_COUNT))

    def offset(self, expression: F64) -> F64:
        """The offset [52] on top of `expression` [52], 0..1.

        Linear in the intensity for small edits. It saturates where own expression and edit together would
        pass LIMIT, so a smile on top of a smile does not double, and takes away no more than there is.
        """
        # A lid that is down stays down: it has nothing to widen, and a squint would press it further.
        how = (LIMIT, DROPPED, DIRECT_ROOM, IS_BLINK, _LIDS, _BLINKS, LID_SHARE)
        return np.asarray(asked_for(expression, self.rising, self.falling, self.direct, *how))
