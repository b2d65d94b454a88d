"""Every frame's expression as the change of coefficients from the person's own neutral.

In the unit of the emotions' table (`learn.emotions`): landmarks decide where they see, the teacher elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPES, EMOTIONS
from rtfilter.face.emotion import Target
from rtfilter.face.model import MorphableModel
from rtfilter.learn.emotions.change import PULL_UNPAIRED, changes, teacher_gain
from rtfilter.learn.emotions.people import Person, people
from rtfilter.learn.emotions.solver import GAZE, MEASURED, PULL, Solver
from rtfilter.learn.emotions.sources import NEUTRAL, Take
from rtfilter.learn.emotions.watch import Seen

F64 = npt.NDArray[np.float64]

GAIN_ROUNDS: Final = 2
_IS_GAZE: Final = np.isin(BLENDSHAPES, GAZE)


def expressions(model: MorphableModel, seen: Sequence[tuple[Take, Seen]]) -> Mapping[str, F64]:
    """Of every take by name: float64 [N, 52], one row a frame of `Seen`. Gaze is the teacher's."""
    everyone = people(model, seen)
    # What the teacher's scores are worth is known from those whose sentences are.
    speakers = [p for p in everyone if any(take.take.sentence for take in p.takes)]
    gain = np.ones(BLENDSHAPE_COUNT)
    for _ in range(GAIN_ROUNDS):
        gain = teacher_gain(changes(model, speakers, gain)[0])
    found = {}
    for person in everyone:
        quiet = _quiet_scores(person)
        fit = Solver(model, person.neutral_iod, gain, PULL if person.neutral else PULL_UNPAIRED)
        for take in person.takes:
            rows = [
                fit.solve(shape - person.neutral_iod, scores - quiet, quiet)
                for shape, scores in zip(take.shape_iod, take.scores, strict=True)
            ]
            found[take.take.name] = np.array(rows) + (take.scores - quiet) * _IS_GAZE
    return found


def _quiet_scores(person: Person) -> F64:
    takes = person.neutral or person.takes
    return np.asarray(np.mean([take.scores.mean(0) for take in takes], axis=0))


def offset_of(emotion: str) -> F64:
    """The offset [52] that an edit makes on a quiet face at intensity 1, as far as maps follow it."""
    if emotion == NEUTRAL:
        return np.zeros(BLENDSHAPE_COUNT)
    amounts = np.zeros(len(EMOTIONS))
    amounts[EMOTIONS.index(emotion)] = 1.0
    return np.asarray(Target.of_mix(amounts).offset(np.zeros(BLENDSHAPE_COUNT)) * MEASURED)
