"""What a feeling changes in one person's face, by sound state: shape, teacher's scores, coefficients.

Called by `learn.emotions.measure`. A person with neutral takes is compared with those, frame by frame where
the sentence is the same. Of anyone else's shape the estimated neutral leaves too little to read, and their
crops' proportions are unknown: for them the teacher's scores count (`PULL_UNPAIRED`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import MIRROR
from rtfilter.face.model import MorphableModel
from rtfilter.learn.emotions.people import Person, Shapes, by_emotion
from rtfilter.learn.emotions.solver import MEASURED, PULL, Solver
from rtfilter.learn.emotions.states import STATES, Mask, align_lips, lips, states

F64 = npt.NDArray[np.float64]

MOMENTS: Final = (*STATES, "speech")
LEAST_FRAMES: Final = 3
PULL_UNPAIRED: Final = 10.0
GAIN_RANGE: Final = (0.3, 1.5)
GAIN_EVIDENCE: Final = 0.1  # squared changes of scores at which a coefficient's own slope counts half
MATCHED, PAIRED, UNPAIRED = "matched", "paired", "unpaired"


@dataclass(frozen=True)
class Mean:
    """Means over the frames of one sound state: shape_iod float64 [478, 3], scores float64 [52]."""

    shape_iod: F64
    scores: F64
    frames: int


@dataclass(frozen=True)
class Change:
    """One person with one feeling against themselves without it.

    grade: MATCHED, the same sentence of theirs without feeling; PAIRED, other neutral frames of theirs;
    UNPAIRED, an estimated neutral. still: no clip, so no sound states. level: 1.0 is MEAD's level 3.
    moments: by state, and for all of speech, the change of coefficients float64 [52], in `solved`; shape's
    own [478, 3] in `shape_iod`, the teacher's [52] in `scores`. frames: of the emotional takes.
    """

    person: str
    emotion: str
    level: float
    grade: str
    still: bool
    frames: int
    solved: Mapping[str, F64]
    shape_iod: Mapping[str, F64]
    scores: Mapping[str, F64]


def means(takes: Sequence[Shapes]) -> dict[str, Mean]:
    """The means of some takes by sound state; states with too few frames are left out."""
    masks = [_states(take) for take in takes]
    found = {}
    for moment in MOMENTS:
        shape = np.concatenate([t.shape_iod[m[moment]] for t, m in zip(takes, masks, strict=True)])
        scores = np.concatenate([t.scores[m[moment]] for t, m in zip(takes, masks, strict=True)])
        if len(shape) >= LEAST_FRAMES or moment == "speech":
            found[moment] = Mean(shape.mean(0), scores.mean(0), len(shape))
    return found


def aligned_means(emotional: Shapes, neutral: Shapes) -> tuple[dict[str, Mean], dict[str, Mean]]:
    """The same for two takes of one sentence: the states are the neutral take's, at the aligned frames."""
    masks = _states(neutral)
    ours, theirs = align_lips(lips(emotional.shape_iod), lips(neutral.shape_iod))
    # Each neutral frame counts once, with the mean of the frames that are aligned to it.
    count = np.bincount(theirs, minlength=len(neutral.scores)).astype(np.float64)
    shape = np.zeros_like(neutral.shape_iod)
    scores = np.zeros_like(neutral.scores)
    np.add.at(shape, theirs, emotional.shape_iod[ours])
    np.add.at(scores, theirs, emotional.scores[ours])
    shape /= count[:, None, None]
    scores /= count[:, None]
    with_feeling, without = {}, {}
    for moment in MOMENTS:
        mask = masks[moment]
        frames = int(mask.sum())
        if frames >= LEAST_FRAMES or moment == "speech":
            with_feeling[moment] = Mean(shape[mask].mean(0), scores[mask].mean(0), frames)
            without[moment] = Mean(neutral.shape_iod[mask].mean(0), neutral.scores[mask].mean(0), frames)
    return with_feeling, without


def changes(model: MorphableModel, people: Sequence[Person], gain: F64) -> tuple[list[Change], list[Change]]:
    """Every person's changes by emotion, and the neutral speakers' own "changes" against the estimate.

    The second list should be zero; its spread is the error of estimating a neutral. gain: float64 [52], what
    a score of the teacher is worth in our coefficients.
    """
    speakers = [person for person in people if person.neutral]
    offsets = {person.name: _from_estimate(person, person.neutral) for person in speakers}
    found, checks = [], []
    for person in people:
        fit = Solver(model, person.neutral_iod, gain, PULL if person.neutral else PULL_UNPAIRED)
        usual = _typical([offset for name, offset in offsets.items() if name != person.name])
        if person.neutral:
            here = offsets[person.name]
            loose = Solver(model, person.neutral_iod, gain, PULL_UNPAIRED)
            checks.append(_change(loose, person, "neutral", person.neutral, here, usual, UNPAIRED))
        for emotion, takes in by_emotion(person).items():
            if not person.neutral:
                here = _from_estimate(person, takes)
                found.append(_change(fit, person, emotion, takes, here, usual, UNPAIRED))
                continue
            here, there, grade = _pair(takes, person.neutral)
            found.append(_change(fit, person, emotion, takes, here, there, grade))
    return found, checks


def teacher_gain(found: Sequence[Change]) -> F64:
    """What a score of the teacher is worth in our coefficients, float64 [52], from matched sentences.

    The slope of solved changes on changes of scores, drawn towards the slope over all coefficients.
    """
    matched = [change for change in found if change.grade == MATCHED]
    scores = np.array([change.scores["speech"] for change in matched])
    solved = np.array([change.solved["speech"] for change in matched])
    scores, solved = (0.5 * (values + values[:, list(MIRROR)]) for values in (scores, solved))
    across, power = (scores * solved)[:, MEASURED].sum(), (scores**2)[:, MEASURED].sum()
    usual = float(np.clip(across / max(power, 1e-9), *GAIN_RANGE))
    slope = ((scores * solved).sum(0) + GAIN_EVIDENCE * usual) / ((scores**2).sum(0) + GAIN_EVIDENCE)
    return np.asarray(np.clip(slope, *GAIN_RANGE))


def _pair(takes: Sequence[Shapes], neutral: Sequence[Shapes]) -> tuple[dict[str, Mean], dict[str, Mean], str]:
    for take in takes:
        for other in neutral:
            if take.take.sentence and take.take.sentence == other.take.sentence:
                return (*aligned_means(take, other), MATCHED)
    return means(takes), means(neutral), PAIRED


def _states(take: Shapes) -> dict[str, Mask]:
    if not take.take.still:
        return states(lips(take.shape_iod), take.time_s)
    # Stills have no pauses, and too few sounds for a person's own median.
    nothing = np.zeros(len(take.scores), bool)
    return {**dict.fromkeys(STATES, nothing), "speech": ~nothing}


def _from_estimate(person: Person, takes: Sequence[Shapes]) -> dict[str, Mean]:
    return {
        moment: Mean(mean.shape_iod - person.neutral_iod, mean.scores, mean.frames)
        for moment, mean in means(takes).items()
    }


def _typical(offsets: Sequence[Mapping[str, Mean]]) -> dict[str, Mean]:
    """The mean over people, by state."""
    found = {}
    for moment in MOMENTS:
        there = [offset[moment] for offset in offsets if moment in offset]
        if there:
            shape = np.mean([mean.shape_iod for mean in there], axis=0)
            scores = np.mean([mean.scores for mean in there], axis=0)
            found[moment] = Mean(shape, scores, sum(mean.frames for mean in there))
    return found


def _change(
    fit: Solver,
    person: Person,
    emotion: str,
    takes: Sequence[Shapes],
    here: Mapping[str, Mean],
    there: Mapping[str, Mean],
    grade: str,
) -> Change:
    both = [moment for moment in MOMENTS if moment in here and moment in there]
    shape = {m: here[m].shape_iod - there[m].shape_iod for m in both}
    scores = {m: here[m].scores - there[m].scores for m in both}
    solved = {m: fit.solve(shape[m], scores[m], there[m].scores) for m in both}
    level = float(np.mean([take.take.level for take in takes]))
    frames = sum(len(take.scores) for take in takes)
    still = all(take.take.still for take in takes)
    return Change(person.name, emotion, level, grade, still, frames, solved, shape, scores)
