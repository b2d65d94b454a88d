"""The takes in a folder of footage: which files show whom, with which feeling, how strongly.

Understood: `mead/PERSON_front_EMOTION_levelN_SENTENCE.mp4`, `spectre/PERSON_level_N_EMOTION_TAKE.mp4`,
`eamm/EMOTION.mp4`, `cdrl/EMOTION/FRAME.jpg`, and neutral speech in `grid/others/*.mpg` and `grid/s1/*.mpg`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rtfilter.controls import EMOTIONS
from rtfilter.errors import InputError

NEUTRAL: Final = "neutral"
_RENAMED: Final = {"fear": "fearful", "surprise": "surprised", "anger": "angry", "disgust": "disgusted"}
_NAMES: Final = (
    re.compile(r"(?P<person>[A-Z]\d+)_front_(?P<emotion>\w+?)_level(?P<level>[123])_(?P<take>\d+)"),
    re.compile(r"(?P<person>[A-Z]\d+)_level_(?P<level>[123])_(?P<emotion>\w+?)_(?P<take>\d+)"),
)
GRID_SENTENCES: Final = 20  # of the one speaker with many: more would not make more people

# Who is on which still, found by looking; person: frames. None, the last, takes the others. "" is left out:
# labelled neutral, but smiling.
CDRL: Final[Mapping[str, Mapping[str, str | None]]] = {
    "angry": {"cdrl-d": None},
    "disgusted": {"cdrl-e": None},
    "fear": {
        "cdrl-e": "13 15 86 88 92 93", "cdrl-h": "118",
        "cdrl-a": "30 31 37 48 53 56 61 67 70 73 78 80 83 85 89 90 91 105", "cdrl-f": None,
    },
    "happy": {"cdrl-c": "47 123 144", "cdrl-d": "60", "cdrl-e": "84 87 89 98 106 107", "cdrl-b": None},
    "neutral": {"": "31 64 65 66 67 71 72 73 74 77 78 79 92 134 137 138 139", "cdrl-a": None},
    "sad": {"cdrl-h": None},
    "surprised": {
        "cdrl-e": "8 10 20 21 22 23 25 44 46 168 173", "cdrl-d": "54 55 56 59 89",
        "cdrl-f": "0 1 2 3 4 5 6 108 138 179 180 181 183", "cdrl-g": None,
    },
}  # fmt: skip
# One woman stands behind two of these clips.
EAMM: Final[Mapping[str, str]] = {"fear": "eamm-a", "surprised": "eamm-a"}


@dataclass(frozen=True)
class Take:
    """One clip, or all stills of one person with one label.

    emotion: one of EMOTIONS. level: 1.0 is MEAD's level 3. sentence: "" where unknown.
    """

    name: str
    person: str
    emotion: str
    level: float
    sentence: str
    files: tuple[Path, ...]
    still: bool = False


def find(folder: Path) -> list[Take]:
    """Every take below `folder`, by name. Raises InputError where no person has neutral and feeling."""
    takes = sorted([*_clips(folder), *_stills(folder), *_grid(folder)], key=lambda take: take.name)
    with_neutral = {take.person for take in takes if take.emotion == NEUTRAL}
    if not any(take.person in with_neutral and take.emotion != NEUTRAL for take in takes):
        raise InputError(
            f"{folder}: no person with a neutral and an emotional take; expected mead/PERSON_front_EMOTION_"
            "levelN_SENTENCE.mp4 with both: check the folder"
        )
    return takes


def _clips(folder: Path) -> Iterator[Take]:
    for path in sorted([*folder.glob("mead/*.mp4"), *folder.glob("spectre/*.mp4")]):
        match = next((m for m in (pattern.fullmatch(path.stem) for pattern in _NAMES) if m), None)
        if match is None:
            raise InputError(
                f"{path}: expected a name such as W009_front_happy_level3_001.mp4: rename or remove it"
            )
        person, emotion, sentence = match["person"], _emotion(match["emotion"], path), match["take"]
        level = 0.0 if emotion == NEUTRAL else int(match["level"]) / 3.0
        yield Take(f"{path.parent.name}-{path.stem}", person, emotion, level, sentence, (path,))
    for path in sorted(folder.glob("eamm/*.mp4")):
        person = EAMM.get(path.stem, f"eamm-{path.stem}")
        yield Take(f"eamm-{path.stem}", person, _emotion(path.stem, path), 1.0, "", (path,))


def _stills(folder: Path) -> Iterator[Take]:
    for label, people in CDRL.items():
        left = {int(path.stem): path for path in sorted(folder.glob(f"cdrl/{label}/*.jpg"))}
        for person, frames in people.items():
            numbers = sorted(left) if frames is None else [int(word) for word in frames.split()]
            files = tuple(left.pop(number) for number in numbers if number in left)
            if files and person:
                emotion = _RENAMED.get(label, label)
                level = 0.0 if emotion == NEUTRAL else 1.0
                yield Take(f"cdrl-{label}-{person}", person, emotion, level, "", files, still=True)


def _grid(folder: Path) -> Iterator[Take]:
    one = sorted(folder.glob("grid/s1/*.mpg"))
    # The same file in both folders is the same speaker.
    own = {(path.name, path.stat().st_size) for path in one}
    others = [
        path for path in folder.glob("grid/others/*.mpg") if (path.name, path.stat().st_size) not in own
    ]
    for path in [*one[:GRID_SENTENCES], *sorted(others)]:
        person = "grid-s1" if path.parent.name == "s1" else f"grid-{path.stem}"
        yield Take(f"{path.parent.name}-{path.stem}", person, NEUTRAL, 0.0, path.stem, (path,))


def _emotion(word: str, path: Path) -> str:
    emotion = _RENAMED.get(word, word)
    if emotion not in EMOTIONS:
        raise InputError(f"{path}: emotion {word!r}; expected one of {', '.join(EMOTIONS)}: rename the file")
    return emotion
