"""Sentences spoken by espeak-ng: sound at 16 kHz and the times of its phones.

Called by `data.corpus` through `data.acting`, and by `data.words`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError
from rtfilter.learn.data.espeak import PITCH, RANGE, RATE, VOLUME, synthesise
from rtfilter.learn.data.track import SOUND_HZ, Phone

F32 = npt.NDArray[np.float32]

VOICE: Final = "en-us"
PAUSE: Final = "_"
VOICELESS_STOPS: Final = ("p", "t", "k")
LONGEST_SILENCE_MS: Final = 90


@dataclass(frozen=True, slots=True)
class Voice:
    """How a sentence is spoken.

    variant: one of espeak-ng's, such as f2 or m3. words_per_minute: 80..300. pitch, pitch_range, volume:
    0..100, 0..100, 0..200, as espeak-ng has them.
    """

    variant: str = "m1"
    words_per_minute: int = 150
    pitch: int = 50
    pitch_range: int = 50
    volume: int = 100


@dataclass(frozen=True, slots=True)
class Utterance:
    """A spoken sentence. sound: float32 [S], 16 kHz. phones: without gaps, the last one ends with the sound;
    names are espeak-ng's without stress marks, PAUSE for silence. words: the phones that begin a word."""

    sound: F32
    phones: tuple[Phone, ...]
    words: tuple[int, ...] = ()

    def with_pauses(self, before: Mapping[int, float]) -> Utterance:
        """With silence of so many seconds before the phone of that index; len(phones) is the end.

        A pause that is there already becomes longer.
        """
        pieces: list[F32] = []
        phones: list[Phone] = []
        words: list[int] = []
        shift_s, taken = 0.0, 0
        for index in range(len(self.phones) + 1):
            start, end, name = self.phones[index] if index < len(self.phones) else (0.0, 0.0, "")
            cut = round(start * SOUND_HZ) if name else len(self.sound)
            samples = round(before.get(index, 0.0) * SOUND_HZ)
            pieces += [self.sound[taken:cut], np.zeros(samples, np.float32)]
            taken = cut
            pause_s = samples / SOUND_HZ
            if pause_s and phones and phones[-1][2] == PAUSE:
                phones[-1] = (phones[-1][0], phones[-1][1] + pause_s, PAUSE)
            elif pause_s and name != PAUSE:
                at = phones[-1][1] if phones else 0.0
                phones.append((at, at + pause_s, PAUSE))
            earlier_s = pause_s if name == PAUSE else 0.0
            shift_s += pause_s
            if name:
                words += [len(phones)] if index in self.words else []
                phones.append((start + shift_s - earlier_s, end + shift_s, name))
        return Utterance(np.concatenate(pieces), tuple(phones), tuple(words))


def speak(text: str, voice: Voice) -> Utterance:
    """Speak `text`; the same words and voice give the same samples.

    Raises MissingExtraError without espeak-ng; InputError when it has no such voice or says nothing.
    """
    parameters = {
        RATE: voice.words_per_minute,
        VOLUME: voice.volume,
        PITCH: voice.pitch,
        RANGE: voice.pitch_range,
    }
    heard = synthesise(text, f"{VOICE}+{voice.variant}", parameters)
    if not heard.pieces or all(_bare(name) == PAUSE for _, name in heard.phonemes):
        raise InputError(f"espeak-ng said nothing for {text[:40]!r}: give words of {VOICE}")
    rate_hz = heard.rate_hz
    whole = np.concatenate(heard.pieces).astype(np.float32) / 32768.0
    phones = _phones(_from_closure(heard.phonemes, whole, rate_hz), len(whole), rate_hz)
    # A word is reported at its first sound or just before.
    voiced = [index for index, phone in enumerate(phones) if phone[2] != PAUSE]
    begins = np.array([phones[index][0] for index in voiced])
    first = {voiced[int(np.abs(begins - sample / rate_hz).argmin())] for sample in heard.words}
    return Utterance(_resampled(whole, rate_hz), phones, tuple(sorted(first)))


def _from_closure(starts: list[tuple[int, str]], sound: F32, rate_hz: int) -> list[tuple[int, str]]:
    """`starts` with voiceless stops from where the sound ends before them.

    espeak-ng reports them at the burst; their silence, in which the lips or the tongue are closed, lies
    before it.
    """
    step = rate_hz // 200
    quiet = 0.03 * float(np.sqrt(np.mean(np.square(sound))))
    moved: list[tuple[int, str]] = []
    for at, name in starts:
        if name.lstrip("',%=|!")[:1] in VOICELESS_STOPS and moved:
            earliest = max(at - rate_hz * LONGEST_SILENCE_MS // 1000, (moved[-1][0] + at) // 2)
            while at - step >= earliest and np.abs(sound[at - step : at]).mean() < quiet:
                at -= step
        moved.append((at, name))
    return moved


def _phones(starts: list[tuple[int, str]], samples: int, rate_hz: int) -> tuple[Phone, ...]:
    """Starts in samples to intervals in seconds; what precedes the first phone is a pause."""
    starts = [(0, PAUSE), *starts, (samples, PAUSE)]
    phones: list[Phone] = []
    for (start, name), (end, _) in pairwise(starts):
        bare = _bare(name)
        if end <= start:
            continue
        if phones and bare == PAUSE == phones[-1][2]:
            phones[-1] = (phones[-1][0], end / rate_hz, PAUSE)
        else:
            phones.append((start / rate_hz, end / rate_hz, bare))
    return tuple(phones)


def _bare(name: str) -> str:
    """Without marks of stress; one name for all silence."""
    bare = name.strip("',%=|!")
    return PAUSE if bare.startswith(PAUSE) or not bare else bare


def _resampled(sound: F32, rate_hz: int) -> F32:
    from scipy.signal import resample_poly

    common = int(np.gcd(SOUND_HZ, rate_hz))
    return np.asarray(resample_poly(sound, SOUND_HZ // common, rate_hz // common), np.float32)
