"""Emotion to expression: directions in blendshape space, mixed, limited by the face's own expression.

Called by `face.edit`; `engines.expression` has the same arithmetic as a graph.

Action units of each emotion after EMFACS (Ekman, Friesen): happiness 6+12, sadness 1+4+15, surprise
1+2+5+26, fear 1+2+4+5+20+26, anger 4+5+7+23, disgust 9+15+16, contempt R12+R14, the only one-sided one.
The jaw's units (26) are left to the speaker. Amplitudes are chosen on real faces, so that intensity 1
reads at a glance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX, EMOTIONS, Controls

F64 = npt.NDArray[np.float64]

# A name without a side stands for both. Positive: towards that shape; negative: takes it away, at most
# as much as there is of it (below).
DIRECTIONS: Final[Mapping[str, Mapping[str, float]]] = {
    "happy": {
        "mouthSmile": 1.25, "mouthStretch": 0.60, "mouthDimple": 0.30, "cheekSquint": 0.60, "eyeSquint": 0.25,
        "browDown": -0.5, "mouthFrown": -0.8,
    },
    "sad": {
        "browInnerUp": 1.60, "browDown": -0.6, "mouthFrown": 0.62, "mouthSmile": -0.6,
        "mouthShrugLower": 0.15,
    },
    "angry": {
        "browDown": 2.00, "browInnerUp": -1.0, "browOuterUp": -1.0, "noseSneer": 0.30, "eyeSquint": 0.50,
        "mouthPress": 0.20, "mouthSmile": -0.6, "mouthFrown": 0.15,
    },
    "surprised": {
        "browInnerUp": 0.90, "browOuterUp": 0.95, "eyeWide": 0.90, "browDown": -0.8, "eyeSquint": -0.6,
    },
    "fearful": {
        "browInnerUp": 1.20, "browOuterUp": 0.30, "eyeWide": 0.90, "mouthStretch": 0.60,
        "mouthSmile": -0.5, "eyeSquint": -0.5,
    },
    "disgusted": {
        "noseSneer": 1.8, "browDown": 0.90, "mouthUpperUp": 0.5, "mouthFrown": 0.45, "cheekSquint": 0.5,
        "eyeSquint": 0.5, "mouthSmile": -0.5,
    },
    "contempt": {
        "mouthSmileRight": 0.90, "mouthDimpleRight": 0.55, "cheekSquintRight": 0.3, "browDown": 0.15,
    },
}  # fmt: skip

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


def _direction_rows() -> F64:
    rows = np.zeros((len(EMOTIONS), BLENDSHAPE_COUNT))
    for emotion, shapes in DIRECTIONS.items():
        for name, amount in shapes.items():
            rows[EMOTIONS.index(emotion), list(_both_sides(name))] = amount
    return rows


def _affect_mask() -> F64:
    mask = np.zeros(BLENDSHAPE_COUNT)
    for name in AFFECT:
        mask[list(_both_sides(name))] = 1.0
    return mask


_ROWS: Final = _direction_rows()
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
DIRECT_ROOM: Final = 2.0 - IS_BLINK
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
        direction = amounts @ _ROWS
        taken = np.minimum(np.maximum(-direction, 0.0), 1.0)
        neutral = min(float(amounts[_NEUTRAL]), 1.0) * _AFFECT
        return cls(np.maximum(direction, 0.0), np.maximum(taken, neutral), np.zeros(BLENDSHAPE_COUNT))

    def offset(self, expression: F64) -> F64:
        """The offset [52] on top of `expression` [52], 0..1.

        Linear in the intensity for small edits. It saturates where own expression and edit together would
        pass LIMIT, so a smile on top of a smile does not double, and takes away no more than there is.
        """
        room = LIMIT - expression
        rising = self.rising * (1.0 - ALREADY * expression)
        offset = room * np.tanh(rising / room) - self.falling * expression
        offset += np.minimum(self.direct, np.maximum(DIRECT_ROOM - IS_BLINK * expression, 0.0))
        # A lid that is down stays down: it has nothing to widen, and a squint would press it further.
        offset[LIDS] *= np.minimum(np.maximum(1.0 - LID_SHARE * expression[BLINKS], 0.0), 1.0)
        return np.asarray(offset)
