"""RAVDESS (Livingstone, Russo, PLoS ONE 2018): 24 actors, two statements, at two intensities.

    Actor_12/01-01-06-02-02-01-12.mp4

Seven numbers: modality (01 video with sound, 02 video, 03 sound), channel (01 speech, 02 song), emotion,
intensity (01 normal, 02 strong), statement, repetition, actor. CC BY-NC-SA 4.0.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from rtfilter.learn.data.sets.clip import VIDEOS, Clip, Skipped, existing, usable_files

# 02 is calm, which is no emotion of ours.
EMOTIONS: Final = {
    "01": "neutral", "03": "happy", "04": "sad", "05": "angry", "06": "fearful", "07": "disgusted",
    "08": "surprised",
}  # fmt: skip
LEVELS: Final = {"01": 0.67, "02": 1.0}
CALM: Final = "02"
_BOTH, _SILENT, _SOUND = "01", "02", "03"
_SPEECH: Final = "01"
_NAME = re.compile(r"(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)$")


def clips(folder: Path, skipped: Skipped) -> list[Clip]:
    """Spoken clips below `folder`, in order: those with sound, and silent ones that have no such twin."""
    existing(folder, "RAVDESS's folders, such as Actor_01")
    videos: dict[str, tuple[str, Path]] = {}
    sounds: dict[str, Path] = {}
    for path in usable_files(folder, (*VIDEOS, ".wav"), skipped):
        match = _NAME.search(path.stem)
        if match is None:
            skipped.add("a name that RAVDESS's files do not have", path)
            continue
        modality, channel, emotion, intensity = match.groups()[:4]
        label = path.stem[3:]
        if channel != _SPEECH:
            skipped.add("song; speech is used", path)
        elif emotion == CALM:
            skipped.add("calm, for which there is no emotion here", path)
        elif emotion not in EMOTIONS or intensity not in LEVELS:
            skipped.add("a name that RAVDESS's files do not have", path)
        elif modality == _SOUND and path.suffix.lower() == ".wav":
            sounds[label] = path
        elif modality in (_BOTH, _SILENT) and path.suffix.lower() != ".wav":
            if label not in videos or modality == _BOTH:
                videos[label] = (modality, path)
        else:
            skipped.add("a name that RAVDESS's files do not have", path)
    found = []
    for label, (modality, path) in sorted(videos.items()):
        _, emotion, intensity, statement, _, actor = label.split("-")
        sound = sounds.get(label) if modality == _SILENT else None
        level = 0.0 if EMOTIONS[emotion] == "neutral" else LEVELS[intensity]
        found.append(Clip(path, label, f"R{actor}", statement, EMOTIONS[emotion], level, sound))
    return found
