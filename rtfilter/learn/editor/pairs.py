"""Pairs of tracks: a neutral clip, and what its speaker's emotional twin adds to it, on the neutral's time.

Called by `editor.train` and `editor.ablation`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, EMOTIONS
from rtfilter.errors import InputError, Notify
from rtfilter.face.model import MorphableModel
from rtfilter.face.mouth import ROUNDED, UNROUNDED, Lips
from rtfilter.learn.data.alignment import matched_times
from rtfilter.learn.data.track import Track, track_files

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

NEUTRAL: Final = "neutral"


@dataclass(frozen=True, eq=False)
class Pair:
    """A neutral clip and its twin. T frames of the clip.

    emotion, level: the twin's. change: float32 [T, 52], the twin's coefficients less the clip's, where both
    say the same. gaps_iod: float32 [2, T, 9], openness: [2, T, 2, R], rounded: [2, T], 1 where the mouth is
    narrow: the lips of the clip, and of the clip with the change.
    """

    clip: Track
    emotion: str
    level: float
    change: F32
    gaps_iod: F32
    openness: F32
    rounded: F32

    @classmethod
    def of(cls, clip: Track, twin: Track, place: F64, model: MorphableModel) -> Pair:
        """place: float64 [T], the frame of the twin that says what each frame of the clip says."""
        frames, felt = np.arange(twin.frames), _exact(twin)
        told = [np.interp(place, frames, felt[:, k]) for k in range(BLENDSHAPE_COUNT)]
        change = (np.stack(told, axis=1) - _exact(clip)).astype(np.float32)
        moved = np.einsum("te,enc->tnc", change, model.expression_basis)
        neutral = clip.neutral_iod.astype(np.float64)
        lips = [
            [Lips.of(shape, neutral) for shape in shapes.astype(np.float64)]
            for shapes in (clip.shape_iod, clip.shape_iod + moved)
        ]

        def both(what: Any) -> F32:
            return np.array([[what(one) for one in each] for each in lips], np.float32)

        rounded = 1.0 - (both(lambda one: one.width_ratio) - ROUNDED) / (UNROUNDED - ROUNDED)
        return cls(
            clip,
            twin.emotion,
            twin.level,
            change,
            both(lambda one: one.gaps_iod),
            both(lambda one: one.openness()),
            np.clip(rounded, 0.0, 1.0),
        )


def _exact(track: Track) -> F32:
    """Coefficients [T, 52] without the fit's errors, where the corpus knows them: the fit of a clip that is
    emotional throughout takes part of the emotion for the person's own face."""
    return np.asarray(track.truth.get("exact_expression", track.expression), np.float32)


def load_pairs(folder: Path, alignments: Path | None, model: MorphableModel, notify: Notify) -> list[Pair]:
    """All pairs of the tracks below a folder, by speaker and sentence.

    A speaker's sentence without a neutral clip is left out, and counted in a line. Raises InputError where
    there is no pair.
    """
    takes: dict[tuple[str, str], list[Track]] = defaultdict(list)
    for path in track_files(folder):
        track = Track.load(path)
        takes[track.person, track.sentence].append(track)
    pairs, alone = [], 0
    for key in sorted(takes):
        neutral = [track for track in takes[key] if track.emotion == NEUTRAL]
        twins = [track for track in takes[key] if track.emotion != NEUTRAL]
        if not neutral:
            alone += len(twins)
            continue
        for twin in twins:
            # Known for the twin's frames; wanted for the clip's.
            told_s = _matched_times(twin, neutral[0], alignments)
            place = np.interp(neutral[0].time_s, told_s, np.arange(twin.frames))
            pairs.append(Pair.of(neutral[0], twin, place, model))
    if alone:
        notify(f"{alone} emotional tracks have no neutral one of their speaker and sentence: left out")
    if not pairs:
        raise InputError(
            f"{folder}: no pairs: expected a neutral and an emotional track of one speaker and one sentence"
        )
    found = {one.emotion for one in pairs}
    if missing := [name for name in EMOTIONS if name not in found and name != NEUTRAL]:
        notify(f"no tracks of {', '.join(missing)}: the editor does nothing for these")
    return pairs


def _matched_times(twin: Track, clip: Track, alignments: Path | None) -> F64:
    """`matched_times`; where the folder is missing, in the words of `[editor]`."""
    if not twin.truth.get("twin") and alignments is not None and not alignments.is_dir():
        raise InputError(
            f"{alignments}: no such folder, and {twin.name} is not aligned with {clip.name}: make it with "
            "`rtfilter learn align`, or name another with --set editor.alignments=FOLDER"
        )
    return matched_times(twin, clip, alignments)


def split_speakers(pairs: Sequence[Pair], held_out: float) -> tuple[list[Pair], list[Pair]]:
    """Pairs for training, and those of the last speakers by name, a share `held_out` of them, at least one.

    Raises InputError for a single speaker.
    """
    people = sorted({one.clip.person for one in pairs})
    if len(people) < 2:
        raise InputError(
            f"all pairs are of one speaker, {people[0]}: expected more: one is kept to measure on"
        )
    count = min(max(1, math.ceil(held_out * len(people))), len(people) - 1)
    apart = set(people[-count:])
    return (
        [one for one in pairs if one.clip.person not in apart],
        [one for one in pairs if one.clip.person in apart],
    )


def spread(pairs: Sequence[Pair], most: int) -> list[Pair]:
    """At most `most` of the pairs, drawn by chance but always alike, every emotion and level as often as the
    others (every k-th pair would meet the same level each time: pairs are in a fixed order)."""
    if len(pairs) <= most:
        return list(pairs)
    kinds: dict[tuple[str, float], list[int]] = defaultdict(list)
    for k in np.random.default_rng(0).permutation(len(pairs)):
        kinds[pairs[k].emotion, pairs[k].level].append(int(k))
    by_round = sorted((turn for row in kinds.values() for turn in enumerate(row)), key=lambda turn: turn[0])
    return [pairs[k] for k in sorted(k for _, k in by_round[:most])]


def mean_changes(pairs: Sequence[Pair]) -> F64:
    """The change of each emotion at intensity 1 on average, float64 [8, 52]; least squares over levels."""
    table = np.zeros((len(EMOTIONS), BLENDSHAPE_COUNT))
    for row, emotion in enumerate(EMOTIONS):
        own = [one for one in pairs if one.emotion == emotion]
        power = sum(one.level**2 for one in own)
        if power > 0.0:
            table[row] = sum(one.level * one.change.mean(0, dtype=np.float64) for one in own) / power
    return table
