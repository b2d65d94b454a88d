"""The face's square as the occlusion network sees it: 96 pixels a side, upright; the ways there and back.

It is the mesh network's square (`tracking.roi.Roi`), at half its resolution. All coordinates have pixel
centres at + 0.5.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.engines.networks import OCCLUSION_SIDE_PX
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8
from rtfilter.tracking.detect import sample
from rtfilter.tracking.roi import CROP_PX, Roi

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

SIDE_PX: Final = OCCLUSION_SIDE_PX


def picture_from_square(roi: Roi) -> F64:
    """The affine matrix [2, 3] from pixels of the square, 0..96, to pixels of the picture."""
    scale = roi.side / SIDE_PX
    a, b = scale * math.cos(roi.angle_rad), scale * math.sin(roi.angle_rad)
    middle = SIDE_PX / 2
    return np.array([[a, -b, roi.x - middle * (a - b)], [b, a, roi.y - middle * (a + b)]])


def square_from_picture(roi: Roi) -> F64:
    """The inverse of `picture_from_square`, [2, 3]."""
    scale = SIDE_PX / roi.side
    a, b = scale * math.cos(roi.angle_rad), scale * math.sin(roi.angle_rad)
    middle = SIDE_PX / 2
    return np.array([[a, b, middle - a * roi.x - b * roi.y], [-b, a, middle + b * roi.x - a * roi.y]])


def points_in_square(points_px: F32, roi: Roi) -> F32:
    """Landmarks float32 [N, 3] of the picture in pixels of the square, z in their unit."""
    matrix = square_from_picture(roi)
    out = np.empty(points_px.shape, np.float32)
    out[:, :2] = points_px[:, :2] @ matrix[:, :2].T.astype(np.float32) + matrix[:, 2].astype(np.float32)
    out[:, 2] = points_px[:, 2] * np.float32(SIDE_PX / roi.side)
    return out


def look(pixels: U8 | Planes, roi: Roi, out: F32) -> None:
    """Write the square into `out`, float32 [3, 96, 96], RGB 0..1: four bilinear samples a pixel, averaged,
    the picture's border repeated.
    """
    fine = np.empty((3, CROP_PX, CROP_PX), np.float32)
    sample(pixels, roi.picture_from_crop(), fine)
    shrink(fine, out)


def shrink(fine: F32, out: F32) -> None:
    """Average the mesh network's own input, float32 [3, 192, 192], into `out`, float32 [3, 96, 96]."""
    for plane, small in zip(fine, out, strict=True):
        cv2.resize(plane, (SIDE_PX, SIDE_PX), small, interpolation=cv2.INTER_AREA)
