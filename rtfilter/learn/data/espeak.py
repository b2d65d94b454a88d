"""espeak-ng's library by ctypes: loaded, asked for one sentence, and unloaded. Called by `data.speech`.

espeak-ng is GPL-3.0: an optional package of the `learn` extra, or the system's own library.
"""

from __future__ import annotations

import _ctypes
import ctypes
import ctypes.util
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError, MissingExtraError
from rtfilter.system.installation import install_extra

# Of espeak-ng's speak_lib.h.
_SYNCHRONOUS, _PHONEME_EVENTS, _DONT_EXIT = 2, 0x0001, 0x8000
_EVENT_END, _EVENT_WORD, _EVENT_PHONEME = 0, 1, 7
RATE, VOLUME, PITCH, RANGE = 1, 2, 3, 4
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


@dataclass
class Heard:
    """What espeak-ng gave. pieces: int16 samples. phonemes: (sample, name with marks of stress), in time.
    words: samples at which words begin. rate_hz: of the samples."""

    rate_hz: int = 0
    pieces: list[npt.NDArray[np.int16]] = field(default_factory=list)
    phonemes: list[tuple[int, str]] = field(default_factory=list)
    words: list[int] = field(default_factory=list)

    def take(self, samples: Any, count: int, events: Any) -> int:
        """The callback: keep samples and events; 0 asks for more."""
        if samples and count > 0:
            self.pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != _EVENT_END:
            event = events[index]
            if event.type == _EVENT_WORD:
                self.words.append(event.sample)
            elif event.type == _EVENT_PHONEME:
                self.phonemes.append((event.sample, bytes(event.id.string).decode("utf-8", "replace")))
            index += 1
        return 0


def synthesise(text: str, voice: str, parameters: Mapping[int, int]) -> Heard:
    """`text` in a voice such as `en-us+f2`. parameters: RATE and the like, with their values.

    Raises MissingExtraError without espeak-ng, InputError without that voice.
    """
    heard, line = Heard(), text.encode()
    with _undisturbed(), _library() as (library, heard.rate_hz):
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise InputError(f"espeak-ng has no voice {voice!r}: install its voices, or name another")
        for parameter, value in parameters.items():
            library.espeak_SetParameter(parameter, value, 0)
        callback = _Callback(heard.take)
        library.espeak_SetSynthCallback(callback)
        library.espeak_Synth(line, len(line) + 1, 0, _POS_CHARACTER, 0, _UTF8, None, None)
        library.espeak_Synchronize()
    return heard


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals wait until the end: one that is raised inside a callback of C is lost, and so is its sound."""
    caught: list[int] = []
    before: dict[signal.Signals, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        if callable(signal.getsignal(number)):
            with suppress(ValueError):  # another thread than the main one, which gets no signals
                before[number] = signal.signal(number, lambda number, _: caught.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if caught:
        before[signal.Signals(caught[0])](caught[0], None)


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
            f"the synthetic corpus needs espeak-ng ({error}): {install_extra('learn')}, or install "
            "the system's package libespeak-ng1"
        ) from error
    try:
        rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, data, _PHONEME_EVENTS | _DONT_EXIT)
        if rate_hz <= 0:
            raise MissingExtraError(
                f"espeak-ng does not start, its data are missing: {install_extra('learn')}"
            )
        if hasattr(library, "espeak_ng_SetRandSeed"):  # otherwise the time of day
            library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        yield library, int(rate_hz)
        library.espeak_Terminate()
    finally:
        if hasattr(_ctypes, "dlclose"):
            _ctypes.dlclose(library._handle)
