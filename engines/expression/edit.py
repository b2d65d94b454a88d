"""The edit of a face as a graph: `rtfilter.face.edit.FaceEditor` for a batch.

Called by `expression.graph`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.engines.expression.values import Formula, Value
from rtfilter.face import edit as reference
from rtfilter.face import emotion, lids
from rtfilter.face.edit import VIEW_COUNT
from rtfilter.face.landmarks import (
    LANDMARK_COUNT,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    MOUTH_CORNER_LEFT,
    MOUTH_CORNER_RIGHT,
)
from rtfilter.face.mouth import (
    CLOSED_IOD,
    CLOSURE_STEPS,
    CORNER_ROWS,
    FULL_GAP_IOD,
    LEAST_WIDTH_IOD,
    LOWERED_ROWS,
    MIDDLE_ROWS,
    OPEN_SHARE,
    PAIRS,
    ROUNDED,
    ROWS,
    UNROUNDED,
    WIDE_ROWS,
    MouthGuard,
)
from rtfilter.face.smooth import OneEuro

F64 = npt.NDArray[np.float64]

_COUNTS = (BLENDSHAPE_COUNT, VIEW_COUNT)


@dataclass(frozen=True, slots=True)
class Motion:
    """One-Euro's value and slope, [B, 58] each: the target offset and the rotation's first two rows."""

    value: Value
    slope: Value


def target_offset(rising: Value, falling: Value, direct: Value, expression: Value) -> Value:
    """`emotion.Target.offset`: the target offset [B, 52] on top of `expression` [B, 52]."""
    room = emotion.LIMIT - expression
    more = rising * (1.0 - expression * emotion.DROPPED[None])
    most = (emotion.DIRECT_ROOM[None] - expression * emotion.IS_BLINK[None]).at_least(0.0)
    offset = (more / room).function("Tanh") * room - falling * expression + direct.at_most(most)
    blink, share = list(range(BLENDSHAPE_COUNT)), np.zeros((1, BLENDSHAPE_COUNT))
    for lid, lowered in zip(emotion.LIDS, emotion.BLINKS, strict=True):
        blink[lid], share[0, lid] = lowered, emotion.LID_SHARE
    return offset * (1.0 - expression.columns(blink) * share).clip(0.0, 1.0)


def smoothed(motion: Motion, held: Value, sample: Value, offset_cutoff_hz: Value, since_s: Value) -> Motion:
    """`OneEuro.step` on `sample` [B, 58]. held: [B, 1], 1 where there was a sample. since_s: [B, 1], raw."""
    euro = OneEuro()
    safe_s = since_s.clip(0.0, euro.gap_s)
    keep = held * (since_s >= 0.0).both(since_s <= euro.gap_s).number()
    off = sample - motion.value
    speed = off * ((safe_s > 0.0).number() / safe_s.at_least(1e-6))
    slope = motion.slope + (speed - motion.slope) * _share(safe_s * euro.slope_cutoff_hz)
    is_view = np.repeat((0.0, 1.0), _COUNTS)[None]
    cutoff_hz = offset_cutoff_hz * (1.0 - is_view) + reference.VIEW_CUTOFF_HZ * is_view
    cutoff_hz = (
        slope.function("Abs") * np.repeat((reference.OFFSET_BETA, reference.VIEW_BETA), _COUNTS)[None]
        + cutoff_hz
    )
    falls = (sample * motion.value < motion.value * motion.value).number()
    cutoff_hz = cutoff_hz * (1.0 - falls * np.repeat((1.0 - reference.OFFSET_FALL, 0.0), _COUNTS)[None])
    # keep 0: the sample as it comes, at rest.
    away = off * (1.0 - _share(cutoff_hz * safe_s)) * keep
    return Motion(sample - away, slope * keep)


def _share(cycles: Value) -> Value:
    """The weight of a new sample, for cut-off times interval."""
    reach = cycles * (2.0 * math.pi)
    return reach / (reach + 1.0)


def lid_room(neutral_iod: Value, mean_iod: F64) -> Value:
    """`lids.room`: the factor on an offset, [B, 52]. neutral_iod: [B, 1434]; mean_iod: [478, 3]."""
    opening = np.zeros((3 * LANDMARK_COUNT, 2))
    sides = ((lids.LEFT_UPPER, lids.LEFT_LOWER), (lids.RIGHT_UPPER, lids.RIGHT_LOWER))
    for side, (upper, lower) in enumerate(sides):
        opening[3 * lower + 1, side], opening[3 * upper + 1, side] = 1.0 / len(lower), -1.0 / len(upper)
    usual = np.maximum(lids.opening_iod(mean_iod), lids.LEAST_OPENING_IOD)
    ratio = neutral_iod @ np.asarray(opening / usual, np.float64)
    short = 1.0 - ratio.clip(lids.LEAST_ROOM, 1.0)
    return 1.0 - short @ np.stack([lids.LEFT, lids.RIGHT])


def guarded(guard: MouthGuard, offset: Value, shape_iod: Value, neutral_iod: Value, mouth: Value) -> Value:
    """`MouthGuard.solve`: the permitted offset [B, 52]. offset: [B, 52]; shapes: [B, 1434]; mouth: [B, 1].

    What the offset does to the lip gaps is carried along with it: each row of `[offset, change of gaps]`.
    """
    rows = len(guard.rows)
    seen: F64 = np.concatenate([np.eye(BLENDSHAPE_COUNT), guard.gap_rows.T, guard.rows.T], axis=1)
    state, speech = (offset @ seen).split(BLENDSHAPE_COUNT + PAIRS, rows)
    gaps = (shape_iod @ _gaps()).at_least(0.0)
    raised, lowered = openness(gaps, shape_iod, neutral_iod)
    permitted = raised * speech.at_least(0.0) + lowered * speech.at_most(0.0)
    taken: F64 = np.concatenate([guard.restore.T, (guard.gap_rows @ guard.restore).T], axis=1)
    state = state - (speech - permitted * (1.0 - mouth)) @ taken
    bound = gaps * OPEN_SHARE
    mended: F64 = np.concatenate([guard.repair.T, (guard.gap_rows @ guard.repair).T], axis=1)
    for _ in range(CLOSURE_STEPS):
        change = state.part(BLENDSHAPE_COUNT, BLENDSHAPE_COUNT + PAIRS)
        over = change - change.at_most(bound).at_least(-bound)
        state = state - over @ mended
    return state.part(0, BLENDSHAPE_COUNT)


def openness(gaps: Value, shape_iod: Value, neutral_iod: Value) -> tuple[Value, Value]:
    """`Lips.openness`: how much of each row emotion may raise and lower, [B, R]. gaps: [B, 9], >= 0."""
    width = np.zeros((3 * LANDMARK_COUNT, 1))
    width[3 * MOUTH_CORNER_LEFT], width[3 * MOUTH_CORNER_RIGHT] = 1.0, -1.0
    ratio = (shape_iod @ width) / (neutral_iod @ width).at_least(LEAST_WIDTH_IOD)
    wide = ((ratio - ROUNDED) * (1.0 / (UNROUNDED - ROUNDED))).clip(0.0, 1.0)
    full = ((gaps - CLOSED_IOD) * (1.0 / (FULL_GAP_IOD - CLOSED_IOD))).clip(0.0, 1.0)
    middle = full.part(PAIRS // 2, PAIRS // 2 + 1)
    # Products in place of a concatenation of many columns.
    raised = full @ np.eye(PAIRS, ROWS) + wide @ WIDE_ROWS[None] + middle @ MIDDLE_ROWS[None]
    return raised, raised * LOWERED_ROWS[None] + (1.0 - wide) @ CORNER_ROWS[None]


def _gaps() -> F64:
    """Shape [1434] to inner-lip gaps [9], a matrix."""
    gaps = np.zeros((3 * LANDMARK_COUNT, PAIRS))
    gaps[3 * np.array(LIPS_INNER_LOWER) + 1, range(PAIRS)] = 1.0
    gaps[3 * np.array(LIPS_INNER_UPPER) + 1, range(PAIRS)] = -1.0
    return gaps


def visibility(f: Formula, rotation: Value, inside: Value) -> Value:
    """How far the face can be edited, 0..1, [B, 1]. inside: [B, 1], share of the landmarks in the picture."""
    x, y, z = rotation.columns([2, 5, 8]).split(1, 1, 1)  # the head's own "away", a unit vector
    # Turned away from the camera, z is negative: the angle is 90 degrees or more, wherever x points.
    level = (1.0 - y * y).at_least(0.0).function("Sqrt")
    yaw_pitch = angle(
        f,
        f.joined(x.function("Abs").at_least(-z), y.function("Abs")),
        f.joined(z.at_least(1e-6), level.at_least(1e-6)),
    )
    angles = np.radians([reference.YAW_FADE_DEG, reference.PITCH_FADE_DEG])
    # Of each the span from where all is left to where nothing is.
    spans: F64 = np.vstack([angles, reference.INSIDE_FADE[::-1]]).T[:, None]
    start, end = (np.asarray(span, np.float64) for span in spans)
    left = ((end - f.joined(yaw_pitch, inside)) * (1.0 / (end - start))).clip(0.0, 1.0)
    return (left * left * (3.0 - left * 2.0)).reduce("ReduceProd", [1])


def angle(f: Formula, rise: Value, run: Value) -> Value:
    """atan2(rise, run) of values that are not negative, to 1e-6 radians.

    A polynomial, since ONNX Runtime has neither Atan nor Asin on CUDA, and runs a network as one graph only
    where it has all of it.
    """
    steep = rise > run
    ratio = rise.at_most(run) / rise.at_least(run)
    squared = ratio * ratio
    first, *others = _arctangent()[::-1]
    value = squared * first + others[0]
    for coefficient in others[1:]:
        value = value * squared + coefficient
    gentle = value * ratio
    return f.where(steep, 0.5 * math.pi - gentle, gentle)


@cache
def _arctangent(degree: int = 7) -> list[float]:
    """atan(t) / t as a polynomial in t squared, t in 0..1, lowest power first; off by 8e-8 at most."""
    squared = 0.5 - 0.5 * np.cos(np.linspace(0.0, np.pi, 400))  # denser at the ends, where polynomials stray
    ratio = np.sqrt(np.maximum(squared, 1e-12))
    powers = np.vander(squared, degree + 1, increasing=True)
    return [float(number) for number in np.linalg.lstsq(powers, np.arctan(ratio) / ratio, rcond=None)[0]]


def fade(strength: Value, target: Value, held: Value, fade_s: Value, since_s: Value) -> Value:
    """`FaceEditor._faded`: by how much the strength [B, 1] changes."""
    elapsed_s = since_s.clip(0.0, reference.LONGEST_STEP_S) * held
    at_once = (fade_s <= 0.0).number()
    reach = (elapsed_s / fade_s.at_least(1e-9)).at_least(at_once)
    return (target - strength).at_most(reach).at_least(-reach)
