"""Batches of aligned windows, each a function of seed, step and rank alone. Called by `stccl.train`.

What is drawn has no memory: a run that goes on from a checkpoint draws what it would have drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rtfilter.face.model import MorphableModel
from rtfilter.learn.stccl.pairs import Pair
from rtfilter.learn.stccl.settings import WINDOW, StcclSettings

F32 = npt.NDArray[np.float32]

# Starts of two windows of one pair lie at least so far apart where the clip is long enough: nearer ones look
# alike, and an alternative that is right is no alternative.
APART: Final = 6
_TRIES: Final = 30


def batch(
    pairs: Sequence[Pair], settings: StcclSettings, model: MorphableModel, draw: Sequence[int]
) -> tuple[Tensor, Tensor, torch.Generator]:
    """Source and target windows, float32 [pairs x windows, 9, ...], and a generator for centres.

    draw: seed, step and rank. Of two matching windows either may be the source; both may be mirrored; the
    target's size is off by up to exp(gain); each has its own noise, and on meshes its own added expression
    and error of the pose.
    """
    random = np.random.default_rng(list(draw))
    sources, targets = [], []
    for index in random.integers(len(pairs), size=settings.pairs):
        pair = pairs[index]
        turned, flipped = random.random(2) < 0.5
        for start in starts(pair.frames, settings.windows, random):
            cut = [each[start : start + WINDOW].astype(np.float32) for each in (pair.source, pair.target)]
            if flipped:
                cut = [mirrored(each, model.mirror) for each in cut]
            first, second = reversed(cut) if turned else cut
            second = second * np.float32(np.exp(random.uniform(-settings.gain, settings.gain)))
            if settings.signal == "mesh":
                first, second = (each + misfit(model, settings, random) for each in (first, second))
            sources.append(first)
            targets.append(second)
    generator = torch.Generator().manual_seed(int(random.integers(2**62)))
    both = (np.stack(sources), np.stack(targets))
    noisy = (each + noise(each.shape, settings.noise_iod, random) for each in both)
    source, target = (torch.from_numpy(each) for each in noisy)
    return source, target, generator


def misfit(model: MorphableModel, settings: StcclSettings, random: np.random.Generator) -> F32:
    """What fitting leaves in a window's motion, float32 [9, 478, 3]: a face that is not quite the person's
    neutral, and a pose that is not quite the head's and drifts."""
    coefficients = settings.offset * random.standard_normal(len(model.expression_basis))
    still = np.einsum("k,knc->nc", coefficients.astype(np.float32), model.expression_basis)
    # A small rotation, stretch and shear at the window's two ends, and the mean that a pose would take away.
    ends = settings.tilt * random.standard_normal((2, 3, 3)).astype(np.float32)
    share = np.linspace(0.0, 1.0, WINDOW, dtype=np.float32)[:, None, None]
    drift = model.mean_iod @ ((1.0 - share) * ends[0] + share * ends[1])
    return np.asarray(still + drift - drift.mean(1, keepdims=True), np.float32)


def starts(frames: int, count: int, random: np.random.Generator) -> list[int]:
    """First frames of `count` windows of a clip, apart where that can be had in a few tries."""
    chosen: list[int] = []
    tries = 0
    while len(chosen) < count:
        start = int(random.integers(frames - WINDOW + 1))
        tries += 1
        if tries > _TRIES or all(abs(start - other) >= APART for other in chosen):
            chosen.append(start)
    return chosen


def mirrored(signal: F32, mirror: npt.NDArray[np.int32]) -> F32:
    """Left and right exchanged: motion [T, 478, 3] by the permutation, pictures [T, 64, 64] by columns."""
    if signal.shape[-1] == 3:
        return np.asarray(signal[:, mirror] * np.array([-1.0, 1.0, 1.0], np.float32), np.float32)
    return np.ascontiguousarray(signal[..., ::-1])


def noise(shape: tuple[int, ...], size: float, random: np.random.Generator) -> npt.NDArray[Any]:
    """White noise; of a window, half of its variance stays the same through all frames."""
    still = random.standard_normal((shape[0], 1, *shape[2:]), dtype=np.float32)
    fresh = random.standard_normal(shape, dtype=np.float32)
    return np.asarray(size * np.sqrt(0.5) * (still + fresh), np.float32)
