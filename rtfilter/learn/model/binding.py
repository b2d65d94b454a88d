"""The 478 landmarks on the scans' mean face: non-rigid registration, then barycentric weights.

A similarity from single landmarks, a smooth warp to contours and single landmarks, and projection onto the
skin that keeps the tracker's mesh smooth. Called by `learn.model.rigging` and `learn.model.dense`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.interpolate import RBFInterpolator
from scipy.sparse.linalg import splu

from rtfilter.face import landmarks as lm
from rtfilter.learn.model.contours import bind_lids, bind_lips, inside_openings
from rtfilter.learn.model.scans import EYEBALLS, FACE, Scans, edges_of, triangles_of
from rtfilter.learn.model.surface import Surface

F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]

ROUNDS = 6
STIFFNESS = 4.0  # of the tracker's mesh against the pull of the skin
HOLD = 20.0  # pull of a known landmark against the skin's 1
# Landmarks that are single points among the scans' 68: brows, nose, chin.
POINTS = dict(
    zip(
        (*lm.BROW_RIGHT_UPPER, *lm.BROW_LEFT_UPPER[::-1], 4, 98, 97, 2, 326, 327, lm.CHIN),
        (*range(17, 27), 30, 31, 32, 33, 34, 35, 8),
        strict=True,
    )
)
NEAREST = 3  # vertices of the eyeball around an iris landmark


def bind(scans: Scans, mean_iod: F64, mirror: I32, edges: I32) -> sparse.csr_matrix:
    """Weights [478, V] of the scans' vertices for every landmark; each row sums to 1.

    mean_iod: the tracker's mean face [478, 3]; mirror: its mirror permutation [478]; edges: its mesh
    [E, 2]. Left and right are bound as exact mirrors.
    """
    skin = scans.quads[(scans.quads < FACE.stop).all(1)]
    surface = Surface(scans.neutral[FACE], triangles_of(skin), edges_of(skin))
    marks = scans.landmarks68
    start = similar(mean_iod, scans)
    hidden = inside_openings(surface, marks)
    contours = {**bind_lids(surface, marks, start), **bind_lips(surface, marks, start, hidden)}
    known = np.array([*contours, *POINTS])
    at = np.concatenate(
        [
            sparse.vstack(list(contours.values())) @ surface.vertices,
            surface.vertices[marks[list(POINTS.values())]],
        ]
    )
    warp = RBFInterpolator(start[known], at - start[known], kernel="linear", smoothing=0.01)
    shape = (start + warp(start))[: lm.SURFACE_COUNT]
    weights = _settle(surface, shape, known, at, edges, ~hidden).tolil()
    for landmark, row in contours.items():
        weights[landmark] = row
    whole = sparse.vstack([_widened(weights.tocsr(), len(scans.neutral)), _irises(scans, start)])
    return _symmetric(whole.tocsr(), mirror, scans.mirror)


def similar(mean_iod: F64, scans: Scans) -> F64:
    """The tracker's mean face [478, 3] turned, scaled and moved onto the scans' mean by single landmarks."""
    from_points = mean_iod[list(POINTS)]
    to_points = scans.neutral[scans.landmarks68[list(POINTS.values())]]
    rotation, scale, move = similarity(from_points, to_points)
    return np.asarray(scale * mean_iod @ rotation.T + move)


def similarity(from_points: F64, to_points: F64) -> tuple[F64, float, F64]:
    """Rotation [3, 3], scale and translation [3] that take points [N, 3] to others (Umeyama 1991)."""
    from_mean, to_mean = from_points.mean(0), to_points.mean(0)
    u, power, vt = np.linalg.svd((to_points - to_mean).T @ (from_points - from_mean))
    signs = np.array([1.0, 1.0, np.linalg.det(u @ vt)])
    rotation = (u * signs) @ vt
    scale = float((power * signs).sum() / ((from_points - from_mean) ** 2).sum())
    return rotation, scale, to_mean - scale * rotation @ from_mean


def _settle(
    surface: Surface, shape: F64, known: I32, at: F64, edges: I32, allowed: npt.NDArray[np.bool_]
) -> sparse.csr_matrix:
    """Weights [468, V] of a shape that lies on the skin and bends the tracker's mesh as little as it can."""
    count = len(shape)
    graph = sparse.csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    graph = ((graph + graph.T) > 0).astype(np.float64)
    laplacian = sparse.diags(1.0 / np.asarray(graph.sum(1)).ravel()) @ graph - sparse.eye(count)
    bending = STIFFNESS * laplacian.T @ laplacian
    pull = np.ones(count)
    pull[known] = HOLD
    solve = splu((bending + sparse.diags(pull)).tocsc()).solve
    rest = bending @ shape
    for _ in range(ROUNDS):
        target = surface.closest(shape, allowed) @ surface.vertices
        target[known] = at
        shape = solve(rest + pull[:, None] * target)
    return surface.closest(shape, allowed)


def _irises(scans: Scans, start: F64) -> sparse.csr_matrix:
    """Weights [10, V]: the pupil, and points of the eyeball around it at the tracker's distances."""
    rows = []
    balls = np.arange(EYEBALLS.start, EYEBALLS.stop)
    for iris, side in ((lm.IRIS_RIGHT, -1), (lm.IRIS_LEFT, 1)):
        ball = balls[scans.neutral[balls, 0] * side > 0]
        pupil = scans.neutral[ball[np.argmin(scans.neutral[ball, 2])]]
        for landmark in iris:
            place = pupil + (start[landmark] - start[iris[0]]) * (1, 1, 0)
            front = ball[scans.neutral[ball, 2] < np.median(scans.neutral[ball, 2])]
            away = np.linalg.norm((scans.neutral[front] - place)[:, :2], axis=1)
            near = np.argsort(away)[:NEAREST]
            share = 1.0 / (away[near] + 1e-4)
            row = sparse.csr_matrix(
                (share / share.sum(), (np.zeros(NEAREST, int), front[near])), shape=(1, len(scans.neutral))
            )
            rows.append(row)
    return sparse.vstack(rows).tocsr()


def _widened(weights: sparse.csr_matrix, count: int) -> sparse.csr_matrix:
    weights.resize(weights.shape[0], count)
    return weights


def _symmetric(weights: sparse.csr_matrix, mirror: I32, vertex_mirror: I32) -> sparse.csr_matrix:
    return (0.5 * (weights + weights[mirror][:, vertex_mirror])).tocsr()
