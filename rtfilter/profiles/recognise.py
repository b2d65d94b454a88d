"""Whether two views are of one person: by the neutral face's shape and by the detail of its skin.

Slow evidence for a texture of one's own, no identification: people who look alike, in small pictures, pass.
Called by `profiles.live`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.face.landmarks import SURFACE_COUNT
from rtfilter.profiles.textures import DARKEST, LUMA, skin_inside

F32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.floating[Any]]

SIDE: Final = 64
AROUND: Final = 6.0  # texels over which brightness is averaged, and taken off: what is left is detail
LEAST_WEIGHT: Final = 0.2
# Log odds that two views are of one person: a constant, per 0.01 IOD of distance, per 0.1 of correlation.
# Logistic regression on 108 pairs of clips of one person (most with different, strong emotions) and 2000 of
# different people. An enrolment knows a face better than one clip does: the constant is 1 lower than fitted,
# which leaves 19 clips of enrolled people above 1.3.
ODDS: Final = (-5.30, -2.06, 1.17)


@dataclass(frozen=True)
class View:
    """neutral_iod: [478, 3]. detail: float32 [SIDE, SIDE], log brightness less its surroundings'. weight: how
    well it was seen, 0..1."""

    neutral_iod: Floats
    detail: F32
    weight: F32


def view_of(texture: Floats, weight: F32, mask: F32, neutral_iod: Floats) -> View:
    """The view of a mean texture [SIDE, SIDE, 3], 0..255, its weight and the unwrapping's mask."""
    shares = np.where((weight > LEAST_WEIGHT) & skin_inside(mask), weight, 0.0).astype(np.float32)
    known = (shares > 0.0).astype(np.float32)
    bright = np.log(np.maximum(texture.astype(np.float32) @ LUMA, DARKEST)) * known
    around = cv2.GaussianBlur(bright, (0, 0), AROUND) / np.maximum(
        cv2.GaussianBlur(known, (0, 0), AROUND), 1e-3
    )
    return View(neutral_iod, np.asarray((bright - around) * known, np.float32), shares)


def smaller(texture: npt.NDArray[np.uint8], weight: npt.NDArray[np.uint8]) -> tuple[F32, F32]:
    """A texture and its weight (255 is 1) with SIDE texels a side, as `view_of` takes them."""
    shares = weight.astype(np.float32) / 255.0
    size = (SIDE, SIDE)
    mean = cv2.resize(shares, size, interpolation=cv2.INTER_AREA)
    total = cv2.resize(texture * shares[..., None], size, interpolation=cv2.INTER_AREA)
    return np.asarray(total / np.maximum(mean, 1e-3)[..., None], np.float32), np.asarray(mean, np.float32)


def distance_iod(one: Floats, other: Floats) -> float:
    """Root mean square distance of two neutral faces' landmarks as seen from the front, in IODs."""
    off = (one - other)[:SURFACE_COUNT, :2]
    off = off - off.mean(0)
    return float(np.sqrt(np.square(off).sum(1).mean()))


def correlation(one: View, other: View) -> float:
    """Of the detail that both show, -1..1; 0 where they share nothing."""
    weight = np.minimum(one.weight, other.weight)
    total = float(weight.sum())
    if total < 1.0:
        return 0.0
    first, second = (view.detail - float((weight * view.detail).sum()) / total for view in (one, other))
    power = float((weight * first * first).sum() * (weight * second * second).sum())
    return float((weight * first * second).sum()) / math.sqrt(max(power, 1e-12))


def log_odds(one: View, other: View) -> float:
    """That both are of one person; above 0 it is more likely than not."""
    constant, by_distance, by_correlation = ODDS
    distance = distance_iod(one.neutral_iod, other.neutral_iod)
    return constant + by_distance * distance / 0.01 + by_correlation * correlation(one, other) / 0.1
