"""Made people who speak with and without a feeling, seen as tracker and teacher would see them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX
from rtfilter.learn.emotions.sources import Take
from rtfilter.learn.emotions.watch import Seen
from tests.faces import builtin, rotation

F64 = npt.NDArray[np.float64]
FPS = 25.0


def speech(frames: int = 90, seed: int = 0) -> F64:
    """Coefficients [N, 52] of a mouth that opens, closes and rounds."""
    time = np.arange(frames) / FPS
    opening = np.clip(0.35 * np.sin(2 * np.pi * 1.7 * time) + 0.25 * np.sin(2 * np.pi * 0.9 * time), 0, 1)
    rounding = np.clip(0.6 * np.sin(2 * np.pi * 0.6 * time + seed), 0, 1)
    spoken = np.zeros((frames, BLENDSHAPE_COUNT))
    spoken[:, BLENDSHAPE_INDEX["jawOpen"]] = opening
    spoken[:, BLENDSHAPE_INDEX["mouthPucker"]] = rounding
    return spoken


def seen(expression: F64, identity: F64 | None = None, noise: float = 0.0, seed: int = 0) -> Seen:
    """How a tracker sees expressions [N, 52] of one person, in a head that turns a little."""
    model, random = builtin(), np.random.default_rng(seed)
    own = model.mean_iod.astype(np.float64)
    if identity is not None:
        own = own + np.einsum("i,inc->nc", identity * model.identity_scale, model.identity_basis)
    shapes = own + np.einsum("te,enc->tnc", expression, model.expression_basis.astype(np.float64))
    points = []
    for index, shape in enumerate(shapes):
        turn = rotation(4 * np.sin(index / 9), 3 * np.cos(index / 7), 2 * np.sin(index / 11))
        points.append(120.0 * shape @ turn.T + (200.0, 200.0, 0.0))
    noisy = np.array(points) + noise * 120.0 * random.standard_normal((len(points), 478, 3))
    return Seen(noisy, expression.copy(), np.arange(len(expression)) / FPS)


def take(person: str, emotion: str, sentence: str = "001", still: bool = False) -> Take:
    """A take without files."""
    level = 0.0 if emotion == "neutral" else 1.0
    return Take(f"{person}-{emotion}-{sentence}", person, emotion, level, sentence, (), still)
