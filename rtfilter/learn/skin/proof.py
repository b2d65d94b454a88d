"""What maps are worth on a person who was left out: predicted against real change of the light of skin.

Called by `learn.skin.build`. Compared are means over a feeling's frames, less the mean over the neutral
ones; for whoever has no neutral takes, less the mean over their other feelings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rtfilter.face.uv import FOLDS
from rtfilter.learn.emotions.sources import NEUTRAL
from rtfilter.learn.skin.assemble import edges
from rtfilter.learn.skin.expressions import offset_of
from rtfilter.learn.skin.normalise import Grid, Ratios
from rtfilter.render.unwrap import fold_mask

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

SEEN: Final = 0.3  # weight from which a texel is compared
LEAST_TEXELS: Final = 30
LEAST_FRAMES: Final = 3


@dataclass(frozen=True)
class Person:
    """One person's frames: log ratios, coefficients float64 [N, 52], and frames' emotions and takes [N]."""

    name: str
    ratios: Ratios
    expression: F64
    emotions: npt.NDArray[Any]
    takes: npt.NDArray[Any]


@dataclass(frozen=True)
class Change:
    """A real change of log light [T], its weight [T], and the changes of coefficients [52] that predict it.

    seen: of the person's own coefficients. asked: of the offsets that an edit makes for the same emotions.
    """

    real: F64
    weight: F64
    seen: F64
    asked: F64


def prove(people: Mapping[str, Person], maps_without: Callable[[str], F64], grid: Grid) -> dict[str, Any]:
    """By person and emotion, `seen` and `asked`: scores over all skin and in each region of FOLDS."""
    share = edges(grid)[grid.inside]
    found: dict[str, Any] = {}
    for name, person in people.items():
        changes = compared(person)
        if changes:
            maps = maps_without(name)
            found[name] = {
                emotion: {
                    how: _scores(change, predictor @ maps, share, grid)
                    for how, predictor in (("seen", change.seen), ("asked", change.asked))
                }
                for emotion, change in changes.items()
            }
    return found


def compared(person: Person) -> dict[str, Change]:
    """What each emotion changes, against neutral, or against the person's other emotions."""
    kinds = sorted(set(person.emotions.tolist()))
    found = {}
    for kind in kinds:
        here = person.emotions == kind
        there = person.emotions == NEUTRAL if NEUTRAL in kinds else ~here
        if kind != NEUTRAL and min(here.sum(), there.sum()) >= LEAST_FRAMES:
            one, other = _mean(person, here), _mean(person, there)
            weight = np.minimum(one.weight, other.weight)
            found[kind] = Change(
                one.real - other.real, weight, one.seen - other.seen, one.asked - other.asked
            )
    return found


def _mean(person: Person, which: npt.NDArray[np.bool_]) -> Change:
    weight = person.ratios.weight[which].astype(np.float64)
    total = np.maximum(weight.sum(0), 1e-3)
    real = (weight * person.ratios.log_ratio[which]).sum(0) / total
    asked = np.mean([offset_of(emotion) for emotion in person.emotions[which]], axis=0)
    return Change(real, weight.mean(0), person.expression[which].mean(0), asked)


def _scores(change: Change, predicted: F64, share: F32, grid: Grid) -> dict[str, dict[str, float]]:
    real, weight = change.real, change.weight
    regions = {"skin": np.ones(len(real), bool)}
    regions |= {name: fold_mask(name, grid.size)[grid.inside] > 0.5 for name in FOLDS}
    found = {}
    for name, inside in regions.items():
        kept = inside & (weight > SEEN) & (share > 0.1)
        if kept.sum() >= LEAST_TEXELS:
            found[name] = _score(real[kept], predicted[kept], (weight * share)[kept])
    return found


def _score(real: F64, predicted: F64, weight: F64) -> dict[str, float]:
    """r: weighted correlation. explained: 1 - |real - predicted|^2 / |real|^2; below 0 is worse than no map.

    gain: slope of the real change on the predicted one, 1 where the size is right.
    """
    total = weight.sum()
    a, b = real - (weight @ real) / total, predicted - (weight @ predicted) / total
    across, power = float(weight @ (a * b)), float(weight @ (b * b))
    spread = float(weight @ (a * a))
    explained = 1.0 - float(weight @ (real - predicted) ** 2) / max(float(weight @ real**2), 1e-12)
    return {
        "r": round(across / max((power * spread) ** 0.5, 1e-12), 3),
        "explained": round(explained, 3),
        "gain": round(across / max(power, 1e-12), 2),
    }
