"""Lips and lids on the scans' mesh: curves through the 68 landmarks, and the skin that they enclose.

The contours lie on the mesh's own edge loops, at the tracker's share of their length, so that a landmark
of the upper lip is bound to the upper lip. Called by `learn.model.binding`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.interpolate import CubicSpline

from rtfilter.face import landmarks as lm
from rtfilter.learn.model.surface import Surface

F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
Bound = dict[int, sparse.csr_matrix]

# Landmarks of a contour with its corners, and the places in the 68 that it runs through.
LIDS = {
    (lm.EYE_RIGHT_CORNERS[0], *lm.EYE_RIGHT_UPPER, lm.EYE_RIGHT_CORNERS[1]): (36, 37, 38, 39),
    (lm.EYE_RIGHT_CORNERS[0], *lm.EYE_RIGHT_LOWER, lm.EYE_RIGHT_CORNERS[1]): (36, 41, 40, 39),
    (lm.EYE_LEFT_CORNERS[0], *lm.EYE_LEFT_UPPER, lm.EYE_LEFT_CORNERS[1]): (45, 44, 43, 42),
    (lm.EYE_LEFT_CORNERS[0], *lm.EYE_LEFT_LOWER, lm.EYE_LEFT_CORNERS[1]): (45, 46, 47, 42),
}
INNER_UPPER, INNER_LOWER = (60, 61, 62, 63, 64), (60, 67, 66, 65, 64)
OUTER_UPPER, OUTER_LOWER = (48, 49, 50, 51, 52, 53, 54), (48, 59, 58, 57, 56, 55, 54)
ROWS_UPPER = (lm.LIPS_OUTER_UPPER, lm.LIPS_MIDDLE_UPPER, lm.LIPS_WET_UPPER, lm.LIPS_INNER_UPPER)
ROWS_LOWER = (lm.LIPS_OUTER_LOWER, lm.LIPS_MIDDLE_LOWER, lm.LIPS_WET_LOWER, lm.LIPS_INNER_LOWER)
OUTSIDE = 30  # the tip of the nose: neither in the mouth nor in an eye
EYES = ((36, 37, 38, 39, 40, 41, 36), (42, 43, 44, 45, 46, 47, 42))


def inside_openings(surface: Surface, marks: I32) -> Bools:
    """Vertices [V] of the skin that lies behind the lips' and the lids' contours."""
    loops = [(*INNER_UPPER, *INNER_LOWER[-2::-1]), *EYES]
    cuts = [surface.beyond(surface.path(marks[list(loop)].tolist()), int(marks[OUTSIDE])) for loop in loops]
    return np.asarray(np.any(cuts, axis=0))


def bind_lids(surface: Surface, marks: I32, mean: F64) -> Bound:
    """Weights [1, V] of every landmark of the lids' rims and of the eyes' corners. mean: float64 [478, 3]."""
    bound: Bound = {}
    for row, places in LIDS.items():
        weights = surface.along(surface.path(marks[list(places)].tolist()), _shares(mean[list(row)]))
        bound.update({landmark: weights[k] for k, landmark in enumerate(row)})
    return bound


def bind_lips(surface: Surface, marks: I32, mean: F64, hidden: Bools) -> Bound:
    """Weights [1, V] of every landmark of the lips. mean: float64 [478, 3]; hidden: `inside_openings`."""
    bound: Bound = {}
    inner = {
        side: surface.path(marks[list(p)].tolist()) for side, p in (("up", INNER_UPPER), ("low", INNER_LOWER))
    }
    to_upper, to_lower = surface.distance(inner["up"][1:-1]), surface.distance(inner["low"][1:-1])
    for side, rows, outer, own in (
        ("up", ROWS_UPPER, OUTER_UPPER, to_upper < to_lower),
        ("low", ROWS_LOWER, OUTER_LOWER, to_lower < to_upper),
    ):
        ends = list(zip(lm.LIPS_CORNER_RIGHT, rows, lm.LIPS_CORNER_LEFT, strict=True))
        first, *between, last = [(right, *row, left) for right, row, left in ends]
        outline = _spline(surface.vertices[marks[list(outer)]], _shares(mean[list(first)]))
        # Corners belong to both lips; the skin of a lip is what is nearer to its own contour.
        own_skin = own | (np.abs(to_upper - to_lower) < 0.01)
        weights = {first: surface.closest(outline, own_skin & ~hidden)}
        weights[last] = surface.along(inner[side], _shares(mean[list(last)]))
        ends_at = [weights[first] @ surface.vertices, weights[last] @ surface.vertices]
        for row in between:
            span = mean[list(last)] - mean[list(first)]
            part = ((mean[list(row)] - mean[list(first)]) * span).sum(1) / (span * span).sum(1)
            chord = ends_at[0] + part[:, None] * (ends_at[1] - ends_at[0])
            weights[row] = surface.closest(chord, own_skin & ~hidden)
        for row, rows_weights in weights.items():
            bound.update({landmark: rows_weights[k] for k, landmark in enumerate(row)})
    return bound


def _shares(points: F64) -> F64:
    """The share of a polyline's length [N] at each of its points [N, 3]."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    return np.asarray(length / length[-1])


def _spline(points: F64, shares: F64) -> F64:
    """Points at shares [N] of the length of a smooth curve through `points` [M, 3]."""
    curve = CubicSpline(_shares(points), points)
    fine = curve(np.linspace(0, 1, 400))
    place = np.interp(shares, _shares(fine), np.linspace(0, 1, 400))
    return np.asarray(curve(place))
