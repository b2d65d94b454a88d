"""All clips of the data sets that a settings file names. Called by `data.cache`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from rtfilter.errors import InputError, Notify, UsageError, nearest
from rtfilter.learn.data.sets import crema_d, grid, mead, ravdess
from rtfilter.learn.data.sets.clip import Clip, Skipped

SETS: Final[Mapping[str, Callable[[Path, Skipped], list[Clip]]]] = {
    "mead": mead.clips,
    "ravdess": ravdess.clips,
    "crema-d": crema_d.clips,
    "grid": grid.clips,
}


def parse_set(text: str) -> tuple[str, Path]:
    """`mead:/data/MEAD` as kind and folder. Raises UsageError."""
    kind, colon, folder = text.partition(":")
    if kind.strip().lower() not in SETS:
        raise UsageError(f"sets: unknown {kind!r}:{nearest(kind, SETS)}")
    if not colon or not folder.strip():
        raise UsageError(f"sets: {text!r}: expected SET:FOLDER, such as mead:/data/MEAD")
    return kind.strip().lower(), Path(folder.strip()).expanduser()


def read_sets(sets: Sequence[tuple[str, Path]], notify: Notify) -> list[Clip]:
    """The clips of all sets; what each holds, and what was left out, goes to `notify`.

    Raises InputError for a folder that is missing, or when no set holds a clip.
    """
    found: dict[str, Clip] = {}
    for kind, folder in sets:
        skipped = Skipped()
        clips = SETS[kind](folder, skipped)
        for clip in clips:
            if clip.name in found:
                skipped.add("there twice, by its name", clip.path)
            else:
                found[clip.name] = clip
        emotions = Counter(clip.emotion for clip in clips)
        people = len({clip.person for clip in clips})
        words = ", ".join(f"{count} {name}" for name, count in emotions.most_common()) or "nothing usable"
        notify(f"{kind} in {folder}: {len(clips)} clips of {people} people ({words})")
        for line in skipped.lines():
            notify(f"{kind}: {line}")
        if len(emotions) == 1 and kind != "grid":
            notify(f"{kind}: one emotion only: tracks can be made, but no pairs for learning")
    if not found:
        folders = ", ".join(str(folder) for _, folder in sets) or "no sets"
        raise InputError(f"{folders}: no clip that can be used; expected folders as docs/learn.md has them")
    return list(found.values())
