"""What emotion does to a spoken sentence of the synthetic corpus: voice, timing, and the face over time.

The face's change is the measured one (`data.measured`), by what the lips say at that moment, varied by person
and acted over time. How voices change is authored. Called by `data.corpus`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPES, EMOTIONS
from rtfilter.face.emotion import BLINKS, LIDS
from rtfilter.learn.data.measured import measured
from rtfilter.learn.data.motion import slow_noise
from rtfilter.learn.data.people import Speaker
from rtfilter.learn.data.speech import PAUSE, Utterance, Voice, speak
from rtfilter.learn.data.track import Phone

F64 = npt.NDArray[np.float64]

WORDS_PER_MINUTE: Final = 150


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an emotion at level 1 is spoken: factors against neutral, but pitch (espeak-ng's units, added).

    tempo, pitch, pitch_range, volume: of the voice. slowness: factor on the measured times in which the
    face's change comes and goes. pauses: chance of a pause before a word.
    """

    tempo: float = 1.0
    pitch: int = 0
    pitch_range: float = 1.0
    volume: float = 1.0
    slowness: float = 1.0
    pauses: float = 0.02


DELIVERIES: Final[Mapping[str, Delivery]] = {
    "neutral": Delivery(),
    "happy": Delivery(1.06, 8, 1.4, 1.1, 1.0, 0.03),
    "sad": Delivery(0.82, -6, 0.5, 0.8, 1.8, 0.15),
    "angry": Delivery(1.10, 4, 1.2, 1.3, 0.8, 0.05),
    "surprised": Delivery(1.04, 12, 1.7, 1.1, 0.7, 0.06),
    "fearful": Delivery(1.15, 10, 0.9, 0.9, 0.9, 0.10),
    "disgusted": Delivery(0.88, -4, 1.0, 1.0, 1.2, 0.08),
    "contempt": Delivery(0.92, -3, 0.8, 1.0, 1.3, 0.06),
}
OPEN_JAW: Final = 0.25  # from which on a mouth counts as open
ROUND_LIPS: Final = 0.6  # pucker and funnel together from which on it counts as rounded
_DRIFT_HZ: Final = 0.7
_RAMP: Final = 1.6  # a smooth ramp's length, beside the time from 10 to 90 % that is measured
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
    """How much of the emotion shows, float64 [T], about 1 while words are spoken.

    It comes faster than it goes, and drifts slowly.
    """
    table = measured()
    onset_s, offset_s = (_RAMP * delivery.slowness * each for each in (table.onset_s, table.offset_s))
    spoken = [phone for phone in phones if phone[2] != PAUSE]
    begins = spoken[0][0] - onset_s * random.uniform(0.3, 1.0)
    ends = spoken[-1][1] + random.uniform(0.0, 0.3)
    rise = np.clip((time_s - begins) / onset_s, 0.0, 1.0)
    fall = np.clip(1.0 - (time_s - ends) / offset_s, 0.0, 1.0)
    drift = table.variation * slow_noise(time_s, _DRIFT_HZ, random)
    return np.asarray(_smooth(rise) * _smooth(fall) * np.maximum(1.0 + drift, 0.0))


def offsets(base: F64, closure: F64, emotion: str, amounts: F64, speaker: Speaker) -> F64:
    """The emotion's change of coefficients, float64 [T, 52].

    base: float64 [T, 52], speech, blinks and gaze. closure: [T], 0..1. amounts: [T], level by time.
    """
    row, table = EMOTIONS.index(emotion), measured()
    personal = speaker.personal[row] * table.spread[row]
    change = np.einsum("ts,se->te", states(base, closure), table.by_state[row] + personal)
    change *= speaker.sides * (speaker.expressiveness * amounts)[:, None]
    # A lid that is down has nothing to widen or to narrow.
    change[:, LIDS] *= np.maximum(1.0 - base[:, BLINKS], 0.0)
    return np.asarray(change)


def states(base: F64, closure: F64) -> F64:
    """Shares float64 [T, 4] of the sound states that emotions are measured in, in the order of STATES."""
    rounded = (1.0 - closure) * np.clip(base[:, _ROUND].sum(1) / ROUND_LIPS, 0.0, 1.0)
    opened = (1.0 - closure - rounded) * np.clip(base[:, _JAW] / OPEN_JAW, 0.0, 1.0)
    return np.stack([1.0 - closure - rounded - opened, closure, opened, rounded], axis=1)


def _smooth(ramp: F64) -> F64:
    return ramp * ramp * (3.0 - 2.0 * ramp)
