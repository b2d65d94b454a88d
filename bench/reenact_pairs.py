"""Which frames `bench reenact` compares: pairs of near pose and different expression, always the same.

Called by `bench.reenact`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.bench.reenact_footage import Clip, Seen
from rtfilter.controls import BLENDSHAPE_INDEX
from rtfilter.errors import InputError
from rtfilter.face import landmarks as lm
from rtfilter.face.model import MorphableModel

F64 = npt.NDArray[np.float64]

POSE_LIMIT_DEG: Final = 4.0  # between the two heads; a similarity aligns the rest
ACROSS_LIMIT_DEG: Final = 8.0  # of two takes, in which heads are seldom held alike
SCALE_LIMIT: Final = 1.12
LEAST_CHANGE_IOD: Final = 0.01  # root mean square over the landmarks
BLINK: Final = 0.45  # lids further down than this: the filter never edits blinks
CANDIDATES: Final = 200
APART_S: Final = 0.1  # nearer frames show the same
USES: Final = 2  # of frames that show the same
STILL_COST: Final = 1.0
BAND: Final = 0.25


@dataclass(frozen=True, slots=True)
class Pair:
    """Frame `a` is edited to the expression of frame `b`. change_iod: how far that moves landmarks."""

    a: Seen
    b: Seen
    clip_a: Clip
    clip_b: Clip
    change_iod: float
    turn_deg: float


def pairs_within(clip: Clip, count: int, model: MorphableModel) -> list[Pair]:
    """At most `count` pairs of the tested part of a clip, the largest changes first.

    Every other pair goes from the stronger expression to the quieter one. Raises InputError without any.
    """
    seen = [one for one in _thinned(clip.tested) if _eyes_open(one)]
    if len(seen) < 2:
        raise InputError(f"{clip.path}: {len(seen)} frame with open eyes in its tested part, expected more")
    shapes = _moved(seen, model)
    turn, scale = _turns(seen, seen), _scales(seen, seen)
    change = np.sqrt(np.maximum(_squares(shapes, shapes), 0.0))
    fits = (turn <= POSE_LIMIT_DEG) & (np.maximum(scale, 1 / scale) <= SCALE_LIMIT)
    score = np.where(np.triu(fits, 1) & (change >= LEAST_CHANGE_IOD), change, 0.0)
    chosen: list[Pair] = []
    used: list[float] = []
    for flat in np.argsort(-score, axis=None, kind="stable"):
        i, j = np.unravel_index(int(flat), score.shape)
        if score[i, j] == 0.0 or len(chosen) == count:
            break
        one, other = seen[int(i)], seen[int(j)]
        if any(sum(abs(time_s - each.time_s) < APART_S for time_s in used) >= USES for each in (one, other)):
            continue
        used += [one.time_s, other.time_s]
        quiet, strong = sorted((one, other), key=lambda each: float(np.square(each.face.expression).sum()))
        a, b = (quiet, strong) if len(chosen) % 2 == 0 else (strong, quiet)
        chosen.append(Pair(a, b, clip, clip, float(change[i, j]), float(turn[i, j])))
    if not chosen:
        raise InputError(
            f"{clip.path}: no two frames with poses within {POSE_LIMIT_DEG:g} degrees and different "
            "expressions in its tested part: give a clip of a person who talks"
        )
    return chosen


def pairs_across(neutral: Clip, feeling: Clip, count: int, model: MorphableModel) -> list[Pair]:
    """At most `count` pairs from a take to another take of the same sentence, matched by the mouth's motion.

    Time warping runs over the whole takes; pairs are of the tested parts, the nearest poses first.
    """
    path = warp(lip_motion(neutral.seen), lip_motion(feeling.seen))
    found: list[Pair] = []
    for i, j in path:
        a, b = neutral.seen[i], feeling.seen[j]
        if a.number < neutral.test_from or b.number < feeling.test_from:
            continue
        if not (_eyes_open(a) and _eyes_open(b)):
            continue
        turn, scale = float(_turns([a], [b])[0, 0]), float(_scales([a], [b])[0, 0])
        if turn <= ACROSS_LIMIT_DEG and max(scale, 1 / scale) <= SCALE_LIMIT:
            change = float(np.sqrt(max(_squares(_moved([a], model), _moved([b], model))[0, 0], 0.0)))
            found.append(Pair(a, b, neutral, feeling, change, turn))
    chosen: list[Pair] = []
    for pair in sorted(found, key=lambda each: each.turn_deg):
        near = any(
            abs(pair.a.time_s - each.a.time_s) < APART_S / 2
            or abs(pair.b.time_s - each.b.time_s) < APART_S / 2
            for each in chosen
        )
        if not near and len(chosen) < count:
            chosen.append(pair)
    if not chosen:
        raise InputError(
            f"{neutral.path}, {feeling.path}: no matched frames with poses within {ACROSS_LIMIT_DEG:g} "
            "degrees: give two takes of one sentence by one person"
        )
    return chosen


def lip_motion(seen: Sequence[Seen]) -> F64:
    """Gap and width of the inner lips and their speeds, float64 [N, 4], each of mean 0 and deviation 1."""
    shape = np.array([one.face.shape_iod for one in seen])
    gap = (shape[:, list(lm.LIPS_INNER_LOWER), 1] - shape[:, list(lm.LIPS_INNER_UPPER), 1]).mean(1)
    width = shape[:, lm.INNER_CORNER_LEFT, 0] - shape[:, lm.INNER_CORNER_RIGHT, 0]
    places = np.stack([gap, width], axis=1)
    speeds = np.gradient(places, axis=0) if len(places) > 1 else np.zeros_like(places)
    features = np.concatenate([places, speeds], axis=1)
    return np.asarray((features - features.mean(0)) / np.maximum(features.std(0), 1e-9))


def warp(own: F64, other: F64) -> list[tuple[int, int]]:
    """The cheapest monotone path through features [A, F] and [B, F]; each step moves on by 0 or 1 in both.

    Steps in which one stands still cost STILL_COST more; a path stays within BAND of the diagonal.
    """
    rows, columns = len(own), len(other)
    local = np.sqrt(np.maximum(_squares(own[:, None], other[:, None]), 0.0))
    across = np.abs(np.arange(rows)[:, None] / max(rows - 1, 1) - np.arange(columns) / max(columns - 1, 1))
    local[across > max(BAND, 2.0 / min(rows, columns))] = np.inf
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for i in range(rows):
        for j in range(columns):
            still = min(total[i, j + 1], total[i + 1, j]) + STILL_COST
            total[i + 1, j + 1] = local[i, j] + min(total[i, j], still)
    path, i, j = [(rows - 1, columns - 1)], rows, columns
    while (i, j) != (1, 1):
        steps = [
            (total[i - 1, j - 1], i - 1, j - 1),
            (total[i - 1, j] + STILL_COST, i - 1, j),
            (total[i, j - 1] + STILL_COST, i, j - 1),
        ]
        _, i, j = min(steps, key=lambda each: each[0])
        path.append((i - 1, j - 1))
    return path[::-1]


def _thinned(seen: Sequence[Seen]) -> list[Seen]:
    step = -(-len(seen) // CANDIDATES)
    return list(seen[::step])


def _eyes_open(one: Seen) -> bool:
    sides = ("Left", "Right")
    return max(float(one.face.expression[BLENDSHAPE_INDEX[f"eyeBlink{side}"]]) for side in sides) < BLINK


def _moved(seen: Sequence[Seen], model: MorphableModel) -> F64:
    """What expressions do to the surface: float64 [N, 468, 3], IODs."""
    return np.array(
        [model.displacement_iod(one.face.expression)[: lm.SURFACE_COUNT] for one in seen], np.float64
    )


def _squares(own: F64, other: F64) -> F64:
    """Sum over coordinates, mean over points of the squared differences: [A, P, C], [B, P, C] to [A, B]."""
    points = own.shape[1]
    a, b = own.reshape(len(own), -1), other.reshape(len(other), -1)
    return np.asarray(((a * a).sum(1)[:, None] + (b * b).sum(1) - 2.0 * (a @ b.T)) / points)


def _turns(own: Sequence[Seen], other: Sequence[Seen]) -> F64:
    """Angles between heads in degrees [A, B], in-plane turns left out: a similarity undoes those."""
    a = np.array([one.face.pose.rotation[2] for one in own])
    b = np.array([one.face.pose.rotation[2] for one in other])
    return np.asarray(np.degrees(np.arccos(np.clip(a @ b.T, -1.0, 1.0))))


def _scales(own: Sequence[Seen], other: Sequence[Seen]) -> F64:
    a = np.array([one.face.pose.scale_px_per_iod for one in own])
    b = np.array([one.face.pose.scale_px_per_iod for one in other])
    return np.asarray(a[:, None] / b[None])
