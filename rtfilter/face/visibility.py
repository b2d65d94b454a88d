"""How much of an edit each landmark keeps: parts of the face that are covered, and its half turned away.

Two shares multiply. A part that something lies over lets go of its edit, and its neighbours do by degrees. On
a turned head, landmarks whose skin faces away from the camera let go: their places are guesses, and at the
far outline the edit would bend the background. What is still seen keeps all of it. Called by `face.edit`;
`engines.expression.visibility` has the same arithmetic as a graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.face import landmarks as lm
from rtfilter.face.dense import vertex_normals
from rtfilter.face.model import MorphableModel
from rtfilter.face.uv import outwards

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

# The subject's own sides. Forehead and temples belong to the brows.
PARTS: Final = (
    "brow_right", "brow_left", "eye_right", "eye_left", "nose", "cheek_right", "cheek_left", "mouth", "chin",
)  # fmt: skip
PART_COUNT: Final = len(PARTS)
ALL_PARTS: Final = np.ones(PART_COUNT, np.float32)  # nothing is covered
ALL_PARTS.flags.writeable = False
_ALL_LANDMARKS: Final = np.ones(lm.LANDMARK_COUNT, np.float32)
_ALL_LANDMARKS.flags.writeable = False
_ALL_COEFFICIENTS: Final = np.ones(BLENDSHAPE_COUNT, np.float32)
_ALL_COEFFICIENTS.flags.writeable = False

BLEND_IOD: Final = 0.06  # width over which one part becomes the next
# Nothing of the edit is left at the outline of the half that is turned away, and all of it this far within.
# Where the skin itself faces away (cosine to the line of sight), nothing is left either.
OUTLINE_IOD: Final = (0.03, 0.26)
FACING: Final = (0.0, 0.25)
# Sine of the yaw from which landmarks begin to let go, and where they do so fully: 20 and 30 degrees. A
# frontal face keeps all of it at its outline too. (A nodding head hides its chin before its neck, not before
# the room: it fades as a whole, `face.edit`.)
FRONTAL: Final = (0.345, 0.5)
SMOOTH_IOD: Final = 0.2  # normals are averaged over this width
# Steps of the table over the direction of the head's "away", in the camera's line of sight: columns for yaw,
# rows for pitch. Between them linear, which is smooth in time as a head turns.
STEP_X: Final = 0.1145
STEP_Y: Final = 0.342
NODES_X: Final = np.arange(-8, 9)
NODES_Y: Final = np.arange(-2, 3)
_FRONTAL_NODE: Final = int(FRONTAL[0] / STEP_X)  # up to this one all is kept
_ROW_IOD: Final = 0.04  # rows in which the outline is looked for, and how many to either side count
_ROWS_ASIDE: Final = 3

_NOSE: Final = (1, 2, 4, 5, 6, 19, 94, 168, 195, 197, 48, 64, 98, 115, 278, 294, 327, 344)
_CHEEK_RIGHT: Final = (50, 101, 123, 147, 187, 192, 205, 207, 213, 214)
_CHIN: Final = (152, 148, 377, 175, 199, 200, 176, 400, 171, 396, 208, 428)
# Landmarks that must keep one share: both edges of a brow, both rims of the lips.
_TOGETHER: Final = (
    (lm.BROW_RIGHT_UPPER, lm.BROW_RIGHT_LOWER),
    (lm.BROW_LEFT_UPPER, lm.BROW_LEFT_LOWER),
    (lm.LIPS_INNER_UPPER, lm.LIPS_INNER_LOWER),
    (lm.LIPS_WET_UPPER, lm.LIPS_WET_LOWER),
)


@lru_cache(maxsize=1)
def part_weights() -> F32:
    """How much of each landmark belongs to each of PARTS, float32 [478, P], read-only.

    Rows sum to 1. Smooth over the face mesh, and mirror-symmetric.
    """
    model = MorphableModel.builtin()
    mean = model.mean_iod.astype(np.float64)
    anchors = _anchors(model.mirror)
    apart = np.stack(
        [np.linalg.norm(mean[:, None] - mean[rows], axis=2).min(1) for rows in anchors.values()], axis=1
    )
    nearest = apart.min(1, keepdims=True)
    weights = np.exp(-0.5 * (np.square(apart) - np.square(nearest)) / BLEND_IOD**2)
    weights = _together(weights / weights.sum(1, keepdims=True)).astype(np.float32)
    weights.flags.writeable = False
    return weights


def part_shares(parts: F32) -> F32:
    """What is left of the edit at every landmark, float32 [478], 0..1; exactly 1 where all parts are 1.

    parts: float32 [P], 0..1, how much of the edit each part keeps.
    """
    if (parts == 1.0).all():
        return _ALL_LANDMARKS
    return np.asarray(1.0 - np.einsum("np,p->n", part_weights(), 1.0 - parts), np.float32)


@dataclass(frozen=True)
class Visibility:
    """What a face model adds: which landmarks a turned head hides, and which parts its coefficients move.

    table: float32 [X * Y, 478], the share of the edit that each landmark keeps, by NODES_X and NODES_Y.
    coefficient_parts: float32 [52, P], how much of each coefficient's motion each part has; rows sum to 1.
    """

    table: F32
    coefficient_parts: F32

    @classmethod
    def of(cls, model: MorphableModel) -> Visibility:
        power = np.square(model.edit_basis.astype(np.float64)).sum(2) @ part_weights()
        still = power.sum(1) <= 0.0  # coefficients that move nothing, such as the tongue's
        power[still] = 1.0
        shares = (power / power.sum(1, keepdims=True)).astype(np.float32)
        return cls(_table(model), shares)

    def turned(self, view: F64) -> F32:
        """What a turned head leaves of the edit at every landmark, float32 [478], 0..1.

        view: float64 [6], the first two rows of the pose's rotation.
        """
        xx, xy, xz, yx, yy, yz = view.tolist()
        across, along = xy * yz - xz * yy, xz * yx - xx * yz
        if abs(across) <= _FRONTAL_NODE * STEP_X:
            return _ALL_LANDMARKS
        x = np.maximum(1.0 - np.abs(np.clip(across / STEP_X, NODES_X[0], NODES_X[-1]) - NODES_X), 0.0)
        y = np.maximum(1.0 - np.abs(np.clip(along / STEP_Y, NODES_Y[0], NODES_Y[-1]) - NODES_Y), 0.0)
        near = np.outer(x, y).ravel().astype(np.float32)
        return np.asarray(1.0 - np.einsum("k,kn->n", near, 1.0 - self.table), np.float32)

    def coefficients(self, parts: F32) -> F32:
        """What is left of each coefficient in the skin's maps, float32 [52]; exactly 1 for ALL_PARTS."""
        if (parts == 1.0).all():
            return _ALL_COEFFICIENTS
        kept = np.einsum("ep,p->e", self.coefficient_parts, 1.0 - parts)
        return np.asarray(1.0 - kept, np.float32).reshape(BLENDSHAPE_COUNT)


def _table(model: MorphableModel) -> F32:
    """`Visibility.table`: of the mean face, seen from every direction."""
    mean = model.mean_iod.astype(np.float64)
    sharp = vertex_normals(model.mean_iod, outwards(model.triangles)).astype(np.float64)
    apart = np.linalg.norm(mean[:, None] - mean, axis=2)
    normals = np.exp(-0.5 * np.square(apart / SMOOTH_IOD)) @ sharp
    # The triangles are not quite symmetric.
    normals = normals + normals[model.mirror] * np.array([-1.0, 1.0, 1.0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    table = np.ones((len(NODES_X), len(NODES_Y), lm.LANDMARK_COUNT))
    for i, x in enumerate(NODES_X * STEP_X):
        turned = float(smooth_step(abs(x), FRONTAL))
        for j, y in enumerate(NODES_Y * STEP_Y if turned > 0.0 else ()):
            away = np.array([x, y, np.sqrt(max(1.0 - x * x - y * y, 0.0))])
            away /= np.linalg.norm(away)
            seen = smooth_step(_within(mean, away), OUTLINE_IOD) * smooth_step(-(normals @ away), FACING)
            table[i, j] = 1.0 - turned * (1.0 - _together(seen))
    return table.reshape(-1, lm.LANDMARK_COUNT).astype(np.float32)


def _within(mean: F64, away: F64) -> F64:
    """How far each landmark lies within the outline of the half that is turned away, [478], in IODs as seen.

    away: the line of sight in the head frame, a unit vector.
    """
    right = np.array([away[2], 0.0, -away[0]]) / max(float(np.hypot(away[0], away[2])), 1e-9)
    across = np.sign(away[0]) * (mean @ right)
    row = np.round((mean @ np.cross(away, right)) / _ROW_IOD).astype(int)
    row -= row.min() - _ROWS_ASIDE
    outline = np.full(row.max() + 1 + _ROWS_ASIDE, -np.inf)
    np.maximum.at(outline, row, across)
    around = np.stack([np.roll(outline, k) for k in range(-_ROWS_ASIDE, _ROWS_ASIDE + 1)]).max(0)
    return np.asarray(around[row] - across, np.float64)


def _anchors(mirror: npt.NDArray[np.int32]) -> dict[str, npt.NDArray[np.int64]]:
    """Landmarks in the middle of each part."""
    right = {
        "brow": (*lm.BROW_RIGHT_UPPER, *lm.BROW_RIGHT_LOWER),
        "eye": (*lm.EYE_RIGHT_OUTLINE, *lm.IRIS_RIGHT),
        "cheek": _CHEEK_RIGHT,
    }
    rows: dict[str, tuple[int, ...]] = {"nose": _NOSE, "chin": _CHIN}
    rows["mouth"] = tuple(
        index for name, part in vars(lm).items() if name.startswith("LIPS_") for index in part
    )
    for name, part in right.items():
        rows[f"{name}_right"] = part
        rows[f"{name}_left"] = tuple(mirror[list(part)].tolist())
    return {name: np.array(rows[name], np.int64) for name in PARTS}


def _together(values: F64) -> F64:
    """The mean over each pair of _TOGETHER, in place of both."""
    out = values.copy()
    for one, other in _TOGETHER:
        rows = np.array([one, other])
        out[rows] = values[rows].mean(0)
    return out


def smooth_step(value: npt.ArrayLike, span: tuple[float, float]) -> F64:
    """0 before the span, 1 after it, smooth between; float64 of the value's shape."""
    t = np.clip((np.asarray(value, np.float64) - span[0]) / (span[1] - span[0]), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float64)
