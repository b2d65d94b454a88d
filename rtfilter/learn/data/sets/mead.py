"""MEAD (Wang et al., ECCV 2020): actors who say sentences in eight emotions at three levels.

    M003/video/front/angry/level_1/001.mp4   as it is downloaded, with M003/audio/angry/level_1/001.m4a
    M003_front_angry_level1_001.mp4          single clips as published beside papers, and
    M003_level_1_angry_001.mp4

Sentences 1 to 3 are the same in all emotions, the others are each emotion's own. Neutral has one level.
Research use only.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from rtfilter.learn.data.sets.clip import LEVELS, VIDEOS, Clip, Skipped, existing, unusable, usable_files

EMOTIONS: Final = {
    "angry": "angry", "contempt": "contempt", "disgusted": "disgusted", "fear": "fearful", "happy": "happy",
    "neutral": "neutral", "sad": "sad", "surprised": "surprised",
}  # fmt: skip
COMMON_SENTENCES: Final = 3
VIEW: Final = "front"
_PERSON = r"(?P<person>[MW]\d{3})"
_TREE = re.compile(
    rf"{_PERSON}/(?:video/)?(?P<view>[a-z_0-9]+)/(?P<emotion>[a-z]+)/level_(?P<level>\d)/(?P<number>\d{{3}})\.\w+$"
)
_FLAT = re.compile(
    rf"{_PERSON}_(?:(?P<view>front)_(?P<emotion>[a-z]+)_level_?(?P<level>\d)|"
    r"level_(?P<level2>\d)_(?P<emotion2>[a-z]+))_(?P<number>\d{3})\.\w+$"
)
_PACKED: Final = (".tar", ".zip", ".rar")


def clips(folder: Path, skipped: Skipped) -> list[Clip]:
    """Frontal clips below `folder`, in order."""
    existing(folder, "MEAD's folders of actors, such as M003")
    found = []
    for path in usable_files(folder, (*VIDEOS, *_PACKED), skipped):
        if path.suffix.lower() in _PACKED:
            skipped.add("not unpacked yet: unpack it where it lies", path)
            continue
        match = _TREE.search(path.as_posix()) or _FLAT.search(path.name)
        if match is None:
            skipped.add("a name that MEAD's clips do not have", path)
            continue
        parts = match.groupdict()
        emotion = parts["emotion"] or parts.get("emotion2") or ""
        level = int(parts["level"] or parts.get("level2") or 0)
        if parts["view"] not in (None, VIEW):
            skipped.add("seen from the side; the front is used", path)
        elif emotion not in EMOTIONS or level not in LEVELS:
            skipped.add("an emotion or level that MEAD does not have", path)
        else:
            found.append(_clip(path, parts["person"], EMOTIONS[emotion], emotion, level, parts["number"]))
    return found


def _clip(path: Path, person: str, emotion: str, written: str, level: int, number: str) -> Clip:
    common = int(number) <= COMMON_SENTENCES
    sentence = number if common else f"{written}{number}"
    name = f"{person}_{written}_level{level}_{number}"
    sound = None
    folder = path.parents[4] if len(path.parents) > 4 and path.parts[-5] == "video" else None
    if folder is not None:
        beside = folder / "audio" / written / f"level_{level}" / f"{number}.m4a"
        sound = beside if beside.is_file() and not unusable(beside) else None
    return Clip(path, name, person, sentence, emotion, 0.0 if emotion == "neutral" else LEVELS[level], sound)
