"""Expression directions in W+, a person's latent, and the textures' differences that come of both.

Directions are either learned through the generator while it trains, or regressed: the ridge regression of the
encoder's W+ on coefficients. `Eigen` is the linear baseline without any network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from rtfilter.learn.texture.maps import Maps
from rtfilter.learn.texture.models import Texture

F32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.floating[Any]]

_CHUNK: Final = 16
_RARE: Final = 1.0  # percent of the maps at each end of a coefficient, which may be the fit's errors
# Components of the baseline.
EIGEN: Final = 16


@torch.no_grad()
def codes(texture: Texture, maps: Maps) -> F32:
    """W+ of every map, [T, R * D]."""
    device = texture.directions.device
    found = []
    for begin in range(0, len(maps), _CHUNK):
        some = np.asarray(maps.deviation[begin : begin + _CHUNK], np.float32)
        found.append(texture.invert(torch.from_numpy(some).to(device)).flatten(1).cpu().numpy())
    return np.concatenate(found)


@torch.no_grad()
def generated(texture: Texture, w_plus: Floats) -> F32:
    """Deviations [N, 3, S, S] of W+ [N, R * D], without noise."""
    device, shape = texture.directions.device, texture.shape
    found = []
    for begin in range(0, len(w_plus), _CHUNK):
        some = torch.from_numpy(np.asarray(w_plus[begin : begin + _CHUNK], np.float32)).to(device)
        code = some.reshape(len(some), len(shape.resolutions), shape.latent)
        found.append(texture.generator(code).cpu().numpy())
    return np.concatenate(found)


@dataclass(frozen=True)
class Person:
    """One person in W+.

    latent: [R * D], average of their maps at expression 0. directions: [52, R * D]. low, high: [52], the
    range of each coefficient in their maps; beyond it the texture stays as it is at its end.
    """

    latent: F32
    directions: F32
    low: F32
    high: F32

    def change(self, texture: Texture, expression: Floats, offset: Floats, latent: F32 | None = None) -> F32:
        """Deviations after less before, [N, 3, S, S], of expressions and offsets [N, 52].

        latent: [N, R * D], inverted maps that show these expressions; else the person's.
        """
        start, end = (np.clip(one, self.low, self.high) for one in (expression, expression + offset))
        before = latent if latent is not None else self.latent + start @ self.directions
        after = before + (end - start) @ self.directions
        return generated(texture, after) - generated(texture, before)


def learned(texture: Texture, maps: Maps) -> Person:
    """By the directions of the training. The latent is the average of all maps, brought to expression 0."""
    directions = texture.directions.detach().cpu().numpy().astype(np.float32)
    latent = (codes(texture, maps) - maps.expression @ directions).mean(0)
    return Person(latent, directions, *_range(maps))


def regressed(texture: Texture, maps: Maps, ridge: float) -> Person:
    """By ridge regression of the encoder's W+ on coefficients."""
    latent, directions = regression(maps.expression, codes(texture, maps), ridge)
    return Person(latent, directions, *_range(maps))


def _range(maps: Maps) -> tuple[F32, F32]:
    low, high = np.percentile(maps.expression, (_RARE, 100.0 - _RARE), axis=0)
    return low.astype(np.float32), high.astype(np.float32)


def regression(inputs: F32, outputs: F32, ridge: float) -> tuple[F32, F32]:
    """Value at 0 [M], and slopes [N, M], of outputs [T, M] on inputs [T, N]; ridge: in maps of variance 1."""
    mean_in, mean_out = inputs.mean(0), outputs.mean(0)
    x, y = (inputs - mean_in).astype(np.float64), (outputs - mean_out).astype(np.float64)
    spread = max(float(x.var(0).mean()), 1e-9)
    slopes = np.linalg.solve(x.T @ x + ridge * spread * len(x) / 10.0 * np.eye(x.shape[1]), x.T @ y)
    return (mean_out - mean_in @ slopes).astype(np.float32), slopes.astype(np.float32)


@dataclass(frozen=True)
class Eigen:
    """The baseline: principal components of the maps, linear in the expression.

    slopes: [52, K]. components: [K, 3 * S * S].
    """

    slopes: F32
    components: F32
    size: int

    @classmethod
    def of(cls, maps: Maps, ridge: float, count: int = EIGEN) -> Eigen:
        """Fitted to maps. Unseen texels count as they were filled."""
        flat = maps.deviation.reshape(len(maps), -1).astype(np.float32)
        flat -= flat.mean(0)
        gram = flat @ flat.T
        values, vectors = np.linalg.eigh(gram.astype(np.float64))
        top = vectors[:, ::-1][:, :count]
        scale = np.sqrt(np.maximum(values[::-1][:count], 1e-9))
        components = ((top / scale).T @ flat).astype(np.float32)
        _, slopes = regression(maps.expression, flat @ components.T, ridge)
        return cls(slopes, components, maps.size)

    def change(self, offset: Floats) -> F32:
        """Deviations after less before, [N, 3, S, S]."""
        flat = offset.astype(np.float32) @ self.slopes @ self.components
        return flat.reshape(len(offset), 3, self.size, self.size)
