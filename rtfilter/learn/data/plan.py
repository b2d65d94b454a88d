"""What a synthetic corpus consists of: its settings, and the list of its tracks. Called by `data.corpus`."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from rtfilter.controls import EMOTIONS, INTENSITY_MAX
from rtfilter.errors import UsageError, nearest
from rtfilter.learn.data.sentences import SENTENCES
from rtfilter.learn.data.track import SUFFIX


@dataclass(frozen=True, slots=True)
class CorpusSettings:
    """`[corpus]`.

    people: how many speakers, from number `first_person` on. sentences: how many of the built-in ones;
    texts: others instead. emotions, levels: every emotion at every level; neutral once. emphasis: factor on
    the measured change; the product's own targets have more than 1. fps: frames a second. noise_iod: scatter
    of landmarks as a tracker has it; above 0, coefficients are fitted, as from video.
    """

    people: int = 8
    first_person: int = 0
    sentences: int = 6
    texts: tuple[str, ...] = ()
    emotions: tuple[str, ...] = EMOTIONS
    levels: tuple[float, ...] = (0.33, 0.67, 1.0)
    emphasis: float = 1.0
    fps: float = 25.0
    noise_iod: float = 0.0

    def __post_init__(self) -> None:
        if self.people < 1 or self.first_person < 0:
            raise UsageError(
                f"people, first_person: expected 1 and 0 or more, got {self.people}, {self.first_person}"
            )
        if not 1 <= self.sentences <= len(SENTENCES):
            raise UsageError(
                f"sentences: expected 1..{len(SENTENCES)}, got {self.sentences}; others as texts"
            )
        for name in self.emotions:
            if name not in EMOTIONS:
                raise UsageError(f"emotions: unknown {name!r}:{nearest(name, EMOTIONS)}")
        if not self.levels or not all(0.0 < level <= INTENSITY_MAX for level in self.levels):
            raise UsageError(f"levels: expected some above 0, up to {INTENSITY_MAX}, got {list(self.levels)}")
        named = [f"{level:.2f}" for level in self.levels]
        for what, values, why in (
            ("emotions", self.emotions, ""),
            ("texts", self.texts, ""),
            ("levels", named, " at two decimals, as tracks are named"),
        ):
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice is not None:
                raise UsageError(f"{what}: {twice!r} is there twice{why}: leave one out")
        for text in self.texts:
            if not any(letter.isalnum() for letter in text):
                raise UsageError(f"texts: expected words to speak, got {text!r}: write a sentence")
        if not 0.0 < self.emphasis <= 3.0:
            raise UsageError(f"emphasis: expected a factor above 0, up to 3, got {self.emphasis:g}")
        if not 5.0 <= self.fps <= 240.0 or not 0.0 <= self.noise_iod <= 0.1:
            raise UsageError(f"fps, noise_iod: expected 5..240, 0..0.1, got {self.fps}, {self.noise_iod}")

    def labelled_texts(self) -> list[tuple[str, str]]:
        """Label and text of every sentence."""
        if self.texts:
            return [(f"x{zlib.crc32(text.encode()):08x}", text) for text in self.texts]
        return [(f"s{index:02d}", text) for index, text in enumerate(SENTENCES[: self.sentences])]


@dataclass(frozen=True, slots=True)
class Item:
    """One track to be made: speaker's number, sentence's label and text, emotion and level (neutral: 0)."""

    person: int
    label: str
    text: str
    emotion: str
    level: float

    @property
    def name(self) -> str:
        """The track's, as in `S003_happy_1.00_s02`."""
        return f"S{self.person:03d}_{self.emotion}_{self.level:.2f}_{self.label}"

    @property
    def twin(self) -> Item:
        """The same words without feeling."""
        return Item(self.person, self.label, self.text, "neutral", 0.0)

    def random(self, seed: int) -> np.random.Generator:
        """Of this item alone."""
        row = EMOTIONS.index(self.emotion)
        return np.random.default_rng(
            [seed, 2, self.person, zlib.crc32(self.text.encode()), row, round(self.level * 1000)]
        )

    @property
    def path(self) -> str:
        """Its file, below the corpus's folder."""
        return f"S{self.person:03d}/{self.name}{SUFFIX}"


def items(settings: CorpusSettings) -> list[Item]:
    """All tracks, by speaker and sentence; a neutral one before its emotional twins."""
    last = settings.first_person + settings.people
    kinds = [("neutral", 0.0)]
    kinds += [(e, v) for e in settings.emotions if e != "neutral" for v in settings.levels]
    return [
        Item(person, label, text, emotion, level)
        for person in range(settings.first_person, last)
        for label, text in settings.labelled_texts()
        for emotion, level in kinds
    ]
