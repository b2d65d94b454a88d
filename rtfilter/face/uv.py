"""Where each landmark lies in a square texture of the skin, for maps, textures and profiles.

The layout is the dense face's (ICT-FaceKit's), stretched to fill the square. `FOLDS` are its regions in which
skin folds, for measures and training.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm
from rtfilter.face.dense import DenseFace

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
Polygon = tuple[tuple[float, float], ...]

MARGIN: Final = 0.02  # between the outermost landmarks and the texture's edge, on every side


def _both(polygon: Polygon) -> tuple[Polygon, Polygon]:
    return polygon, tuple((1.0 - u, v) for u, v in polygon)


# Regions of the texture in which skin folds, as polygons of (u, v): both sides, or one across the middle.
FOLDS: Final[Mapping[str, tuple[Polygon, ...]]] = {
    "nasolabial": _both(
        ((0.355, 0.46), (0.40, 0.50), (0.405, 0.57), (0.375, 0.63), (0.34, 0.69), (0.32, 0.76), (0.27, 0.74),
         (0.24, 0.65), (0.30, 0.56))
    ),
    "crows_feet": _both(
        ((0.205, 0.27), (0.195, 0.33), (0.19, 0.37), (0.10, 0.40), (0.09, 0.27), (0.13, 0.24))
    ),
    "forehead": (
        ((0.20, 0.08), (0.32, 0.045), (0.50, 0.035), (0.68, 0.045), (0.80, 0.08), (0.76, 0.14), (0.62, 0.145),
         (0.50, 0.16), (0.38, 0.145), (0.24, 0.14)),
    ),
    "glabella": (((0.445, 0.165), (0.555, 0.165), (0.55, 0.24), (0.53, 0.33), (0.47, 0.33), (0.45, 0.24)),),
    "chin": (((0.385, 0.865), (0.615, 0.865), (0.67, 0.90), (0.60, 0.945), (0.40, 0.945), (0.33, 0.90)),),
}  # fmt: skip


@lru_cache(maxsize=1)
def skin_uv() -> F32:
    """Place of each landmark in the texture, float32 [478, 2], 0..1, read-only; origin top left.

    u grows to the picture's right on an unmirrored frontal face (the subject's left), v grows downwards. In a
    texture of S texels the column is `u * S - 0.5`. Irises lie in the middle of their eyes. Mirror-symmetric:
    uv[mirror] is (1 - u, v).
    """
    surface = DenseFace.builtin().uv[: lm.SURFACE_COUNT].astype(np.float64)
    surface[:, 1] = 1.0 - surface[:, 1]
    low, high = surface.min(0), surface.max(0)
    surface = MARGIN + (1.0 - 2.0 * MARGIN) * (surface - low) / (high - low)
    uv = np.empty((lm.LANDMARK_COUNT, 2), np.float32)
    uv[: lm.SURFACE_COUNT] = surface
    for iris, corners, upper, lower in (
        (lm.IRIS_RIGHT, lm.EYE_RIGHT_CORNERS, lm.EYE_RIGHT_UPPER, lm.EYE_RIGHT_LOWER),
        (lm.IRIS_LEFT, lm.EYE_LEFT_CORNERS, lm.EYE_LEFT_UPPER, lm.EYE_LEFT_LOWER),
    ):
        uv[list(iris)] = surface[[*corners, *upper, *lower]].mean(0)
    uv.flags.writeable = False
    return uv


def outwards(triangles: I32) -> I32:
    """Triangles [T, 3] of landmarks, each turned so that its normal points away from the head: all one way
    around in the texture.
    """
    a, b, c = (skin_uv()[triangles[:, k]].astype(np.float64) for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    return np.ascontiguousarray(np.where((area > 0)[:, None], triangles[:, [0, 2, 1]], triangles), np.int32)
