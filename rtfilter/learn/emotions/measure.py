"""`python -m rtfilter.learn.emotions.measure --footage DIR --task FILE`: what emotions do, from footage.

Tracks every take of a folder (`sources.py` says which names it understands), compares people who feel with
the same people who don't, and writes rtfilter/face/assets/emotions.json. Prints the table in short.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPES, EMOTIONS
from rtfilter.errors import InputError, Notify, RtfilterError
from rtfilter.face.model import MorphableModel
from rtfilter.learn.emotions import mouth, table, timing
from rtfilter.learn.emotions.by_sound import by_state, gains, state_people
from rtfilter.learn.emotions.change import Change, changes, teacher_gain
from rtfilter.learn.emotions.people import Person, people
from rtfilter.learn.emotions.pool import MIRRORED, learn_model, pooled_all
from rtfilter.learn.emotions.solver import Solver
from rtfilter.learn.emotions.sources import NEUTRAL, Take, find
from rtfilter.learn.emotions.watch import Seen, watch
from rtfilter.system.cache import cache_folder

F64 = npt.NDArray[np.float64]

TARGET: Final = Path(__file__).resolve().parents[2] / "face" / "assets" / "emotions.json"
GAIN_ROUNDS: Final = 2
SIGHT: Final = 0.15  # a change of scores from which on the teacher is taken to see a coefficient
SOURCES: Final = (
    "MEAD (research use), clips and frames as published beside papers: two people with the same sentence in "
    "all emotions, others in one to four",
    "GRID (CC BY 4.0): neutral speech",
    "tracker: MediaPipe FaceMesh 0.10.21; teacher: MediaPipe FaceLandmarker v2 (Apache-2.0)",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the table, print it in short; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, required=True, help="folder with mead/, eamm/, ...")
    parser.add_argument("--task", type=Path, required=True, help="FaceLandmarker v2 model with blendshapes")
    parser.add_argument("--out", type=Path, default=TARGET)
    parser.add_argument("--cache", type=Path, default=None, help="tracked takes; default: rtfilter's cache")
    options = parser.parse_args(arguments)
    try:
        if not options.task.is_file():
            raise InputError(f"{options.task}: no such file; expected face_landmarker.task: check --task")
        cache = options.cache or cache_folder() / "emotions"
        seen = watch_all(find(options.footage), options.task, cache, lambda line: print(line, flush=True))
        found = measure(MorphableModel.builtin(), seen)
        table.write(options.out, found)
    except RtfilterError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(short(found))
    return 0


def watch_all(takes: Sequence[Take], task: Path, cache: Path, notify: Notify) -> list[tuple[Take, Seen]]:
    """Track every take, one after another; those in the cache are read."""
    seen = []
    for index, take in enumerate(takes):
        notify(f"{index + 1}/{len(takes)} {take.name}")
        seen.append((take, watch(take, task, cache)))
    return seen


def measure(model: MorphableModel, seen: Sequence[tuple[Take, Seen]]) -> dict[str, object]:
    """The table of everything that was seen."""
    everyone = people(model, seen)
    gain = np.ones(BLENDSHAPE_COUNT)
    for _ in range(GAIN_ROUNDS):
        gain = teacher_gain(changes(model, everyone, gain)[0])
    found, checks = changes(model, everyone, gain)
    observed = Solver(model, model.mean_iod.astype(np.float64), gain).seen
    common = learn_model(found, checks, observed, sight_of(found))
    pooled, by_sound = pooled_all(found, common), gains(found)
    rows = {}
    for emotion in EMOTIONS:
        if emotion in pooled:
            lips = _mouths(everyone, emotion)
            width, gap = mouth.summary(lips)
            states = by_state(emotion, pooled[emotion], found, by_sound)
            shown_by = state_people(emotion, found)
            rows[emotion] = table.Measured(pooled[emotion], states, shown_by, width, gap, len(lips))
    shown = _amplitudes(everyone, {emotion: row.pooled.mean for emotion, row in rows.items()})
    return table.document(rows, timing.summary(shown), by_sound, SOURCES, common.scale)


def sight_of(found: Sequence[Change]) -> F64:
    """How much the teacher sees of each coefficient, float64 [52], 0..1: whether it ever reacts."""
    most = np.max([np.abs(change.scores["speech"]) for change in found], axis=0)
    return np.asarray(np.minimum(np.maximum(most, most[MIRRORED]) / SIGHT, 1.0))


def _mouths(everyone: Sequence[Person], emotion: str) -> list[mouth.Mouth]:
    found = []
    for person in everyone:
        for take in person.emotional:
            same = [n for n in person.neutral if take.take.sentence and n.take.sentence == take.take.sentence]
            if take.take.emotion == emotion and same:
                found.append(mouth.compare(take, same[0]))
    return found


def _amplitudes(everyone: Sequence[Person], directions: dict[str, F64]) -> list[tuple[F64, F64]]:
    usual = np.mean([_quiet_scores(person) for person in everyone if person.neutral], axis=0)
    shown = []
    for person in everyone:
        base = _quiet_scores(person) if person.neutral else usual
        for take in person.emotional:
            if not take.take.still and take.take.emotion != NEUTRAL:
                values = timing.amplitude(take, base, directions[take.take.emotion])
                if values is not None:
                    shown.append((values, take.time_s))
    return shown


def _quiet_scores(person: Person) -> F64:
    return np.asarray(np.mean([take.scores.mean(0) for take in person.neutral], axis=0))


def short(found: dict[str, object]) -> str:
    """The table's largest numbers, a line an emotion."""
    rows = found["emotions"]
    assert isinstance(rows, dict)
    lines = []
    for name, row in rows.items():
        direction = sorted(row["direction"].items(), key=lambda item: -abs(item[1]))
        words = [f"{shape} {value:+.2f}" for shape, value in direction if not _is_second_side(shape, row)]
        width, gap = row["width_ratio"], row["gap_ratio"]
        lines.append(
            f"{name}: {row['people']} people ({row['matched_people']} matched); width x{width['mean']:.2f} "
            f"({width['roundest']:.2f} .. {width['widest']:.2f}), gap x{gap['mean']:.2f}, pause "
            f"{row['pause_gain']:.2f}; {', '.join(words[:9])}"
        )
    return "\n".join(lines)


def _is_second_side(shape: str, row: dict[str, dict[str, float]]) -> bool:
    other = BLENDSHAPES[MIRRORED[BLENDSHAPES.index(shape)]]
    return shape.endswith("Right") and row["direction"].get(other) == row["direction"][shape]


if __name__ == "__main__":
    sys.exit(main())
