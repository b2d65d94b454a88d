"""A person's generator as skin maps: what it does to the skin for each coefficient, in a few maps.

The renderers of both lanes paint such maps at no cost of a network (`face.skin.SkinMaps`). What is lost is
what the generator does beyond a sum: `agreement` says how much that is.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.engines.expression.texture import LUMINANCE
from rtfilter.face.skin import MAPS_MAX, SkinMaps
from rtfilter.learn.texture.directions import Person
from rtfilter.learn.texture.maps import Maps
from rtfilter.learn.texture.models import Texture
from rtfilter.learn.texture.network import SCALE

F32 = npt.NDArray[np.float32]

AMOUNTS: Final = (0.3, 0.6, 0.9)
# Standard deviation below which a coefficient was not seen to move: nothing is known of it.
LEAST_SPREAD: Final = 0.01
OWN: Final = 120  # of the person's expressions, at most twice as many
_CHANNEL_MAX: Final = 2.0
_RIDGE: Final = 1e-2


def luminance(change: F32) -> F32:
    """Log gain [N, S, S] of changes of deviations [N, 3, S, S]."""
    shares = np.array(LUMINANCE, np.float32)
    return np.asarray(SCALE * np.einsum("c,nchw->nhw", shares, change), np.float32)


def colour_of(change: F32) -> F32:
    """The share of each channel [3] in the changes [N, 3, S, S], by least squares."""
    grey = luminance(change)
    shares = SCALE * np.einsum("nhw,nchw->c", grey, change) / max(float(np.square(grey).sum()), 1e-9)
    return np.asarray(np.clip(shares, 0.0, _CHANNEL_MAX), np.float32)


def distilled(texture: Texture, person: Person, maps: Maps, count: int = MAPS_MAX) -> SkinMaps:
    """At most `count` maps. maps: of the person, which say what coefficients they use together.

    The generator is asked for each coefficient alone and for the person's own expressions; the maps are the
    least-squares answer, of as many components as asked for.
    """
    spread, mean = maps.expression.std(0), maps.expression.mean(0)
    moved = np.flatnonzero(spread >= LEAST_SPREAD)
    alone = [amount * np.eye(BLENDSHAPE_COUNT, dtype=np.float32)[moved] for amount in AMOUNTS]
    own = maps.expression[:: max(len(maps) // OWN, 1)] - mean
    offsets = np.concatenate([*alone, own]).astype(np.float32)
    change = person.change(texture, np.repeat(mean[None], len(offsets), 0), offsets) * maps.mask
    given = offsets[:, moved].astype(np.float64)
    inverse = np.linalg.solve(given.T @ given + _RIDGE * np.eye(len(moved)), given.T)
    slopes = inverse @ luminance(change).reshape(len(offsets), -1)
    weight = spread[moved][:, None]
    left, values, right = np.linalg.svd(weight * slopes, full_matrices=False)
    kept = slice(0, min(count, len(moved)))
    mixing = np.zeros((len(right[kept]), BLENDSHAPE_COUNT), np.float32)
    mixing[:, moved] = (left[:, kept] * values[kept] / weight).T
    found = right[kept].reshape(-1, maps.size, maps.size).astype(np.float32)
    peaks = np.maximum(np.abs(found).max((1, 2)), 1e-9)
    return SkinMaps(found / peaks[:, None, None], mixing * peaks[:, None], colour_of(change))


def painted(maps: SkinMaps, offset: F32) -> F32:
    """Log gains [N, S, S] of offsets [N, 52]."""
    weights = offset @ maps.mixing.T
    return np.asarray(np.einsum("nk,khw->nhw", weights, maps.maps), np.float32)
