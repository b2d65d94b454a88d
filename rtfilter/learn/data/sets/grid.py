"""GRID (Cooke et al., JASA 2006): people who say six-word sentences, neutral, with times of the words.

    s1/bbaf2n.mpg, s1/video/mpg_6000/bbaf2n.mpg   videos; words in align/bbaf2n.align, beside or above,
    alignments/s1/bbaf2n.align                    or by speaker; sound of 25 kHz in audio_25k/s1/bbaf2n.wav

Alignments count in 1/25000 s. CC BY 4.0. The distribution in single pictures is not read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from rtfilter.learn.data.sets.clip import VIDEOS, Clip, Skipped, Word, existing, files_below, usable_files

TICKS_PER_S: Final = 25_000.0
SILENCE: Final = ("sil", "sp")
_NAME = re.compile(r"[blps][bgrw][abiw][a-z][0-9z][anps]$")
_SPEAKER = re.compile(r"s\d+(?:[._]\w+)?$")


def clips(folder: Path, skipped: Skipped) -> list[Clip]:
    """Clips below `folder`, in order. People are its folders s1, s2 ...; a clip outside is one itself."""
    existing(folder, "GRID's folders of speakers, such as s1")
    found = []
    alignments: dict[str, list[Path]] = {}
    pictures: set[Path] = set()
    for path in files_below(folder):
        if path.suffix == ".align":
            alignments.setdefault(path.stem, []).append(path)
        elif path.suffix == ".jpg" and _NAME.search(path.parent.name):
            pictures.add(path.parent)
    for each in sorted(pictures):
        skipped.add("GRID in single pictures: get the videos (.mpg)", each)
    for path in usable_files(folder, VIDEOS, skipped):
        if not _NAME.search(path.stem):
            skipped.add("a name that GRID's clips do not have", path)
            continue
        speaker = _speaker(path)
        person = f"G{speaker or path.stem}"
        words = _words(alignments.get(path.stem, []), speaker, skipped) if speaker else ()
        beside = folder / "audio_25k" / (speaker or "") / f"{path.stem}.wav"
        sound = beside if beside.is_file() else None
        name = f"{person}_{path.stem}"
        found.append(Clip(path, name, person, path.stem, "neutral", 0.0, sound, words))
    return found


def _speaker(path: Path) -> str | None:
    return next((part for part in reversed(path.parts[:-1]) if _SPEAKER.match(part)), None)


def _words(named: list[Path], speaker: str | None, skipped: Skipped) -> tuple[Word, ...]:
    """The words of a speaker's clip: by their own alignment, else by one that is under no speaker's name."""
    chosen = [path for path in named if _speaker(path) == speaker]
    chosen = chosen or [path for path in named if _speaker(path) is None]
    if not chosen:
        return ()
    try:
        words = []
        for line in chosen[0].read_text(encoding="ascii").split("\n"):
            if line.strip():
                start, end, word = line.split()
                words.append((float(start) / TICKS_PER_S, float(end) / TICKS_PER_S, word))
        if any(a < 0 or b < a for a, b, _ in words):
            raise ValueError("times that fall")
    except (OSError, ValueError):
        skipped.add("an alignment that cannot be read; its clip is used without words", chosen[0])
        return ()
    return tuple(words)
