"""Crops of a face, cut where landmarks lie, for networks that judge it. Called by the judges.

A crop is one similarity transform (turn, scale, shift) of the picture. The same transform, from the source's
landmarks, cuts the source and the edit, so that only what the edit did to the pixels differs.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

# Where the five points of a face lie in a crop of 112 x 112 for face embeddings, as ArcFace's authors
# publish: eye middles (the one left in the picture first), nose tip, mouth corners.
ARCFACE_PX: Final = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
ARCFACE_SIDE_PX: Final = 112
# Where dlib's aligner puts five points in a unit square, before its padding: outer and inner corner of the
# eye right in the picture, of the left one, and the base of the nose.
DLIB_UNIT: Final = np.array(
    [
        [0.8595674595992, 0.2134981538014],
        [0.6460604764104, 0.2289674387677],
        [0.1205750620789, 0.2137274526848],
        [0.3340850613712, 0.2290642403242],
        [0.4901123135679, 0.6277975316475],
    ]
)
DLIB_SIDE_PX: Final = 150
DLIB_PADDING: Final = 0.25
_NOSE_BASE: Final = 2


def square(points_px: F32, side_iod: float, down_iod: float, side_px: int) -> F64:
    """A square that is upright on the face.

    Args:
        points_px: landmarks [478, 3] of the picture, pixel centres at +0.5; IOD is measured in 3D, so that a
            turned head is no smaller.
        side_iod, down_iod: its side, and how far its centre lies below the middle of the eyes, in IODs.
        side_px: its side in pixels of the crop.

    Returns:
        crop_from_picture [2, 3], of points in pixels.
    """
    right, left = (points_px[at].astype(np.float64) for at in (lm.EYE_OUTER_RIGHT, lm.EYE_OUTER_LEFT))
    iod_px = max(float(np.linalg.norm(left - right)), 1e-3)
    across = (left - right)[:2]
    across = across / max(float(np.hypot(*across)), 1e-9)
    down = np.array([-across[1], across[0]])
    centre = (left + right)[:2] / 2 + down_iod * iod_px * down
    turn = side_px / (side_iod * iod_px) * np.stack([across, down])
    return np.column_stack([turn, side_px / 2 - turn @ centre])


def arcface(points_px: F32, side_px: int = ARCFACE_SIDE_PX) -> F64:
    """crop_from_picture [2, 3] that aligns eyes, nose and mouth as face embeddings expect them."""
    points = np.stack(
        [
            points_px[list(lm.EYE_RIGHT_CORNERS), :2].mean(0),
            points_px[list(lm.EYE_LEFT_CORNERS), :2].mean(0),
            points_px[lm.NOSE_TIP, :2],
            points_px[lm.MOUTH_CORNER_RIGHT, :2],
            points_px[lm.MOUTH_CORNER_LEFT, :2],
        ]
    )
    return similarity(points, ARCFACE_PX * (side_px / ARCFACE_SIDE_PX))


def dlib(points_px: F32) -> F64:
    """crop_from_picture [2, 3] of dlib's face chip: 150 px, padding 0.25."""
    outer, inner = lm.EYE_LEFT_CORNERS
    points = points_px[[outer, inner, *lm.EYE_RIGHT_CORNERS, _NOSE_BASE], :2]
    return similarity(points, (DLIB_UNIT + DLIB_PADDING) / (1 + 2 * DLIB_PADDING) * DLIB_SIDE_PX)


def similarity(points: F32 | F64, targets: F64) -> F64:
    """The turn, scale and shift [2, 3] that brings `points` nearest to `targets` (least squares; Umeyama)."""
    points = points.astype(np.float64)
    centre, target_centre = points.mean(0), targets.mean(0)
    spread, target_spread = points - centre, targets - target_centre
    left, strengths, right = np.linalg.svd(target_spread.T @ spread)
    mirror = np.array([1.0, np.sign(np.linalg.det(left @ right)) or 1.0])
    scale = (strengths * mirror).sum() / max(float(np.square(spread).sum()), 1e-9)
    turn = scale * (left * mirror) @ right
    return np.column_stack([turn, target_centre - turn @ centre])


def cut(rgb: U8, crop_from_picture: F64, side_px: int) -> U8:
    """The crop, uint8 [side, side, 3]. Beyond the picture its border is repeated.

    Where it shrinks the picture, each pixel is the mean of what it covers: plain sampling would alias.
    """
    shrink = max(1, int(np.ceil(1.0 / max(float(np.hypot(*crop_from_picture[:, 0])), 1e-3) - 1e-6)))
    fine = crop_from_picture * shrink
    # OpenCV's pixel centres are at integers, ours at +0.5.
    fine = np.column_stack([fine[:, :2], fine[:, 2] + fine[:, :2] @ [0.5, 0.5] - 0.5])
    side = side_px * shrink
    large = cv2.warpAffine(
        np.ascontiguousarray(rgb), fine, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    crop = large if shrink == 1 else cv2.resize(large, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(crop, np.uint8)
