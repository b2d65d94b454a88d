"""People: all frames of one person in one head frame, and the shape that their speech has without feeling.

A person with neutral takes is compared with those. For any other, the neutral is estimated: frames less
what the teacher's scores explain, drawn towards the identity basis. What that estimate gets wrong in general
is measured on people whose neutral speech is there; how wrong it is, too (`change.py`, `pool.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.face.fit import FitConstants
from rtfilter.face.landmarks import LANDMARK_COUNT
from rtfilter.face.model import MorphableModel
from rtfilter.face.pose import align
from rtfilter.learn.emotions.sources import NEUTRAL, Take
from rtfilter.learn.emotions.watch import Seen

F64 = npt.NDArray[np.float64]

ROUNDS: Final = 3
PASSES: Final = 2
# The bridge of the nose, its base, the corners of the eyes and the sides of the face: no feeling moves them.
RIGID: Final = (
    2, 4, 5, 6, 33, 93, 98, 127, 130, 133, 162, 168, 195, 197, 234, 243, 263, 323, 327, 356, 359, 362, 389,
    454, 463,
)  # fmt: skip
DEPTH_WEIGHT: Final = 0.3


@dataclass(frozen=True)
class Shapes:
    """A take in its person's head frame: shape_iod float64 [N, 478, 3], scores float64 [N, 52]."""

    take: Take
    shape_iod: F64
    scores: F64
    time_s: F64


@dataclass(frozen=True)
class Person:
    """One person's takes. neutral_iod: float64 [478, 3], estimated from neutral takes, if there are any."""

    name: str
    takes: tuple[Shapes, ...]
    neutral_iod: F64

    @property
    def neutral(self) -> tuple[Shapes, ...]:
        """Takes without feeling; () for most."""
        return tuple(shapes for shapes in self.takes if shapes.take.emotion == NEUTRAL)

    @property
    def emotional(self) -> tuple[Shapes, ...]:
        """Takes with feeling."""
        return tuple(shapes for shapes in self.takes if shapes.take.emotion != NEUTRAL)


def people(model: MorphableModel, seen: Sequence[tuple[Take, Seen]]) -> list[Person]:
    """The people behind the takes, by name."""
    constants = FitConstants(model)
    names = sorted({take.person for take, _ in seen})
    found = []
    for name in names:
        own = [(take, s) for take, s in seen if take.person == name]
        found.append(_person(model, constants, name, own))
    return found


def _person(
    model: MorphableModel, constants: FitConstants, name: str, own: Sequence[tuple[Take, Seen]]
) -> Person:
    basis = model.expression_basis.astype(np.float64)
    base = model.mean_iod.astype(np.float64)
    shapes: list[Shapes] = []
    for _ in range(ROUNDS):
        shapes = [_unposed(model, base, basis, take, seen) for take, seen in own]
        quiet = [take for take in shapes if take.take.emotion == NEUTRAL]
        base = neutral_of(constants, basis, quiet or shapes)
    if any(take.take.emotion == NEUTRAL for take in shapes):
        shapes = _one_aspect(shapes)
    return Person(name, tuple(shapes), base)


def _one_aspect(shapes: Sequence[Shapes]) -> list[Shapes]:
    """The takes with the proportions of the neutral ones.

    Published clips are crops, each squeezed or stretched by up to a tenth into a square: measured, and taken
    back, on what no feeling moves.
    """
    neutral = np.mean([take.shape_iod.mean(0) for take in shapes if take.take.emotion == NEUTRAL], axis=0)
    for _ in range(PASSES):  # the measure is a first order one
        shapes = [
            replace(take, shape_iod=take.shape_iod / proportions(take.shape_iod.mean(0), neutral))
            for take in shapes
        ]
    return list(shapes)


def proportions(shape_iod: F64, reference_iod: F64) -> F64:
    """How much larger than the reference a shape [478, 3] is in x, y and z, its motion taken out: [3].

    x and z share one size; y, which a crop may stretch, has its own.
    """
    axes = np.eye(3)
    motions = [np.broadcast_to(axis, reference_iod.shape) for axis in axes]
    motions += [np.cross(axis, reference_iod) for axis in axes]
    motions += [reference_iod, reference_iod * (0.0, 1.0, 0.0)]
    rows = np.stack([motion[list(RIGID)] for motion in motions])
    weighted = (rows * (1.0, 1.0, DEPTH_WEIGHT**2)).reshape(len(rows), -1)
    rows = rows.reshape(len(rows), -1)
    off = (shape_iod - reference_iod)[list(RIGID)].ravel()
    size, stretch = np.linalg.solve(weighted @ rows.T, weighted @ off)[-2:]
    return np.array([1.0 + size, 1.0 + size + stretch, 1.0 + size])


def _unposed(model: MorphableModel, base: F64, basis: F64, take: Take, seen: Seen) -> Shapes:
    """Every frame aligned to what the person's face would look like with the teacher's scores."""
    weights = model.rigidity.astype(np.float64)
    expected = base + np.einsum("te,enc->tnc", seen.scores, basis)
    shape = [align(e, p, weights).unproject(p) for e, p in zip(expected, seen.points_px, strict=True)]
    return Shapes(take, np.array(shape), seen.scores, seen.time_s)


def neutral_of(constants: FitConstants, basis: F64, shapes: Sequence[Shapes]) -> F64:
    """The neutral [478, 3] behind some takes: each emotion counts once, however many frames it has."""
    by_emotion: dict[str, list[F64]] = {}
    for take in shapes:
        rest = take.shape_iod - np.einsum("te,enc->tnc", take.scores, basis)
        by_emotion.setdefault(take.take.emotion, []).append(rest.mean(0))
    off = np.mean([np.mean(means, axis=0) for means in by_emotion.values()], axis=0) - constants.mean_iod
    coefficients = constants.identity_shrink * (constants.identity_basis @ off.ravel())
    return np.asarray(
        constants.mean_iod + (coefficients @ constants.identity_basis).reshape(LANDMARK_COUNT, 3)
    )


def by_emotion(person: Person) -> Mapping[str, list[Shapes]]:
    """A person's emotional takes by emotion."""
    groups: dict[str, list[Shapes]] = {}
    for shapes in person.emotional:
        groups.setdefault(shapes.take.emotion, []).append(shapes)
    return groups
