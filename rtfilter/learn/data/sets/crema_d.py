"""CREMA-D (Cao et al., IEEE Trans. Affective Computing 2014): 91 actors, twelve sentences, six emotions.

    VideoFlash/1001_IEO_ANG_HI.flv   with AudioWAV/1001_IEO_ANG_HI.wav

Actor, sentence, emotion, level: LO, MD, HI, or XX where none was asked for. Open Database Licence. Cloned
without Git LFS, its files are pointers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from rtfilter.learn.data.sets.clip import VIDEOS, Clip, Skipped, existing, unusable, usable_files

EMOTIONS: Final = {
    "ANG": "angry", "DIS": "disgusted", "FEA": "fearful", "HAP": "happy", "NEU": "neutral", "SAD": "sad",
}  # fmt: skip
# A single X stands in one of the names as they are published.
LEVELS: Final = {"LO": 0.33, "MD": 0.67, "HI": 1.0, "XX": 0.67, "X": 0.67}
_NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_([A-Z]{1,2})$")


def clips(folder: Path, skipped: Skipped) -> list[Clip]:
    """Clips below `folder`, in order."""
    existing(folder, "CREMA-D's folder VideoFlash, and AudioWAV beside it")
    found = []
    for path in usable_files(folder, VIDEOS, skipped):
        match = _NAME.match(path.stem)
        if match is None:
            skipped.add("a name that CREMA-D's clips do not have", path)
            continue
        actor, sentence, emotion, level = match.groups()
        if emotion not in EMOTIONS or level not in LEVELS:
            skipped.add("a name that CREMA-D's clips do not have", path)
            continue
        amount = 0.0 if EMOTIONS[emotion] == "neutral" else LEVELS[level]
        beside = path.parent.parent / "AudioWAV" / f"{path.stem}.wav"
        sound = beside if beside.is_file() and not unusable(beside) else None
        found.append(Clip(path, path.stem, f"C{actor}", sentence, EMOTIONS[emotion], amount, sound))
    return found
