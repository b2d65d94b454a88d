"""`rtfilter learn align`: every track's path to its neutral twin, by dynamic time warping.

A twin is the first neutral track, by name, of the same person and sentence. A path that was made from these
tracks with these settings is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError, Notify, UsageError, nearest
from rtfilter.learn.config import read_document
from rtfilter.learn.data.alignment import MEANS, Alignment, digest_of, file_name
from rtfilter.learn.data.dtw import AUTO, align, asked
from rtfilter.learn.data.track import Labels, Track, track_files
from rtfilter.learn.data.visemes import NAMES

F64 = npt.NDArray[np.float64]
Progress = Callable[[int, int | None], None]
_SHOWN: Final = 5  # lines on single tracks; the rest is counted


@dataclass(frozen=True, slots=True)
class AlignSettings:
    """`[align]`.

    tracks: the folder of tracks. by: auto (sound where there is some, else lips), sound or lips. step_s: of
    the features, seconds. band: how far a path may leave the diagonal, as a share of the clip's length.
    """

    tracks: Path = Path("{output}/track")
    by: str = AUTO
    step_s: float = 1.0 / 30.0
    band: float = 0.3

    def __post_init__(self) -> None:
        if self.by not in (AUTO, *MEANS):
            raise UsageError(f"by: unknown {self.by!r}:{nearest(self.by, (AUTO, *MEANS))}")
        if not 0.002 <= self.step_s <= 0.2:
            raise UsageError(f"step_s: expected 0.002..0.2 seconds, got {self.step_s:g}")
        if not 0.0 < self.band <= 1.0:
            raise UsageError(f"band: expected a share above 0, up to 1, got {self.band:g}")


def main(
    config_path: Path,
    overrides: Sequence[str] = (),
    progress: Progress | None = None,
    notify: Notify = lambda line: None,
) -> int:
    """Write the paths of a folder of tracks to `output/align`: those missing, or made from something else.

    Raises InputError when no two tracks are twins; tracks that cannot be used are named and counted.
    """
    document = read_document(config_path, overrides)
    settings, folder = document.table("align", AlignSettings), document.run.folder("align")
    counts: Counter[str] = Counter()
    errors: list[F64] = []

    def skip(error: InputError) -> None:
        counts["could not be used"] += 1
        if counts["could not be used"] <= _SHOWN:
            notify(str(error))

    wanted, twin_of = asked(settings.by, settings.step_s, settings.band), lru_cache(maxsize=1)(Track.load)
    pairs = twins_of(settings.tracks, skip)
    for done, (path, twin_path) in enumerate(pairs):
        if progress is not None:
            progress(done, len(pairs))
        labels, twin_labels = Labels.read(path), Labels.read(twin_path)
        target = folder / file_name(labels.name, twin_labels.name)
        try:
            # The twins of one sentence follow each other.
            track, twin = Track.load(path), twin_of(twin_path)
            if _is_kept(target, digest_of(track, twin), wanted):
                counts["there already"] += 1
                continue
            found = align(track, twin, settings.step_s, settings.band, settings.by)
        except InputError as error:
            skip(error)
            continue
        found.save(target)
        errors.append(errors_s(track, found))
        counts[f"by {found.by}"] += 1
    if progress is not None:
        progress(len(pairs), len(pairs))
    words = ", ".join(f"{count} {what}" for what, count in counts.items())
    notify(f"{len(pairs)} pairs in {folder}: {words}")
    known = np.concatenate([*errors, np.zeros(0)])
    if len(known):
        median, p95 = np.quantile(known, (0.5, 0.95)) * 1000.0
        exact = sum(len(one) > 0 for one in errors)
        notify(
            f"against the exact paths of {exact} pairs, in words: median {median:.1f} ms, p95 {p95:.1f} ms"
        )
    return 0


def _is_kept(target: Path, tracks: str, wanted: str) -> bool:
    """Whether the path in a file was made from these tracks and settings; a damaged one is made again."""
    try:
        found = Alignment.load(target) if target.exists() else None
    except InputError:
        return False
    return found is not None and (found.tracks, found.asked) == (tracks, wanted)


def errors_s(track: Track, found: Alignment) -> F64:
    """How far a path is off while words are spoken, by frame, in seconds; empty where no truth is known.

    In silence no time is the right one.
    """
    if str(track.truth.get("twin", "")) != found.twin:
        return np.zeros(0)
    spoken = track.truth["viseme"] != NAMES.index("silence")
    return np.asarray(np.abs(found.twin_times(track.time_s) - track.truth["twin_time_s"])[spoken])


def twins_of(folder: Path, skip: Callable[[InputError], None]) -> list[tuple[Path, Path]]:
    """Files of emotional tracks, each with its neutral twin's. skip: gets what is wrong with a damaged one.

    Raises InputError for a folder without tracks, or without twins.
    """
    groups: dict[tuple[str, str], list[tuple[Labels, Path]]] = {}
    emotions: Counter[str] = Counter()
    for path in track_files(folder):
        try:
            labels = Labels.read(path)
        except InputError as error:
            skip(error)
            continue
        emotions[labels.emotion] += 1
        groups.setdefault((labels.person, labels.sentence), []).append((labels, path))
    pairs: list[tuple[Path, Path]] = []
    for tracks in groups.values():
        neutral = [path for labels, path in tracks if labels.emotion == "neutral"]
        if neutral:
            pairs += [(path, neutral[0]) for labels, path in tracks if labels.emotion != "neutral"]
    if not pairs:
        seen = ", ".join(f"{count} {name}" for name, count in emotions.items()) or "none that can be read"
        raise InputError(
            f"{folder}: nothing to align: no person says one sentence both neutral and with an emotion "
            f"(tracks: {seen})"
        )
    return pairs
