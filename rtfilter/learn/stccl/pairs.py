"""Pairs of clips that say the same: a neutral one, brought to the times of an emotional one, as signals.

Called by `stccl.train` and `stccl.evidence`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError
from rtfilter.learn.data.align import twins_of
from rtfilter.learn.data.alignment import matched_times
from rtfilter.learn.data.track import Track
from rtfilter.learn.stccl.settings import WINDOW

F64 = npt.NDArray[np.float64]
F16 = npt.NDArray[np.float16]
Signal = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Pair:
    """One sentence of one speaker without and with emotion, frame by frame.

    source: float16 [T, ...], the neutral signal at the moments of target, float16 [T, ...], the emotional
    one. A signal is motion [478, 3] (displacement from the neutral, IOD) or a picture [64, 64].
    """

    name: str
    person: str
    sentence: str
    emotion: str
    source: F16
    target: F16

    @property
    def frames(self) -> int:
        """T."""
        return len(self.target)


SignalOf = Callable[[Track], Signal]


def motion(track: Track) -> Signal:
    """A track's displacements from the person's neutral, float32 [T, 478, 3]."""
    return track.shape_iod - track.neutral_iod


def load_pairs(folder: Path, alignments: Path | None = None, signal: SignalOf = motion) -> list[Pair]:
    """All pairs among the tracks of a folder, by name.

    alignments: where the match of tracks lies that do not know it themselves. Raises InputError: no tracks, a
    damaged one, no two that make a pair, all too short, or a pair that is not aligned.
    """
    pairs: list[Pair] = []
    last: tuple[Path, Track, Signal] | None = None
    for path, twin_path in sorted(twins_of(folder, _refuse)):
        track = Track.load(path)
        if track.frames < WINDOW:
            continue
        # Tracks are large, and the twins of one sentence follow each other.
        if last is None or last[0] != twin_path:
            twin = Track.load(twin_path)
            last = (twin_path, twin, signal(twin))
        _, twin, plain = last
        source = at_times(plain, twin.time_s, matched_times(track, twin, alignments))
        target = signal(track).astype(np.float16)
        pairs.append(Pair(track.name, track.person, track.sentence, track.emotion, source, target))
    if not pairs:
        raise InputError(f"{folder}: every emotional clip is shorter than {WINDOW} frames: give longer ones")
    return pairs


def _refuse(error: InputError) -> None:
    raise error


def at_times(signal: Signal, time_s: F64, wanted_s: F64) -> F16:
    """A signal [T, ...] at other times, linear between its frames and still beyond its ends: float16."""
    at = np.interp(wanted_s, time_s, np.arange(len(time_s)))
    before = np.floor(at).astype(np.int64)
    after = np.minimum(before + 1, len(time_s) - 1)
    share = (at - before).reshape(-1, *[1] * (signal.ndim - 1)).astype(np.float32)
    return np.asarray((1.0 - share) * signal[before] + share * signal[after], np.float16)


def split(pairs: Sequence[Pair], held_out: float) -> tuple[list[Pair], list[Pair]]:
    """Pairs of the speakers to learn from, and of those to judge by: the last by name, at least one.

    Raises InputError when there is one speaker alone.
    """
    people = sorted({pair.person for pair in pairs})
    if len(people) < 2:
        raise InputError(
            f"pairs of {people[0]} alone: one is learned from, another judged by: give two speakers"
        )
    count = min(max(1, round(held_out * len(people))), len(people) - 1)
    kept = set(people[:-count])
    return [p for p in pairs if p.person in kept], [p for p in pairs if p.person not in kept]
