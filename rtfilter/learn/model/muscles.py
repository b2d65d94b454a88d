"""The anatomical prior: every blendshape as muscle actions on the mean face.

Linear and sphincter muscles after Waters 1987 ("A muscle model for animating three-dimensional facial
expression"), with Gaussian falloff in place of his angular one, a hinge for the jaw and lids that
slide. Authored for the subject's left (x > 0) and mirrored. Units: inter-ocular distances, head frame
(x to the subject's left, y down, z away from the camera). Called by `learn.model.rigging`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX, mirrored_name
from rtfilter.face import landmarks as lm

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pull:
    """A linear muscle: skin around landmark `at` moves by `by`; Gaussian radii in x and y.

    `jaw`: +1 moves only what follows the jaw, -1 only what does not, 0 both.
    """

    at: int
    by: tuple[float, float, float]
    radius: tuple[float, float]
    jaw: int = 0


@dataclass(frozen=True)
class Squeeze:
    """A sphincter: skin within an ellipse moves towards its centre by `share`, and by `by` as a whole."""

    centre: tuple[int, ...]
    radius: tuple[float, float]
    share: tuple[float, float]
    by: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Jaw:
    """The mandible: `open_rad` about the axis through the condyles, and a slide."""

    open_rad: float = 0.0
    slide: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Lid:
    """The left eye's lids: shares of the opening that the upper and the lower one travel (+ closes)."""

    upper: float = 0.0
    lower: float = 0.0


@dataclass(frozen=True)
class Gaze:
    """The left iris: turn in IODs."""

    by: tuple[float, float]


Action = Pull | Squeeze | Jaw | Lid | Gaze

MOUTH = (*lm.LIPS_INNER_UPPER, *lm.LIPS_INNER_LOWER)
UP, LOW = -1, +1

# One side (left) or central. Amplitudes follow published ranges of motion: lip corner 7-10 mm in a full
# smile, brow 6-9 mm, against an outer-canthus distance of about 90 mm.
ACTIONS: dict[str, Sequence[Action]] = {
    "browDownLeft": (
        Pull(336, (-0.035, 0.07, -0.01), (0.13, 0.12)),
        Pull(334, (-0.02, 0.06, 0), (0.13, 0.10)),
    ),
    "browInnerUp": (Pull(336, (0.0, -0.10, 0.0), (0.12, 0.15)), Pull(107, (0.0, -0.10, 0.0), (0.12, 0.15))),
    "browOuterUpLeft": (
        Pull(334, (0.0, -0.085, 0.0), (0.15, 0.15)),
        Pull(300, (0.0, -0.05, 0.0), (0.1, 0.12)),
    ),
    "cheekPuff": (Pull(425, (0.06, 0, -0.06), (0.16, 0.16)), Pull(205, (-0.06, 0, -0.06), (0.16, 0.16))),
    "cheekSquintLeft": (Pull(347, (0.0, -0.045, -0.012), (0.18, 0.12)),),
    "eyeBlinkLeft": (Lid(upper=0.88, lower=0.10),),
    "eyeLookDownLeft": (Gaze((0.0, 0.035)), Lid(upper=0.30)),
    "eyeLookInLeft": (Gaze((-0.06, 0.0)),),
    "eyeLookOutLeft": (Gaze((0.06, 0.0)),),
    "eyeLookUpLeft": (Gaze((0.0, -0.035)), Lid(upper=-0.12)),
    "eyeSquintLeft": (Lid(upper=0.10, lower=0.28), Pull(347, (0, -0.02, 0), (0.15, 0.07))),
    "eyeWideLeft": (Lid(upper=-0.28, lower=-0.05),),
    "jawForward": (Jaw(slide=(0.0, 0.0, -0.07)),),
    "jawLeft": (Jaw(slide=(0.09, 0.0, 0.0)),),
    "jawOpen": (Jaw(open_rad=0.36),),
    "mouthClose": (Jaw(open_rad=0.0), Squeeze(MOUTH, (0.28, 0.28), (0.0, 0.35))),
    "mouthDimpleLeft": (Pull(291, (0.055, -0.005, 0.035), (0.14, 0.10)),),
    "mouthFrownLeft": (Pull(291, (0.012, 0.085, 0.01), (0.13, 0.12)),),
    "mouthFunnel": (
        Squeeze(MOUTH, (0.30, 0.22), (0.22, 0.0), (0.0, 0.0, -0.05)),
        Pull(0, (0, -0.03, -0.02), (0.16, 0.10), UP),
        Pull(17, (0, 0.04, -0.02), (0.16, 0.10), LOW),
    ),
    "mouthLeft": (Pull(0, (0.09, 0, 0), (0.30, 0.14)), Pull(17, (0.09, 0, 0), (0.30, 0.14))),
    "mouthLowerDownLeft": (Pull(405, (0.015, 0.06, 0), (0.13, 0.11), LOW),),
    "mouthPressLeft": (
        Pull(269, (0, 0.012, 0.01), (0.14, 0.07), UP),
        Pull(405, (0, -0.016, 0.01), (0.14, 0.07), LOW),
    ),
    "mouthPucker": (Squeeze(MOUTH, (0.32, 0.20), (0.38, 0.05), (0.0, 0.0, -0.06)),),
    "mouthRollLower": (Pull(17, (0, -0.05, 0.045), (0.20, 0.08), LOW),),
    "mouthRollUpper": (Pull(0, (0, 0.04, 0.04), (0.20, 0.07), UP),),
    "mouthShrugLower": (
        Pull(17, (0, -0.05, -0.03), (0.20, 0.12), LOW),
        Pull(18, (0, -0.05, 0), (0.16, 0.15), LOW),
    ),
    "mouthShrugUpper": (Pull(0, (0, -0.035, -0.025), (0.20, 0.09), UP),),
    "mouthSmileLeft": (
        Pull(291, (0.085, -0.085, 0.035), (0.14, 0.13)),
        Pull(425, (0.02, -0.055, -0.01), (0.16, 0.16)),
    ),
    "mouthStretchLeft": (Pull(291, (0.085, 0.03, 0.04), (0.15, 0.12)),),
    "mouthUpperUpLeft": (
        Pull(269, (0.01, -0.06, 0), (0.13, 0.10), UP),
        Pull(358, (0.01, -0.025, 0), (0.12, 0.12), UP),
    ),
    "noseSneerLeft": (
        Pull(358, (0.012, -0.05, 0), (0.10, 0.13), UP),
        Pull(351, (0, -0.025, 0), (0.10, 0.10), UP),
        Pull(336, (0, 0.02, 0), (0.10, 0.08)),
    ),
    "tongueOut": (),  # no landmark lies on the tongue
}


def jaw_weights(shape: F64) -> F64:
    """The share of the jaw's motion that each vertex takes, [N], 0..1; the lips part at the lip line."""
    y_mouth = 0.5 * (shape[lm.LIP_UPPER_INNER, 1] + shape[lm.LIP_LOWER_INNER, 1])
    y_chin = shape[lm.CHIN, 1]
    weights = _smoothstep((shape[:, 1] - y_mouth + 0.06) / (0.65 * (y_chin - y_mouth)))
    lateral = _smoothstep((0.62 - np.abs(shape[:, 0])) / 0.25)
    weights *= 0.35 + 0.65 * lateral
    for rows, value in ((_lip_rows(lower=True), 1.0), (_lip_rows(lower=False), 0.0)):
        for row in rows:
            taper = np.sin(np.linspace(0.12, np.pi - 0.12, len(row))) ** 0.7
            weights[list(row)] = 0.45 + (value - 0.45) * taper
    for corner in (*lm.LIPS_CORNER_LEFT, *lm.LIPS_CORNER_RIGHT):
        weights[corner] = 0.45
    weights[np.arange(len(shape)) >= lm.SURFACE_COUNT] = 0.0
    return weights


def build_prior(shape: F64, mirror: npt.NDArray[np.int32]) -> F64:
    """Blendshape displacements [52, N, 3] in IODs on the symmetric mean `shape` [N, 3]."""
    basis = np.zeros((BLENDSHAPE_COUNT, *shape.shape))
    jaw = jaw_weights(shape)
    for name, actions in ACTIONS.items():
        moved = np.sum([_displacement(action, shape, jaw) for action in actions], axis=0) if actions else 0.0
        basis[BLENDSHAPE_INDEX[name]] = moved
        other = mirrored_name(name)
        reflected = (basis[BLENDSHAPE_INDEX[name]] * (-1, 1, 1))[mirror]
        if other == name:
            basis[BLENDSHAPE_INDEX[name]] = 0.5 * (basis[BLENDSHAPE_INDEX[name]] + reflected)
        else:
            basis[BLENDSHAPE_INDEX[other]] = reflected
    return basis


def _displacement(action: Action, shape: F64, jaw: F64) -> F64:
    skin = (np.arange(len(shape)) < lm.SURFACE_COUNT)[:, None]
    if isinstance(action, Pull):
        share = {0: np.ones(len(shape)), UP: 1 - jaw, LOW: jaw}[action.jaw]
        fall = _gaussian(shape, shape[action.at], action.radius) * share
        return np.asarray(skin * fall[:, None] * np.array(action.by))
    if isinstance(action, Squeeze):
        centre = shape[list(action.centre)].mean(0)
        fall = _gaussian(shape, centre, action.radius)[:, None]
        inward = (centre - shape) * np.array([*action.share, 0.0])
        return np.asarray(skin * fall * (inward + np.array(action.by)))
    if isinstance(action, Jaw):
        condyle_y, condyle_z = shape[234, 1], shape[234, 2]
        y, z = shape[:, 1] - condyle_y, shape[:, 2] - condyle_z
        cos, sin = np.cos(action.open_rad), np.sin(action.open_rad)
        turned = np.stack([np.zeros(len(y)), cos * y - sin * z - y, sin * y + cos * z - z], axis=1)
        return np.asarray(jaw[:, None] * (turned + np.array(action.slide)))
    if isinstance(action, Lid):
        return _lid(action, shape)
    moved = np.zeros_like(shape)
    moved[list(lm.IRIS_LEFT), :2] = action.by
    return moved


def _lid(action: Lid, shape: F64) -> F64:
    upper, lower = list(lm.EYE_LEFT_UPPER), list(lm.EYE_LEFT_LOWER)
    opening = shape[lower] - shape[upper]
    moved = np.zeros_like(shape)
    # The skin next to a lid follows it, less with distance; inside the eye nothing but lids moves.
    for rim, travel in ((upper, action.upper * opening), (lower, -action.lower * opening)):
        outside = np.sign(shape[rim].mean(0)[1] - shape[upper + lower].mean(0)[1])
        offset = shape[:, None, :2] - shape[rim][None, :, :2]
        near = np.exp(-0.5 * ((offset[..., 0] / 0.04) ** 2 + (offset[..., 1] / 0.035) ** 2))
        share = near / np.maximum(near.sum(1, keepdims=True), 1.0)
        side = (shape[:, 1] - shape[upper + lower].mean(0)[1]) * outside > 0
        moved += (share * side[:, None]) @ travel
        moved[rim] = travel
    moved[lm.SURFACE_COUNT :] = 0.0
    return moved


def _gaussian(shape: F64, centre: F64, radius: tuple[float, float]) -> F64:
    x, y = (shape[:, 0] - centre[0]) / radius[0], (shape[:, 1] - centre[1]) / radius[1]
    return np.asarray(np.exp(-0.5 * (x * x + y * y)))


def _lip_rows(lower: bool) -> tuple[tuple[int, ...], ...]:
    if lower:
        return lm.LIPS_INNER_LOWER, lm.LIPS_WET_LOWER, lm.LIPS_MIDDLE_LOWER, lm.LIPS_OUTER_LOWER
    return lm.LIPS_INNER_UPPER, lm.LIPS_WET_UPPER, lm.LIPS_MIDDLE_UPPER, lm.LIPS_OUTER_UPPER


def _smoothstep(t: F64) -> F64:
    t = np.clip(t, 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))
