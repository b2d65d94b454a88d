"""Indices of the 478 landmarks by part of the face. "Left" and "right" are the subject's own.

The topology is MediaPipe FaceMesh's: 468 surface vertices and, after them, five points an iris.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

LANDMARK_COUNT: Final = 478
SURFACE_COUNT: Final = 468

# Outer eye corners: their distance is the inter-ocular distance (IOD), the unit of the head frame.
EYE_OUTER_RIGHT: Final = 33
EYE_OUTER_LEFT: Final = 263

MOUTH_CORNER_RIGHT: Final = 61
MOUTH_CORNER_LEFT: Final = 291
INNER_CORNER_RIGHT: Final = 78
INNER_CORNER_LEFT: Final = 308
LIP_UPPER_INNER: Final = 13
LIP_LOWER_INNER: Final = 14
NOSE_TIP: Final = 1
CHIN: Final = 152

# Inner lips, from the right corner to the left one, corners excluded; the i-th upper landmark
# faces the i-th lower one.
LIPS_INNER_UPPER: Final = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LIPS_INNER_LOWER: Final = (95, 88, 178, 87, 14, 317, 402, 318, 324)
LIPS_OUTER_UPPER: Final = (185, 40, 39, 37, 0, 267, 269, 270, 409)
LIPS_OUTER_LOWER: Final = (146, 91, 181, 84, 17, 314, 405, 321, 375)
# The rows between outer and inner lip line.
LIPS_MIDDLE_UPPER: Final = (184, 74, 73, 72, 11, 302, 303, 304, 408)
LIPS_MIDDLE_LOWER: Final = (77, 90, 180, 85, 16, 315, 404, 320, 307)
LIPS_WET_UPPER: Final = (183, 42, 41, 38, 12, 268, 271, 272, 407)
LIPS_WET_LOWER: Final = (96, 89, 179, 86, 15, 316, 403, 319, 325)
LIPS_CORNER_RIGHT: Final = (61, 76, 62, 78)
LIPS_CORNER_LEFT: Final = (291, 306, 292, 308)

# Eye openings, from the outer corner to the inner one, corners excluded.
EYE_RIGHT_CORNERS: Final = (33, 133)
EYE_RIGHT_UPPER: Final = (246, 161, 160, 159, 158, 157, 173)
EYE_RIGHT_LOWER: Final = (7, 163, 144, 145, 153, 154, 155)
EYE_LEFT_CORNERS: Final = (263, 362)
EYE_LEFT_UPPER: Final = (466, 388, 387, 386, 385, 384, 398)
EYE_LEFT_LOWER: Final = (249, 390, 373, 374, 380, 381, 382)
# The lids once around, from the outer corner over the upper lid.
EYE_RIGHT_OUTLINE: Final = (
    EYE_RIGHT_CORNERS[0], *EYE_RIGHT_UPPER, EYE_RIGHT_CORNERS[1], *EYE_RIGHT_LOWER[::-1],
)  # fmt: skip
EYE_LEFT_OUTLINE: Final = (
    EYE_LEFT_CORNERS[0], *EYE_LEFT_UPPER, EYE_LEFT_CORNERS[1], *EYE_LEFT_LOWER[::-1],
)  # fmt: skip

# Centre, then the ring of four.
IRIS_RIGHT: Final = (468, 469, 470, 471, 472)
IRIS_LEFT: Final = (473, 474, 475, 476, 477)

# The outline of the mesh, once around, starting on the forehead.
FACE_OVAL: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288,
    397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136,
    172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip

BROW_RIGHT_UPPER: Final = (70, 63, 105, 66, 107)
BROW_LEFT_UPPER: Final = (300, 293, 334, 296, 336)
# The i-th faces the i-th of the upper row; from the outer end to the inner one.
BROW_RIGHT_LOWER: Final = (46, 53, 52, 65, 55)
BROW_LEFT_LOWER: Final = (276, 283, 282, 295, 285)

FARTHEST_SIDES = 4.0  # landmarks farther from the picture's corner than this many of its longer side are none


def is_plausible(points_px: F32, width: int, height: int) -> bool:
    """Whether all are finite and near the picture; others would spoil the identity and the frame."""
    limit_px = FARTHEST_SIDES * max(width, height)
    return bool(points_px.min() >= -limit_px and points_px.max() <= limit_px)  # False for NaN too


def share_inside(points_px: F32, width: int, height: int) -> float:
    """Share of the landmarks within the picture."""
    x, y = points_px[:, 0], points_px[:, 1]
    if x.min() >= 0 and y.min() >= 0 and x.max() < width and y.max() < height:
        return 1.0
    return float(np.mean((x >= 0) & (y >= 0) & (x < width) & (y < height)))
