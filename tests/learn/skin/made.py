"""People made up: a skin of spots, light, and folds that follow coefficients, all known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX
from rtfilter.learn.skin.normalise import Grid

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

SMILES = [BLENDSHAPE_INDEX["mouthSmileLeft"], BLENDSHAPE_INDEX["mouthSmileRight"]]


def place(grid: Grid) -> F64:
    """u and v of every texel, float64 [2, T]."""
    v, u = (np.mgrid[: grid.size, : grid.size] + 0.5) / grid.size
    return np.stack([u[grid.inside], v[grid.inside]])


def bump(grid: Grid, u: float, v: float, width: float = 0.04) -> F64:
    """A fold's profile [T]."""
    at = place(grid)
    return np.asarray(np.exp(-0.5 * (((at[0] - u) / width) ** 2 + ((at[1] - v) / (1.5 * width)) ** 2)))


def folds(grid: Grid) -> F64:
    """True maps [52, T]: a smile darkens a fold on its own side."""
    maps = np.zeros((BLENDSHAPE_COUNT, int(grid.inside.sum())))
    maps[SMILES[0]], maps[SMILES[1]] = -0.2 * bump(grid, 0.68, 0.6), -0.2 * bump(grid, 0.32, 0.6)
    return maps


def skin(grid: Grid, rng: np.random.Generator) -> F32:
    """A neutral's log luminance [T]: broad tones and spots."""
    out = np.full(int(grid.inside.sum()), np.log(140.0))
    for _ in range(60):
        u, v = rng.uniform(0.1, 0.9, 2)
        out += rng.normal(0.0, 0.15) * bump(grid, u, v, rng.uniform(0.015, 0.05))
    return out.astype(np.float32)


def smiles(rng: np.random.Generator, count: int) -> F64:
    """Coefficients [N, 52] of somebody who smiles now and then, for a second each time."""
    expression = np.zeros((count, BLENDSHAPE_COUNT))
    amounts = np.repeat(rng.uniform(0.0, 0.8, -(-count // 24)), 24)[:count, None]
    expression[:, SMILES] = np.clip(amounts + rng.normal(0, 0.05, (count, 2)), 0, 1)
    return expression
