"""Textures of one person to what expression did to the light of their skin: log ratios to their own neutral.

Taken out of every frame, by one robust least squares: exposure and light (smooth functions of the
neutral's normals, so that a turned head or a lamp changes nothing), and what slid under the landmarks (the
neutral's own gradient times a smooth displacement: brows and moles are no folds).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.face.dense import vertex_normals
from rtfilter.face.model import MorphableModel
from rtfilter.render.unwrap import Unwrapper

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
BLACK: Final = 12.0  # of 255: darker pixels have no ratio that noise leaves
WHITE: Final = 250.0
ROUNDS: Final = 2
HUBER: Final = 1.5  # in standard deviations
HUBER_STEPS: Final = 2
KNOTS: Final = 6  # of the displacement's grid along each side
SLIDE: Final = 1.5 / 128  # how far skin slides under landmarks, as a standard deviation: of a side
# Of a log ratio at a texel, and how many neighbours err together.
NOISE: Final = 0.05
TOGETHER: Final = 3.0
STRIDE: Final = 2  # every so many texels of a row and a column show light and sliding well enough
SOFT_TEXELS: Final = 0.7


@dataclass(frozen=True)
class Ratios:
    """One person's frames, T texels each (those of `Grid.inside`).

    log_ratio: float32 [N, T], to the person's neutral. weight: float32 [N, T], 0..1. neutral: float32 [T],
    its log luminance.
    """

    log_ratio: F32
    weight: F32
    neutral: F32


class Grid:
    """The texels that are looked at, and the smooth functions on them, for textures of one size.

    inside: bool [S, S]. light: float32 [9, T]. knots: float32 [KNOTS^2, T], of sum 1 at each texel.
    """

    def __init__(self, size: int, model: MorphableModel) -> None:
        unwrapper = Unwrapper(size, model.triangles)
        self.size = size
        self.inside = unwrapper.mask > 0.02
        normals = unwrapper.positions(vertex_normals(model.mean_iod, _outwards(model)))[self.inside]
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
        x, y, z = normals.T
        self.light = np.stack([np.ones_like(x), x, y, z, x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1])
        v, u = (np.mgrid[:size, :size] + 0.5) / size
        at = np.linspace(0.5 / KNOTS, 1 - 0.5 / KNOTS, KNOTS)
        fall = [np.exp(-0.5 * ((axis[self.inside] - at[:, None]) * KNOTS) ** 2) for axis in (u, v)]
        knots = (fall[1][:, None] * fall[0][None]).reshape(KNOTS * KNOTS, -1)
        self.knots = (knots / knots.sum(0)).astype(np.float32)
        rows, columns = np.nonzero(self.inside)
        self.sparse = np.flatnonzero((rows % STRIDE == 0) & (columns % STRIDE == 0))

    def spread(self, values: npt.NDArray[np.float32]) -> F32:
        """Values [..., T] as textures [..., S, S], 0 elsewhere."""
        out = np.zeros((*values.shape[:-1], self.size, self.size), np.float32)
        out[..., self.inside] = values
        return out


def log_luminance(rgb: U8, weight: U8, grid: Grid) -> tuple[F32, F32]:
    """Log luminance and weight, float32 [N, T], of textures uint8 [N, S, S, 3], weights uint8 [N, S, S]."""
    values, weights = [], []
    for texture, seen in zip(rgb, weight, strict=True):
        luma = texture.astype(np.float32) @ LUMA
        inside = (luma > BLACK) & (texture.max(2) < WHITE)
        fine = cv2.erode((inside & (seen > 25)).astype(np.uint8), np.ones((3, 3), np.uint8))
        soft = cv2.GaussianBlur(np.log(np.maximum(luma, BLACK)), (0, 0), SOFT_TEXELS)
        values.append(soft[grid.inside])
        weights.append((seen / np.float32(255.0) * fine)[grid.inside])
    return np.array(values, np.float32), np.array(weights, np.float32)


def normalise(log_lum: F32, weight: F32, quiet: F64, grid: Grid, expected: F32 | None = None) -> Ratios:
    """Log ratios of one person's frames. quiet: float64 [N], how little expression each shows.

    expected: float32 [N, T], log ratios that are known already: light and sliding are read from the rest.
    """
    shown = log_lum if expected is None else log_lum - expected
    flat = _exposure(shown, weight)
    neutral = _mean(flat, weight, quiet)
    rest = np.empty_like(log_lum)
    for turn in range(ROUNDS):
        functions = np.concatenate([grid.light, *_slides(neutral, grid)])
        scale = np.concatenate([np.full(len(grid.light), 1e3), np.full(2 * KNOTS**2, SLIDE * grid.size)])
        for n in range(len(shown)):
            off = shown[n] - neutral
            found = _fit(functions[:, grid.sparse], off[grid.sparse], weight[n, grid.sparse], scale)
            rest[n] = log_lum[n] - neutral - found @ functions
        if turn + 1 < ROUNDS:
            plain = rest if expected is None else rest - expected
            neutral = neutral + _mean(plain, weight, quiet)
    trusted = weight / (1.0 + (rest / np.float32(0.3)) ** 2)  # hands, hair and glare
    return Ratios(rest, trusted.astype(np.float32), neutral)


def _exposure(shown: F32, weight: F32) -> F32:
    middle = (shown * weight).sum(1) / np.maximum(weight.sum(1), 1e-6)
    return np.asarray(shown - middle[:, None], np.float32)


def _mean(values: F32, weight: F32, quiet: F64) -> F32:
    w = weight * quiet[:, None].astype(np.float32)
    return np.asarray((w * values).sum(0) / np.maximum(w.sum(0), 1e-3), np.float32)


def _slides(neutral: F32, grid: Grid) -> tuple[F32, F32]:
    """The neutral's gradient along u and v, times each knot's function: what a texel's shift adds."""
    filled = grid.spread(neutral)
    holes = ~grid.inside
    filled[holes] = neutral.mean()
    soft = cv2.GaussianBlur(filled, (0, 0), 1.0)
    edge = cv2.erode(grid.inside.astype(np.uint8), np.ones((5, 5), np.uint8))
    du, dv = (np.gradient(soft, axis=axis) * edge for axis in (1, 0))
    return du[grid.inside] * grid.knots, dv[grid.inside] * grid.knots


def _fit(functions: F32, off: F32, weight: F32, scale: F64) -> F32:
    """Coefficients of the functions [J, T] in `off` [T], Huber's, drawn to 0 by their usual size [J]."""
    ridge = np.diag(TOGETHER * NOISE**2 / scale**2)
    w = weight.copy()
    found = np.zeros(len(functions), np.float32)
    for _ in range(HUBER_STEPS + 1):
        weighted = functions * w
        found = np.linalg.solve(weighted @ functions.T + ridge, weighted @ off).astype(np.float32)
        rest = np.abs(off - found @ functions)
        # Not less than the noise: else a clean frame's brows, which slid, would be its outliers.
        sigma = max(1.48 * float(np.median(rest[weight > 0.1])), NOISE) if (weight > 0.1).any() else 1.0
        w = weight * np.minimum(1.0, HUBER * sigma / np.maximum(rest, 1e-6))
    return found


def _outwards(model: MorphableModel) -> npt.NDArray[np.int32]:
    """The skin's triangles, all seen from outside."""
    a, b, c = (model.mean_iod[model.triangles[:, k]] for k in range(3))
    away = np.cross(b - a, c - a)[:, 2] > 0
    return np.where(away[:, None], model.triangles[:, [0, 2, 1]], model.triangles)
