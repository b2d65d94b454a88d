"""Maps of 52 coefficients to the asset of `face.skin`: bounded to skin, low rank, eight bits.

No map touches lips, nostrils and lids; brows' hair and the face's outline little.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, EMOTIONS, MIRROR
from rtfilter.face import landmarks as lm
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SkinMaps
from rtfilter.face.uv import skin_uv
from rtfilter.learn.data.track import write_whole
from rtfilter.learn.emotions.solver import MEASURED
from rtfilter.learn.skin.expressions import offset_of
from rtfilter.learn.skin.normalise import Grid

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

RANK: Final = 16
SIDE: Final = 96
OUTLINE: Final = 0.09  # of a side: from the face's outline inwards, maps rise from 0 to whole
SOFT: Final = 0.012  # of a side: softness of all other edges
# Folds lie a little elsewhere on everybody, so their average is blurred: detail finer than this share of a
# side counts so much more. Measured on people left out: see the model card.
SHARPER: Final = 1.0
DETAIL: Final = 1 / 32
# What is left of a map on brows' hair, and between lid and brow.
BROW_SHARE: Final = 0.25
LID_SHARE: Final = 0.5
TALK_SHARE: Final = (
    0.1  # how much of the expressions that maps are made for is talk, and how much is emotions
)

_BROW: Final = (
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
)
_NOSTRIL: Final = (
    (60, 75, 166, 59, 79, 238, 20, 99, 240, 242, 241),
    (290, 305, 392, 289, 309, 458, 250, 328, 460, 462, 461),
)
_ORBIT: Final = (
    (226, 247, 30, 29, 27, 28, 56, 190, 243, 112, 26, 22, 23, 24, 110, 25),
    (446, 467, 260, 259, 257, 258, 286, 414, 463, 341, 256, 252, 253, 254, 339, 255),
)
_LIPS: Final = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)


def edges(grid: Grid) -> F32:
    """How much of a map may be seen at each texel, float32 [S, S], 0..1."""
    size = grid.size
    inside = np.pad(_hull(lm.FACE_OVAL, size), 1)
    far = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1] / size
    outline = np.clip(far / OUTLINE, 0.0, 1.0)
    share = outline * outline * (3.0 - 2.0 * outline)
    for polygons, left in ((_BROW, BROW_SHARE), (_NOSTRIL, 0.0), (_ORBIT, LID_SHARE), ((_LIPS,), 0.0)):
        for polygon in polygons:
            hard = _hull(polygon, size)
            grown = cv2.dilate(hard, np.ones((3, 3), np.uint8)).astype(np.float32)
            soft = cv2.GaussianBlur(grown, (0, 0), SOFT * size)
            share = share * (1.0 - (1.0 - left) * soft)
    share = share * _away_from_holes(grid)
    share = 0.5 * (share + share[:, ::-1])
    return np.asarray(np.clip(share, 0.0, 1.0), np.float32)


def _away_from_holes(grid: Grid) -> F32:
    open_px = np.pad(grid.inside.astype(np.uint8), 1)
    far = cv2.distanceTransform(open_px, cv2.DIST_L2, 5)[1:-1, 1:-1] / grid.size
    return np.clip(far / (3 * SOFT), 0.0, 1.0)


def low_rank(maps: F64, grid: Grid, colour: F64) -> SkinMaps:
    """The maps float64 [52, T] as the RANK combinations that matter for what emotions and talk do."""
    shown = edges(grid)
    textures = [sharper(t * shown) * (shown > 0.0) for t in grid.spread(maps.astype(np.float32))]
    textures = [t * measured for t, measured in zip(textures, MEASURED, strict=True)]
    small = np.array([cv2.resize(t, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for t in textures]).reshape(
        52, -1
    )
    spread = usual_changes()
    power, axes = np.linalg.eigh(spread)
    root = (axes * np.sqrt(np.maximum(power, 1e-9))) @ axes.T
    left, values, right = np.linalg.svd(root @ small, full_matrices=False)
    back = np.linalg.solve(root, left[:, :RANK] * values[:RANK]) * MEASURED[:, None]  # [52, K]
    return SkinMaps(
        np.ascontiguousarray(right[:RANK].reshape(-1, SIDE, SIDE), np.float32),
        np.ascontiguousarray(back.T, np.float32),
        colour.astype(np.float32),
    )


def sharper(texture: F32) -> F32:
    """A map with its detail emphasised (an unsharp mask); sums over its surroundings stay."""
    rough = cv2.GaussianBlur(texture, (0, 0), DETAIL * len(texture))
    return np.asarray(texture + SHARPER * (texture - rough), np.float32)


def usual_changes() -> F64:
    """Second moments [52, 52] of the offsets that edits make: emotions and sides alike, and some talk."""
    talk = MorphableModel.builtin().expression_covariance.astype(np.float64)
    total = TALK_SHARE * talk + 1e-4 * np.eye(BLENDSHAPE_COUNT)
    for emotion in EMOTIONS:
        offset = offset_of(emotion)
        total += np.outer(offset, offset) / len(EMOTIONS)
    return np.asarray(0.5 * (total + total[np.ix_(MIRROR, MIRROR)]))


def save(maps: SkinMaps, path: Path) -> None:
    """Write the asset, whole or not at all. Raises OutputError."""
    write_whole(path, maps.to_npz())


def _hull(indices: tuple[int, ...], size: int) -> npt.NDArray[np.uint8]:
    points = np.round(skin_uv()[list(indices)] * size - 0.5).astype(np.int32)
    mask = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(points), (1,))
    return mask
