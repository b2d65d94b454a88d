"""What emotion does to a spoken sentence of the synthetic corpus: voice, timing, and the face over time.

The face's change is the product's own (`Target.of_mix`), varied by person; how much of it shows depends on
what the lips say: an offset of the mouth grows with opening, and vanishes at closures and roundings.
Called by `data.corpus`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPES, EMOTIONS
from rtfilter.face.emotion import Target
from rtfilter.learn.data.people import Speaker
from rtfilter.learn.data.speech import PAUSE, Utterance, Voice, speak
from rtfilter.learn.data.track import Phone

F64 = npt.NDArray[np.float64]

WORDS_PER_MINUTE: Final = 150


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an emotion at level 1 is spoken: factors against neutral, but pitch (espeak-ng's units, added).

    tempo, volume: of the voice. pitch, pitch_range: of the voice. opening: of the lips. onset_s, offset_s:
    time in which the face's change comes and goes. pauses: chance of a pause before a word.
    """

    tempo: float = 1.0
    pitch: int = 0
    pitch_range: float = 1.0
    volume: float = 1.0
    opening: float = 1.0
    onset_s: float = 0.4
    offset_s: float = 0.9
    pauses: float = 0.02


DELIVERIES: Final[Mapping[str, Delivery]] = {
    "neutral": Delivery(),
    "happy": Delivery(1.06, 8, 1.4, 1.1, 1.15, 0.35, 1.0, 0.03),
    "sad": Delivery(0.82, -6, 0.5, 0.8, 0.92, 0.7, 1.4, 0.15),
    "angry": Delivery(1.10, 4, 1.2, 1.3, 1.35, 0.25, 0.8, 0.05),
    "surprised": Delivery(1.04, 12, 1.7, 1.1, 1.30, 0.2, 0.7, 0.06),
    "fearful": Delivery(1.15, 10, 0.9, 0.9, 1.20, 0.3, 1.1, 0.10),
    "disgusted": Delivery(0.88, -4, 1.0, 1.0, 1.12, 0.45, 1.0, 0.08),
    "contempt": Delivery(0.92, -3, 0.8, 1.0, 1.0, 0.5, 1.0, 0.06),
}
# How much of a mouth's offset shows with closed lips that do not touch, beside 1 at wide ones; the rest grows
# with the jaw, up to OPEN_JAW.
SHOWN_CLOSED: Final = 0.6
OPEN_JAW: Final = 0.35
ROUND_KEEPS: Final = 0.8  # of the offset that a fully rounded mouth does not show
IN_PAUSES: Final = 1.1
_MOUTH: Final = np.array([name.startswith(("mouth", "jaw")) for name in BLENDSHAPES])
_JAW: Final = BLENDSHAPES.index("jawOpen")
_ROUND: Final = [BLENDSHAPES.index("mouthPucker"), BLENDSHAPES.index("mouthFunnel")]


def delivery_of(emotion: str, level: float) -> Delivery:
    """The delivery at a level: factors grow from none, at 0, in proportion."""
    full, plain = DELIVERIES[emotion], DELIVERIES["neutral"]
    return replace(
        full,
        tempo=full.tempo**level,
        pitch=round(full.pitch * level),
        pitch_range=full.pitch_range**level,
        volume=full.volume**level,
        opening=full.opening**level,
        pauses=plain.pauses + level * (full.pauses - plain.pauses),
    )


def recite(text: str, speaker: Speaker, delivery: Delivery, random: np.random.Generator) -> Utterance:
    """`text` as the speaker says it, with silence around it and pauses in it, and a little noise."""
    tempo = speaker.tempo * delivery.tempo * float(np.exp(0.03 * random.standard_normal()))
    voice = Voice(
        speaker.variant,
        words_per_minute=int(np.clip(WORDS_PER_MINUTE * tempo, 90, 280)),
        pitch=int(np.clip(speaker.pitch + delivery.pitch, 5, 95)),
        pitch_range=int(np.clip(50 * delivery.pitch_range, 0, 100)),
        volume=int(np.clip(90 * delivery.volume, 20, 200)),
    )
    spoken = speak(text, voice)
    pauses = {0: float(random.uniform(0.2, 0.5)), len(spoken.phones): float(random.uniform(0.3, 0.6))}
    for index in spoken.words:
        # Beside a pause that is there already, it would not be known which is which.
        alone = index > 0 and spoken.phones[index - 1][2] != PAUSE
        if alone and random.random() < delivery.pauses:
            pauses[index] = float(random.uniform(0.12, 0.4))
    longer = spoken.with_pauses(pauses)
    noise = 0.001 * random.standard_normal(len(longer.sound))
    return replace(longer, sound=(longer.sound + noise).astype(np.float32))


def envelope(time_s: F64, phones: Sequence[Phone], delivery: Delivery, random: np.random.Generator) -> F64:
    """How much of the emotion shows, float64 [T], about 1 in the middle: it comes faster than it goes, drifts
    slowly, and is stronger in pauses."""
    spoken = [phone for phone in phones if phone[2] != PAUSE]
    begins = spoken[0][0] - delivery.onset_s * random.uniform(0.3, 1.0)
    ends = spoken[-1][1] + random.uniform(0.0, 0.3)
    rise = np.clip((time_s - begins) / delivery.onset_s, 0.0, 1.0)
    fall = np.clip(1.0 - (time_s - ends) / delivery.offset_s, 0.0, 1.0)
    shown = _smooth(rise) * _smooth(fall)
    slow = np.cumsum(random.standard_normal(3) * 0.05)
    drift = sum(a * np.sin(2 * np.pi * f * time_s + p) for a, f, p in
                zip(slow, (0.23, 0.41, 0.67), random.uniform(0, 6.28, 3), strict=True))  # fmt: skip
    paused = np.zeros(len(time_s))
    for start, end, phone in phones:
        if phone == PAUSE and end - start > 0.1:
            paused = np.maximum(paused, _smooth(np.clip((time_s - start) / 0.1, 0, 1))
                                * _smooth(np.clip((end - time_s) / 0.1, 0, 1)))  # fmt: skip
    return np.asarray(shown * (1.0 + drift) * (1.0 + (IN_PAUSES - 1.0) * paused))


def offsets(base: F64, closure: F64, emotion: str, amounts: F64, speaker: Speaker) -> F64:
    """The emotion's change of coefficients, float64 [T, 52].

    base: float64 [T, 52], speech, blinks and gaze. closure: [T], 0..1. amounts: [T], intensity.
    """
    row = EMOTIONS.index(emotion)
    mix = np.zeros(len(EMOTIONS))
    change = np.zeros_like(base)
    for frame, amount in enumerate(amounts):
        mix[row] = amount * speaker.expressiveness
        change[frame] = Target.of_mix(mix).offset(base[frame])
    change *= speaker.personal[row] * speaker.sides
    opened = SHOWN_CLOSED + (1.0 - SHOWN_CLOSED) * np.clip(base[:, _JAW] / OPEN_JAW, 0.0, 1.0)
    rounded = np.clip(base[:, _ROUND].sum(1) / 0.7, 0.0, 1.0)
    share = opened * (1.0 - ROUND_KEEPS * rounded) * (1.0 - closure)
    change[:, _MOUTH] *= share[:, None]
    return change


def _smooth(ramp: F64) -> F64:
    return ramp * ramp * (3.0 - 2.0 * ramp)
