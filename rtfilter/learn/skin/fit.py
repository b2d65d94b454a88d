"""Everybody's evidence to maps, and how far people agree on them.

Each person counts twice: with the coefficients that were seen, and with the offset that an edit makes for the
emotion that they show. The second ties the maps to their use: an edit asks for more of a frown than people
show in talk, and the first alone would extrapolate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.controls import EMOTIONS
from rtfilter.learn.skin.expressions import offset_of
from rtfilter.learn.skin.normalise import Grid
from rtfilter.learn.skin.proof import Person
from rtfilter.learn.skin.regress import Evidence, evidence, moments, softened, solve

F64 = npt.NDArray[np.float64]

SPLITS: Final = 6
NEAR: Final = 5.0 / 128  # of a side: over how far agreement is averaged
# Agreement, squared, shrinks the maps everywhere: a fold that people share stays, what some show goes. 1.4
# would give back the size that people show at level 3 of MEAD; an edit asks for more than that, and at this
# strength its folds read on ten people while skin stays skin.
STRENGTH: Final = 2.0


@dataclass(frozen=True)
class Told:
    """What each person tells, by name: by the coefficients seen, and by the emotions' offsets."""

    seen: Mapping[str, Evidence]
    asked: Mapping[str, Evidence]
    grid: Grid

    def maps(self, names: Iterable[str]) -> F64:
        """The common maps of some people, float64 [52, T]."""
        chosen = sorted(names)
        people = [group[n] for group in (self.seen, self.asked) for n in chosen if n in group]
        return softened(solve(people), self.grid)

    def agreed(self, names: Sequence[str]) -> F64:
        """The maps of some people, drawn to 0 where they do not agree."""
        return self.maps(names) * (STRENGTH * self.agreement(names) ** 2)

    def agreement(self, names: Sequence[str]) -> F64:
        """How far two halves of the people show the same under all emotions, float64 [T], 0..1.

        Their covariance over their mean power, averaged over random halves; for all of them by Spearman and
        Brown's formula.
        """
        random = np.random.default_rng(0)
        directions = np.array([offset_of(emotion) for emotion in EMOTIONS])
        both, power = np.zeros(self.grid.inside.sum()), np.zeros(self.grid.inside.sum())
        groups = [[n for n in names if n in self.asked], [n for n in names if n not in self.asked]]
        for _ in range(SPLITS):
            half = {str(n) for group in groups for n in random.permutation(group)[: len(group) // 2]}
            one, other = (directions @ self.maps(part) for part in (half, set(names) - half))
            both += (one * other).sum(0)
            power += 0.5 * (one**2 + other**2).sum(0)
        share = np.clip(self._near(both) / np.maximum(self._near(power), 1e-9), 0.0, 1.0)
        return np.asarray(2.0 * share / (1.0 + share))

    def _near(self, values: F64) -> F64:
        sigma = NEAR * self.grid.size
        inside = np.maximum(cv2.GaussianBlur(self.grid.inside.astype(np.float32), (0, 0), sigma), 0.1)
        spread = self.grid.spread(values.astype(np.float32))
        return np.asarray((cv2.GaussianBlur(spread, (0, 0), sigma) / inside)[self.grid.inside], np.float64)


def tell(people: Mapping[str, Person], grid: Grid, mirror: npt.NDArray[np.intp]) -> Told:
    """Everybody's evidence. mirror: int [T], each texel's other side."""
    seen, asked = {}, {}
    for name, person in people.items():
        frames, expression = moments(person.ratios, person.expression, person.takes)
        seen[name] = evidence(name, frames, expression, mirror)
        if len(set(person.emotions.tolist())) > 1:
            offsets = np.array([offset_of(emotion) for emotion in person.emotions])
            frames, expression = moments(person.ratios, offsets, person.takes)
            asked[name] = evidence(name, frames, expression, mirror)
    return Told(seen, asked, grid)
