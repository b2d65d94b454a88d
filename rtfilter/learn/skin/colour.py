"""How red, green and blue change where the light of skin does: skin in a fold is redder, not only darker.

The maps' prediction is the instrument, so that noise in the channels does not flatten the slopes:
colour_c = sum prediction * change of log channel c / sum prediction * change of log luminance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.learn.skin.normalise import BLACK, LUMA, Grid

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

LIMITS: Final = (0.5, 1.5)


@dataclass(frozen=True)
class Sums:
    """Of one person: float64 [3], prediction times the channels' changes, and the same of luminance."""

    channels: F64
    luminance: float


def sums(rgb: U8, weight: F32, predicted: F32, grid: Grid) -> Sums:
    """rgb: uint8 [N, S, S, 3], frames of one person. weight, predicted: float32 [N, T]."""
    pixels = rgb[:, grid.inside].astype(np.float32)  # [N, T, 3]
    logs = np.log(np.maximum(np.concatenate([pixels, (pixels @ LUMA)[..., None]], 2), BLACK))
    total = np.maximum(weight.sum(0), 1e-6)
    logs -= (weight[..., None] * logs).sum(0) / total[:, None]
    instrument = predicted - (weight * predicted).sum(0) / total
    found = np.zeros(4)
    for frame, w, p in zip(logs, weight, instrument, strict=True):
        light = grid.light * w
        gram = light @ grid.light.T + 1e-6 * np.eye(len(grid.light))
        rest = frame - grid.light.T @ np.linalg.solve(gram, light @ frame)
        found += (w * p) @ rest
    return Sums(found[:3], float(found[3]))


def shares(people: Sequence[Sums]) -> F64:
    """colour float64 [3]; people who show much count more, and luminance stays what it is."""
    channels = np.sum([person.channels for person in people], axis=0)
    luminance = sum(person.luminance for person in people)
    found = np.clip(channels / max(luminance, 1e-9), *LIMITS)
    return np.asarray(found)
