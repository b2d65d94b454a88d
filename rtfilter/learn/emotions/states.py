"""Sound states by the lips, and the alignment of two takes of one sentence.

No sound is needed: what is said is compared through how far the lips open and how wide they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm

F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

STATES: Final = ("rest", "closed", "open", "rounded")
CLOSED_SHARE: Final = 0.25  # of the person's median opening: at or below it lips are closed
CLOSED_IOD: Final = 0.02
REST_S: Final = 0.5  # lips that are closed for longer rest; in emphatic speech closures of 0.36 s were seen
ROUNDED_SHARE: Final = 0.2
SLOPE_WEIGHT: Final = 1.0
REACH: Final = 0.15  # the most that two takes may run apart, as a share of the longer one


@dataclass(frozen=True)
class Lips:
    """gap_iod: float64 [N], mean inner opening; width_iod: float64 [N], between the outer corners."""

    gap_iod: F64
    width_iod: F64


def lips(shape_iod: F64) -> Lips:
    """The lips of head-frame shapes [N, 478, 3]."""
    upper, lower = list(lm.LIPS_INNER_UPPER[2:7]), list(lm.LIPS_INNER_LOWER[2:7])
    gap = np.maximum(shape_iod[:, lower, 1] - shape_iod[:, upper, 1], 0.0).mean(1)
    across = shape_iod[:, lm.MOUTH_CORNER_LEFT, :2] - shape_iod[:, lm.MOUTH_CORNER_RIGHT, :2]
    return Lips(gap, np.linalg.norm(across, axis=1))


def states(mouth: Lips, time_s: F64) -> dict[str, Mask]:
    """Which frames are in which state; `speech` besides: all but `rest`. A frame may be in none or in two."""
    bar = max(CLOSED_IOD, CLOSED_SHARE * float(np.median(mouth.gap_iod)))
    shut = mouth.gap_iod <= bar
    rest = _long_runs(shut, time_s)
    speech = ~rest
    width = np.quantile(mouth.width_iod[speech], ROUNDED_SHARE) if speech.any() else 0.0
    middle = np.median(mouth.gap_iod[speech]) if speech.any() else 0.0
    return {
        "rest": rest,
        "closed": shut & speech,
        "open": speech & (mouth.gap_iod > max(middle, bar)),
        "rounded": speech & ~shut & (mouth.width_iod <= width),
        "speech": speech,
    }


def _long_runs(shut: Mask, time_s: F64) -> Mask:
    rest = np.zeros(len(shut), bool)
    if len(shut) < 2:
        return rest
    step_s = float(np.median(np.diff(time_s)))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], shut.astype(int), [0]])))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        rest[start:end] = (end - start) * step_s >= REST_S
    return rest


def align_lips(one: Lips, other: Lips) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The frames of two takes of one sentence that belong together: a monotone path, both ends included.

    Dynamic time warping (Sakoe, Chiba 1978) on opening, width and their slopes, each over its own spread, so
    that a wider or larger mouth does not count as another sound.
    """
    a, b = _features(one), _features(other)
    cost = np.linalg.norm(a[:, None] - b[None], axis=2)
    rows, columns = cost.shape
    apart = np.abs(np.arange(rows)[:, None] / max(rows - 1, 1) - np.arange(columns) / max(columns - 1, 1))
    cost = np.where(apart <= REACH, cost, 1e6)
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for i in range(rows):
        for j in range(columns):
            # A step that holds one take still costs a little more than one in which both go on.
            before = min(total[i, j], total[i, j + 1] + 0.3, total[i + 1, j] + 0.3)
            total[i + 1, j + 1] = cost[i, j] + before
    i, j, path = rows, columns, []
    while i > 0 and j > 0:
        path.append((i - 1, j - 1))
        choices = (total[i - 1, j - 1], total[i - 1, j] + 0.3, total[i, j - 1] + 0.3)
        step = int(np.argmin(choices))
        i, j = i - (step != 2), j - (step != 1)
    first, second = np.array(path[::-1]).T
    return first, second


def _features(mouth: Lips) -> F64:
    columns = []
    for series in (mouth.gap_iod, mouth.width_iod):
        scaled = (series - series.mean()) / max(float(series.std()), 1e-6)
        columns += [scaled, SLOPE_WEIGHT * np.gradient(scaled) if len(scaled) > 1 else np.zeros_like(scaled)]
    return np.stack(columns, axis=1)
