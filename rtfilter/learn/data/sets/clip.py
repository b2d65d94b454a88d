"""`Clip`, one video of a data set with its labels; `Skipped`, the count of what is left out and why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rtfilter.errors import InputError

Word = tuple[float, float, str]

# Level of a strong, a normal and a weak performance: MEAD's 3, 2 and 1.
LEVELS: Final = {3: 1.0, 2: 0.67, 1: 0.33}
VIDEOS: Final = (".mp4", ".flv", ".mpg", ".mov", ".avi", ".mkv", ".webm")
PARTIAL: Final = (".part", ".crdownload", ".download", ".partial", ".aria2", ".!qb")
_POINTER: Final = b"version https://git-lfs"
_SMALLEST_BYTES: Final = 2000


@dataclass(frozen=True, slots=True)
class Clip:
    """One video.

    name: unique in its set. person, sentence, emotion, level: as in `Track`; two clips of one person and
    sentence say the same words. sound: a file beside the video that holds its sound; None: in the video.
    words: (start_s, end_s, word), where the set has them.
    """

    path: Path
    name: str
    person: str
    sentence: str
    emotion: str
    level: float
    sound: Path | None = None
    words: tuple[Word, ...] = ()


@dataclass
class Skipped:
    """What was left out: by reason, how many files, and the first one."""

    counts: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, reason: str, example: object) -> None:
        """Count one file."""
        count, first = self.counts.get(reason, (0, str(example)))
        self.counts[reason] = (count + 1, first)

    def lines(self) -> list[str]:
        """One line a reason."""
        return [
            f"{count} file{'s' * (count > 1)} left out: {reason} (such as {first})"
            for reason, (count, first) in self.counts.items()
        ]


def existing(folder: Path, what: str) -> Path:
    """`folder` itself. Raises InputError where there is none, with what is expected there."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected {what}, as it is downloaded and unpacked")
    return folder


def files_below(folder: Path) -> Iterator[Path]:
    """All files below `folder`, in order of their paths, through linked folders too; each folder once."""
    seen: set[str] = set()
    found: list[Path] = []
    for top, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(top)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        found += [Path(top) / name for name in names]
    yield from sorted(found)


def usable_files(folder: Path, endings: tuple[str, ...], skipped: Skipped) -> Iterator[Path]:
    """Files below `folder` with one of the endings, in order; half-downloaded ones are counted, not given."""
    for path in files_below(folder):
        ending = path.suffix.lower()
        if ending in PARTIAL:
            skipped.add("downloaded in part: download it again", path)
        elif ending in endings and path.is_file() and not path.name.startswith("._"):
            problem = unusable(path)
            if problem:
                skipped.add(problem, path)
            else:
                yield path


def unusable(path: Path) -> str:
    """Why a file cannot be a video or a sound, from its first bytes; "" when it may be one."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_POINTER))
        size = path.stat().st_size
    except OSError as error:
        return f"cannot be read ({error.strerror}): check its permissions"
    if start == _POINTER:
        return "a pointer of Git LFS, not the file: fetch it with `git lfs pull`"
    if size < _SMALLEST_BYTES:
        return "empty or cut off: download it again"
    return ""
