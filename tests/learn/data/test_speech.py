"""Spoken sentences: phones without gaps that lie where the sound is; pauses move all that follows."""

from __future__ import annotations

import signal

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPES
from rtfilter.errors import InputError
from rtfilter.learn.data.speech import PAUSE, Utterance, Voice, speak
from rtfilter.learn.data.track import SOUND_HZ
from rtfilter.learn.data.visemes import NAMES, PHONES, VISEMES, articulate, visemes_of

pytest.importorskip("scipy", reason='needs scipy: pip install "rtfilter-live[learn]"')
pytest.importorskip("espeakng_loader", reason='needs espeak-ng: pip install "rtfilter-live[learn]"')

TEXT = "Papa put a happy puppy by the pool."


@pytest.fixture(scope="module")
def spoken() -> Utterance:
    return speak(TEXT, Voice("m3", 130))


def loudness(spoken: Utterance, start_s: float, end_s: float) -> float:
    part = spoken.sound[int(start_s * SOUND_HZ) : int(end_s * SOUND_HZ)]
    return float(np.sqrt(np.mean(np.square(part))))


def test_phones_fill_the_sound(spoken: Utterance) -> None:
    starts, ends, names = zip(*spoken.phones, strict=True)
    assert starts[0] == 0.0
    assert starts[1:] == ends[:-1]
    assert ends[-1] == pytest.approx(len(spoken.sound) / SOUND_HZ, abs=1e-3)
    assert names.count("p") == TEXT.lower().replace("pp", "p").count("p")
    assert len(spoken.words) == len(TEXT.split())


def test_a_stop_begins_with_its_silence(spoken: Utterance) -> None:
    vowels = [loudness(spoken, s, e) for s, e, name in spoken.phones if visemes_of(name)[0] in "AE"]
    stops = [loudness(spoken, s + 0.01, s + 0.035) for s, _, name in spoken.phones[2:] if name == "p"]
    assert max(stops) < 0.2 * float(np.median(vowels))


def test_tempo_changes_times_and_no_phone(spoken: Utterance) -> None:
    quick = speak(TEXT, Voice("m3", 200, pitch=80))
    assert [name for *_, name in quick.phones] == [name for *_, name in spoken.phones]
    assert len(quick.sound) < 0.8 * len(spoken.sound)


def test_pauses_move_what_follows(spoken: Utterance) -> None:
    last, word = len(spoken.phones), spoken.words[2]
    longer = spoken.with_pauses({0: 0.5, word: 0.25, last: 0.25})
    assert len(longer.sound) == len(spoken.sound) + SOUND_HZ
    assert longer.phones[-1][1] == pytest.approx(spoken.phones[-1][1] + 1.0, abs=1e-6)
    before = [name for *_, name in spoken.phones]
    after = [name for *_, name in longer.phones]
    assert after[: word - 1] == before[: word - 1]
    assert after.count(PAUSE) == before.count(PAUSE) + 1
    starts, ends, _ = zip(*longer.phones, strict=True)
    assert starts[1:] == pytest.approx(ends[:-1])
    at = after.index(PAUSE, 1)
    assert loudness(longer, *longer.phones[at][:2]) < 1e-3
    assert len(longer.words) == len(spoken.words)
    assert [after[i] for i in longer.words] == [before[i] for i in spoken.words]


def test_bad_voices_and_no_words() -> None:
    with pytest.raises(InputError, match="said nothing"):
        speak("", Voice())


def test_every_phone_has_visemes() -> None:
    assert all(name in VISEMES for names in PHONES.values() for name in names)
    assert visemes_of("@2") == visemes_of("@")
    assert visemes_of("i@3") == visemes_of("i@")
    assert visemes_of("tS") == ("SH",)
    assert visemes_of("??") == ("silence",)
    assert visemes_of("\u00e7") == ("UH",)


def test_rounding_begins_before_the_vowel_and_passes_through_a_t() -> None:
    phones = [(0.0, 0.3, "a"), (0.3, 0.4, "t"), (0.4, 0.7, "u:")]
    time_s = np.arange(0, 0.7, 0.01)
    lips = articulate(phones, time_s)
    pucker = BLENDSHAPES.index("mouthPucker")
    at = {round(float(t), 2): value for t, value in zip(time_s, lips.speech[:, pucker], strict=True)}
    assert at[0.1] < 0.1 < at[0.3] < at[0.38] < at[0.55]
    assert NAMES[lips.viseme[35]] == "T"
    assert lips.closure.max() == 0.0


def test_a_closure_shorter_than_a_frame_is_seen() -> None:
    time_s = np.arange(0, 1, 0.1)
    lips = articulate([(0.0, 0.46, "a"), (0.46, 0.485, "b"), (0.485, 1.0, "a")], time_s)
    assert lips.closure[5] == 1.0
    assert lips.closure[[3, 4, 6]].max() < 1.0


def test_an_interruption_waits_for_the_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raised inside espeak-ng's callback it would be lost, with a piece of the sound."""
    real, sent = np.ctypeslib.as_array, []

    def interrupted(*arguments: object) -> np.ndarray:
        if not sent:
            sent.append(True)
            signal.raise_signal(signal.SIGINT)
        return np.asarray(real(*arguments))

    monkeypatch.setattr(np.ctypeslib, "as_array", interrupted)
    with pytest.raises(KeyboardInterrupt):
        speak(TEXT, Voice())
    assert sent
    assert len(speak(TEXT, Voice()).sound) > SOUND_HZ
