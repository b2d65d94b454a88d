"""Sentences spoken by espeak-ng: sound at 16 kHz and the times of its phones.

espeak-ng (GPL) is an optional package of the `learn` extra, or the system's own library; only the synthetic
corpus uses it. Called by `data.corpus`.
"""

from __future__ import annotations

import _ctypes
import ctypes
import ctypes.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError, MissingExtraError
from rtfilter.learn.data.track import SOUND_HZ, Phone

F32 = npt.NDArray[np.float32]

VOICE: Final = "en-us"
PAUSE: Final = "_"
VOICELESS_STOPS: Final = ("p", "t", "k")
LONGEST_SILENCE_MS: Final = 90
# Of espeak-ng's speak_lib.h.
_SYNCHRONOUS, _PHONEME_EVENTS, _DONT_EXIT = 2, 0x0001, 0x8000
_EVENT_END, _EVENT_WORD, _EVENT_PHONEME = 0, 1, 7
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_POS_CHARACTER, _UTF8 = 1, 1


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


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
    pieces: list[npt.NDArray[np.int16]] = []
    starts: list[tuple[int, str]] = []
    words: list[int] = []

    def heard(samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != _EVENT_END:
            event = events[index]
            if event.type == _EVENT_WORD:
                words.append(event.sample)
            elif event.type == _EVENT_PHONEME:
                starts.append((event.sample, bytes(event.id.string).decode("utf-8", "replace")))
            index += 1
        return 0

    name, line = f"{VOICE}+{voice.variant}", text.encode()
    with _library() as (library, rate_hz):
        if library.espeak_SetVoiceByName(name.encode()) != 0:
            raise InputError(f"espeak-ng has no voice {name!r}: install its voices, or name another")
        for parameter, value in (
            (_RATE, voice.words_per_minute),
            (_VOLUME, voice.volume),
            (_PITCH, voice.pitch),
            (_RANGE, voice.pitch_range),
        ):
            library.espeak_SetParameter(parameter, value, 0)
        callback = _Callback(heard)
        library.espeak_SetSynthCallback(callback)
        library.espeak_Synth(line, len(line) + 1, 0, _POS_CHARACTER, 0, _UTF8, None, None)
        library.espeak_Synchronize()
    if not pieces or all(_bare(name) == PAUSE for _, name in starts):
        raise InputError(f"espeak-ng said nothing for {text[:40]!r}: give words of {VOICE}")
    whole = np.concatenate(pieces).astype(np.float32) / 32768.0
    phones = _phones(_from_closure(starts, whole, rate_hz), len(whole), rate_hz)
    # A word is reported at its first sound or just before.
    voiced = [index for index, phone in enumerate(phones) if phone[2] != PAUSE]
    begins = np.array([phones[index][0] for index in voiced])
    first = {voiced[int(np.abs(begins - sample / rate_hz).argmin())] for sample in words}
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


@contextmanager
def _library() -> Iterator[tuple[ctypes.CDLL, int]]:
    """The library, freshly loaded, and its sampling rate.

    It is unloaded afterwards: what it said before changes what it says, by some samples.
    """
    try:
        import espeakng_loader

        path, data = espeakng_loader.get_library_path(), espeakng_loader.get_data_path().encode()
    except ImportError:
        path, data = ctypes.util.find_library("espeak-ng"), None
    try:
        if path is None:
            raise OSError("no library espeak-ng")
        library = ctypes.CDLL(path)
    except OSError as error:
        raise MissingExtraError(
            f'the synthetic corpus needs espeak-ng ({error}): pip install "rtfilter-live[learn]", or install '
            "the system's package libespeak-ng1"
        ) from error
    try:
        rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, data, _PHONEME_EVENTS | _DONT_EXIT)
        if rate_hz <= 0:
            raise MissingExtraError(
                'espeak-ng does not start, its data are missing: pip install "rtfilter-live[learn]"'
            )
        if hasattr(library, "espeak_ng_SetRandSeed"):  # otherwise the time of day
            library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        yield library, int(rate_hz)
        library.espeak_Terminate()
    finally:
        if hasattr(_ctypes, "dlclose"):
            _ctypes.dlclose(library._handle)
