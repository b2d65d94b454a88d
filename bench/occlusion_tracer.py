"""Closed lines of strongest ridges, between pixels: the tracer of rims of glasses. Called by
`bench.occlusion_rims`.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.system.arrays import U8

F64 = npt.NDArray[np.float64]

ANGLES: Final = np.linspace(0.0, 2 * np.pi, 120, endpoint=False)
STEP_PX: Final = 0.5
_FINE_PX: Final = 1.3  # sigma of a ridge
_STIFF: Final = 0.15  # what a step of the line's radius costs


def ways() -> F64:
    return np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def normals_of(line: F64) -> F64:
    along = np.roll(line, -1, 0) - np.roll(line, 1, 0)
    across = np.stack([along[:, 1], -along[:, 0]], axis=1)
    return np.asarray(across / np.linalg.norm(across, axis=1, keepdims=True))


def ridges(rgb: U8, places: F64) -> F64:
    """Second difference of luma along the last axis but one of places [A, S, 2]: above 0 is a dark line."""
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    maps = [np.ascontiguousarray(places[..., c] - 0.5, np.float32) for c in range(2)]
    values = cv2.remap(luma, maps[0], maps[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(values, (0, 0), sigmaX=_FINE_PX / STEP_PX, sigmaY=0.6)
    padded = np.pad(soft, ((0, 0), (2, 2)), mode="edge").astype(np.float64)
    return np.asarray(padded[:, :-4] - 2.0 * padded[:, 2:-2] + padded[:, 4:])


def even(strength: F64) -> F64:
    """Strengths of ridges as 0..1.5, so that no glint outweighs a rim."""
    return np.asarray(np.clip(strength / max(float(np.percentile(strength, 92)), 1e-6), 0.0, 1.5))


def closed_line(strength: F64) -> npt.NDArray[np.int64]:
    """Of each row a place, so that their strengths are most and neighbours' places near; closed, int [A].

    Twice around by dynamic programming; the second half's line closes.
    """
    rows, width = strength.shape
    twice = np.concatenate([strength, strength])
    steps = np.arange(-2, 3)
    best, back = twice[0].copy(), np.zeros((2 * rows, width), np.int64)
    for row in range(1, 2 * rows):
        padded = np.pad(best, 2, constant_values=-np.inf)
        choices = np.stack([padded[2 + s : 2 + s + width] - _STIFF * abs(s) for s in steps])
        back[row] = choices.argmax(0)
        best = choices.max(0) + twice[row]
    path = np.zeros(2 * rows, np.int64)
    path[-1] = int(best.argmax())
    for row in range(2 * rows - 1, 0, -1):
        path[row - 1] = path[row] + steps[back[row, path[row]]]
    middle = rows // 2
    return np.concatenate([path[rows : rows + middle], path[middle:rows]])


def fine(places: F64, ridge: F64, at: npt.NDArray[np.int64]) -> F64:
    """Between the steps: the top of a parabola through three values."""
    inner = np.clip(at, 1, ridge.shape[1] - 2)
    rows = np.arange(len(inner))
    left, middle, right = (ridge[rows, inner + s] for s in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.where(bend < -1e-9, 0.5 * (left - right) / np.where(bend < -1e-9, bend, 1.0), 0.0)
    return np.asarray(places[inner] + np.clip(shift, -1.0, 1.0) * STEP_PX)
