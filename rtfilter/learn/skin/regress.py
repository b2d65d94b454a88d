"""Log ratios on changes of coefficients: one set of maps for everybody, no person dominating.

Person p's own maps M_p differ from the common ones M (a random effect), so what one person tells saturates:

    M_p = M + D_p,  D_p ~ N(0, omega^2),  M ~ N(0, tau^2),  log ratio = a_p + M_p e + noise

a_p, the person's neutral, is profiled out: only what changes within a person counts. Per direction of the
person's own expressions, with eigenvalue l of their Gram matrix, evidence is l / (sigma^2 + omega^2 l).
Both sides of the face count alike: every frame is also seen in a mirror.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, MIRROR
from rtfilter.learn.skin.normalise import Grid, Ratios

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

MIRRORED: Final = list(MIRROR)
# Standard deviations, in log ratio (per coefficient of 1): of a texel of MOMENT frames' mean; of people
# around the common map; of the common map.
SIGMA: Final = 0.10
OMEGA: Final = 0.05
TAU: Final = 0.04
MOMENT: Final = (
    12  # frames of a take that count as one: half a second, in which the tracker's scatter averages out
)
SOFT: Final = 2.0 / 128  # of a side: people's folds lie apart


@dataclass(frozen=True)
class Evidence:
    """What one person tells, both sides alike; T texels.

    gram: float64 [52, 52], saturated. right: float64 [52, T]. seen: float64 [T], 0..1, how far it is seen.
    """

    name: str
    gram: F64
    right: F64
    seen: F64


def moments(frames: Ratios, expression: F64, takes: npt.NDArray[Any]) -> tuple[Ratios, F64]:
    """Means over MOMENT frames in a row of one take each. takes: [N], which take a frame is of."""
    groups = [
        rows[start : start + MOMENT]
        for take in dict.fromkeys(takes.tolist())
        for rows in [np.flatnonzero(takes == take)]
        for start in range(0, len(rows), MOMENT)
    ]
    weight = np.array([frames.weight[rows].sum(0) for rows in groups])
    total = np.array([(frames.weight[rows] * frames.log_ratio[rows]).sum(0) for rows in groups])
    means = (total / np.maximum(weight, 1e-3)).astype(np.float32)
    share = (weight / MOMENT).astype(np.float32)
    return Ratios(means, share, frames.neutral), np.array([expression[rows].mean(0) for rows in groups])


def evidence(name: str, frames: Ratios, expression: F64, mirror: npt.NDArray[np.intp]) -> Evidence:
    """Of one person's moments and their coefficients [N, 52]. mirror: int [T], a texel's other side."""
    weight = frames.weight.astype(np.float64)
    mean = (weight * frames.log_ratio).sum(0) / np.maximum(weight.sum(0), 1e-6)
    across = expression.T @ (weight * (frames.log_ratio - mean))
    seen, shown = weight.mean(0), weight.mean(1)
    usual = np.average(expression, axis=0, weights=shown + 1e-9)
    centred = (expression - usual) * np.sqrt(shown / max(float(seen.mean()), 1e-6))[:, None]
    gram = centred.T @ centred
    across = across / np.maximum(seen, 0.05)  # as if every moment showed it; `seen` says how far they do
    gram = gram + gram[np.ix_(MIRRORED, MIRRORED)]
    across = across + across[MIRRORED][:, mirror]
    power, axes = np.linalg.eigh(gram)
    power = np.maximum(power, 0.0)
    share = 1.0 / (SIGMA**2 + OMEGA**2 * power)
    seen = np.minimum(0.5 * (seen + seen[mirror]), 1.0)
    return Evidence(name, (axes * (power * share)) @ axes.T, (axes * share) @ (axes.T @ across), seen)


def softened(maps: F64, grid: Grid) -> F64:
    """Maps [52, T], averaged over neighbouring texels of skin."""
    sigma = SOFT * grid.size
    near = np.maximum(cv2.GaussianBlur(grid.inside.astype(np.float32), (0, 0), sigma), 0.1)
    textures = grid.spread(maps.astype(np.float32))
    return np.array([(cv2.GaussianBlur(t, (0, 0), sigma) / near)[grid.inside] for t in textures], np.float64)


def solve(people: Sequence[Evidence], tau: F64 | float = TAU) -> F64:
    """The common maps, float64 [52, T]. tau: standard deviation of a map, for all or float64 [52]."""
    count = people[0].seen.shape[0]
    prior = np.diag(1.0 / np.broadcast_to(np.asarray(tau, np.float64), (BLENDSHAPE_COUNT,)) ** 2)
    seen = np.array([person.seen for person in people])  # [P, T]
    grams = np.array([person.gram for person in people]).reshape(len(people), -1)
    right = sum(person.right * person.seen for person in people)
    out = np.empty((BLENDSHAPE_COUNT, count))
    for start in range(0, count, 512):
        part = slice(start, start + 512)
        left = (seen[:, part].T @ grams).reshape(-1, BLENDSHAPE_COUNT, BLENDSHAPE_COUNT) + prior
        out[:, part] = np.linalg.solve(left, np.asarray(right)[:, part].T[..., None])[..., 0].T
    return out
