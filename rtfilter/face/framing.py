"""Landmarks against the picture's bounds. Called by the lanes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

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
