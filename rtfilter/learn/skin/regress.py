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
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, MIRROR
from rtfilter.learn.skin.normalise import Ratios

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

MIRRORED: Final = list(MIRROR)
# Standard deviations, in log ratio (per coefficient of 1): of a frame's texel, as frames in a row err together;
# of people around the common map; of the common map.
SIGMA: Final = 0.15
OMEGA: Final = 0.10
TAU: Final = 0.08


@dataclass(frozen=True)
class Evidence:
    """What one person tells, both sides alike; T texels.

    gram: float64 [52, 52], saturated. right: float64 [52, T]. seen: float64 [T], 0..1, how far each texel is seen.
    """

    name: str
    gram: F64
    right: F64
    seen: F64


def evidence(name: str, frames: Ratios, expression: F64, mirror: npt.NDArray[np.intp]) -> Evidence:
    """Of one person's frames and their coefficients float64 [N, 52]. mirror: int [T], each texel's other side."""
    weight = frames.weight.astype(np.float64)
    total = np.maximum(weight.sum(0), 1e-6)
    mean_e = (weight.T @ expression) / total[:, None]  # [T, 52]: what was seen where
    mean_y = (weight * frames.log_ratio).sum(0) / total
    centred = weight * (frames.log_ratio - mean_y)
    across = expression.T @ centred  # sum w e (y - mean): mean_e drops out, as the rest sums to 0
    seen = weight.mean(0)
    usual = np.average(expression, axis=0, weights=weight.mean(1) + 1e-9)
    spread = (expression - usual) * np.sqrt(weight.mean(1))[:, None] / np.sqrt(max(seen.mean(), 1e-6))
    gram = spread.T @ spread
    across = across / np.maximum(seen, 0.05)  # as if all frames had shown it; `seen` says how far they did
    del mean_e
    gram = gram + gram[np.ix_(MIRRORED, MIRRORED)]
    across = across + across[MIRRORED][:, mirror]
    power, axes = np.linalg.eigh(gram)
    power = np.maximum(power, 0.0)
    share = 1.0 / (SIGMA**2 + OMEGA**2 * power)
    return Evidence(
        name,
        (axes * (power * share)) @ axes.T,
        (axes * share) @ (axes.T @ across),
        np.minimum(0.5 * (seen + seen[mirror]), 1.0),
    )


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
