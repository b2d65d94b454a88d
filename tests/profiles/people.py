"""Synthetic people: textures of which is known how they change with the expression."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX
from rtfilter.render.unwrap import Unwrapper
from tests.faces import builtin

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
SIDE = 256
SMILE, BROW = BLENDSHAPE_INDEX["mouthSmileLeft"], BLENDSHAPE_INDEX["browInnerUp"]


@lru_cache(maxsize=1)
def unwrapper() -> Unwrapper:
    return Unwrapper(SIDE, builtin().triangles)


def fold(u: float, v: float, width: float = 0.03, height: float = 0.08) -> F32:
    """A dark fold at a place of the texture: float32 [256, 256], 0..-1."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    return -np.exp(-(((columns - u) / width) ** 2) - ((rows - v) / height) ** 2).astype(np.float32)


# Where a smile folds this person's cheek, and where raised brows fold the forehead.
CHEEK, FOREHEAD = 0.3 * fold(0.30, 0.60), 0.3 * fold(0.50, 0.13, 0.12, 0.025)


def skin(rng: np.random.Generator) -> F32:
    """A neutral texture float32 [256, 256, 3], with pores."""
    detail = cv2.GaussianBlur(rng.normal(0.0, 1.0, (SIDE, SIDE)).astype(np.float32), (0, 0), 2.0)
    base = np.array([190.0, 145.0, 125.0], np.float32)
    return np.asarray(base * np.exp(0.05 * detail / detail.std())[..., None], np.float32)


def enrolled(
    rng: np.random.Generator, count: int = 96, smile: float = 0.6, brow: float = 0.5, light: float = 0.1
) -> tuple[list[U8], list[U8], npt.NDArray[np.float64]]:
    """Textures, weights and expressions of somebody who smiles and raises brows up to those amounts."""
    neutral = skin(rng)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE - 0.5
    weight = np.asarray(255.0 * unwrapper().mask, np.uint8)
    textures, expressions = [], np.zeros((count, BLENDSHAPE_COUNT))
    for number in range(count):
        phase = 2.0 * np.pi * number / 24.0
        expressions[number, SMILE] = smile * max(np.sin(phase), 0.0)
        expressions[number, BROW] = brow * max(np.cos(1.7 * phase), 0.0)
        change = expressions[number, SMILE] * CHEEK + expressions[number, BROW] * FOREHEAD
        a, b, c = light * rng.normal(size=3)
        lit = neutral * np.exp(change + a + b * columns + c * rows)[..., None]
        noise = rng.normal(0.0, 2.0, (SIDE, SIDE, 1))
        textures.append(np.clip(np.rint(lit + noise), 0, 255).astype(np.uint8))
    return textures, [weight] * count, expressions
