"""People who do not exist: textures with folds that follow the expression, of which the truth is known.

A person is a skin tone, spots, brows and a depth for every fold. A fold is a dark line with a lit
edge along landmarks, which grows with coefficients. For tests, for the demo weights, and to try settings
without footage.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX
from rtfilter.face.model import MorphableModel
from rtfilter.face.uv import skin_uv
from rtfilter.learn.texture.maps import Maps, normalised
from rtfilter.render.unwrap import Unwrapper

F32 = npt.NDArray[np.float32]

# Landmarks along a fold on the subject's right, and the coefficients that deepen it.
FOLDS: Final[tuple[tuple[tuple[int, ...], tuple[str, ...]], ...]] = (
    ((129, 203, 206, 216, 212), ("mouthSmile", "mouthUpperUp", "noseSneer")),  # nasolabial
    ((226, 113, 225), ("cheekSquint", "mouthSmile")),  # crow's feet
    ((226, 31, 228), ("cheekSquint", "eyeSquint")),
    ((105, 104, 103), ("browOuterUp",)),
    ((66, 69, 67), ("browInnerUp", "browOuterUp")),
    ((107, 108, 109), ("browInnerUp",)),
    ((55, 8), ("browDown",)),  # glabella
    ((122, 188, 174), ("noseSneer",)),
    ((182, 194, 204), ("mouthFrown", "mouthShrugLower")),
)
_DEEPEST: Final = 0.35  # log gain of a whole fold
_LIT: Final = 0.4  # of its depth, beside it
_WIDTH: Final = 0.012  # of the side
_SHADES: Final = ((105.0, 70.0, 55.0), (225.0, 180.0, 160.0))  # skin, dark to light


def person(number: int, count: int, size: int, noise: float = 1.0) -> tuple[Maps, F32]:
    """Maps of person `number` at `count` expressions, and the truth: log gains [count, S, S] of the folds.

    noise: of camera and registration, 1 as in a webcam.
    """
    rng = np.random.default_rng((7, number))
    unwrapper = Unwrapper(size, MorphableModel.builtin().triangles)
    shapes, depth = _shapes(rng, size), rng.uniform(0.3, 1.0, len(FOLDS) * 2)
    expression = _expressions(rng, count)
    folds = _activity(expression) * depth @ shapes.reshape(len(depth), -1)
    truth = (folds.reshape(count, size, size) * unwrapper.mask).astype(np.float32)
    skin = np.log(_skin(rng, size))
    colour = np.array([0.8, 1.1, 1.2], np.float32)  # red is lost least in a fold
    logs = skin + truth[..., None] * colour
    logs += _light(rng, count, size)[..., None]
    logs += 0.02 * noise * rng.standard_normal(logs.shape)
    textures = np.stack([_shaken(np.exp(one), rng, noise) for one in logs]).astype(np.float32)
    seen = np.repeat(unwrapper.mask[None], count, 0)
    return normalised(f"synthetic{number:02d}", textures, seen, unwrapper.mask, expression), truth


def _shapes(rng: np.random.Generator, size: int) -> F32:
    """Log gain of each fold at depth 1, [2 F, S, S]: right, then left. Lines differ a little."""
    uv, found = skin_uv(), []
    width = max(_WIDTH * size, 0.8)
    for side in (False, True):
        for landmarks, _ in FOLDS:
            line = uv[list(landmarks)] + rng.normal(0.0, 0.006, (len(landmarks), 2))
            if side:
                line[:, 0] = 1.0 - line[:, 0]
            drawn = np.zeros((size, size), np.float32)
            corners = np.round((line * size - 0.5) * 16).astype(np.int32)
            cv2.polylines(drawn, [corners], False, (1.0,), max(round(width), 1), cv2.LINE_AA, 4)
            dark = cv2.GaussianBlur(drawn, (0, 0), width)
            beside = -round(3 * width) if side else round(3 * width)
            lit = np.roll(cv2.GaussianBlur(drawn, (0, 0), 1.6 * width), beside, axis=1)
            shape = _LIT * lit - dark
            found.append(_DEEPEST * shape / max(float(np.abs(shape).max()), 1e-6))
    return np.asarray(np.stack(found), np.float32)


def _activity(expression: F32) -> F32:
    """How deep each fold is, 0..1, [T, 2 F]: slowly at first, then whole."""
    found: list[F32] = []
    for side in ("Right", "Left"):
        for _, names in FOLDS:
            where = [
                BLENDSHAPE_INDEX[one] for one in (name + side for name in names) if one in BLENDSHAPE_INDEX
            ]
            where += [BLENDSHAPE_INDEX[name] for name in names if name in BLENDSHAPE_INDEX]
            share = np.clip(expression[:, where].sum(1), 0.0, 1.0)
            found.append(share * share * (3.0 - 2.0 * share))
    return np.asarray(np.stack(found, 1), np.float32)


def _expressions(rng: np.random.Generator, count: int) -> F32:
    """Coefficients over time, [count, 52]: both sides move together, more or less."""
    found = np.zeros((count, BLENDSHAPE_COUNT), np.float32)
    time, seed = np.arange(count) / 12.0, int(rng.integers(1 << 30))
    for name, index in BLENDSHAPE_INDEX.items():
        base = name.removesuffix("Left").removesuffix("Right")
        own = np.random.default_rng((seed, *map(ord, base)))
        wave = np.sin(time * own.uniform(0.5, 2.0) + own.uniform(0.0, 6.3)) + own.normal(-0.4, 0.3)
        found[:, index] = np.clip(wave + 0.1 * np.sin(time * rng.uniform(1, 3)), 0.0, 1.0) * 0.9
    return found


def _skin(rng: np.random.Generator, size: int) -> F32:
    """A face at rest, [S, S, 3], 0..255."""
    dark, light = np.array(_SHADES[0]), np.array(_SHADES[1])
    tone = dark + (light - dark) * rng.uniform(0.1, 1.0)
    uneven = sum(
        amount * cv2.GaussianBlur(rng.standard_normal((size, size)), (0, 0), share * size) * share * size
        for amount, share in ((0.10, 0.08), (0.05, 0.02), (0.04, 0.006))
    )
    skin = tone * np.exp(uneven)[..., None]
    uv = skin_uv()
    for brow in ((70, 63, 105, 66, 107), (300, 293, 334, 296, 336)):
        hair = np.zeros((size, size), np.float32)
        corners = np.round((uv[list(brow)] * size - 0.5) * 16).astype(np.int32)
        cv2.polylines(hair, [corners], False, (1.0,), max(size // 32, 1), cv2.LINE_AA, 4)
        skin *= 1.0 - 0.6 * cv2.GaussianBlur(hair, (0, 0), 0.008 * size)[..., None]
    return np.asarray(skin, np.float32)


def _light(rng: np.random.Generator, count: int, size: int) -> F32:
    """Light that wanders, as log gains [count, S, S]."""
    line = np.linspace(-1.0, 1.0, size)
    time = np.arange(count) / 40.0
    across, down, all_over = (0.1 * np.sin(time * rng.uniform(1, 3) + rng.uniform(0, 6)) for _ in range(3))
    gains = across[:, None, None] * line[None, None] + down[:, None, None] * line[None, :, None]
    return np.asarray(gains + all_over[:, None, None], np.float32)


def _shaken(texture: F32, rng: np.random.Generator, noise: float) -> F32:
    """A texture that tracking put a little off, and a camera clipped."""
    shift = rng.normal(0.0, 0.002 * noise * len(texture), 2)
    moved = cv2.warpAffine(
        texture, np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]]), texture.shape[1::-1],
        flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return np.asarray(np.clip(moved, 0.0, 255.0), np.float32)
