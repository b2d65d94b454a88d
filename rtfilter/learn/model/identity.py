"""The mean face and the directions in which people differ: of scans and of tracked people together.

Called by `learn.model.build_face_model`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from rtfilter.face import landmarks as lm
from rtfilter.face.pose import align
from rtfilter.learn.model.binding import similarity
from rtfilter.learn.model.observe import Clip
from rtfilter.learn.model.rigging import REFLECT, rigidity
from rtfilter.learn.model.scans import IDENTITY_VERTICES, Scans
from rtfilter.learn.model.teacher import quietest
from rtfilter.learn.model.topology import mirror_permutation

F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]

IDENTITY_COUNT = 48
PEOPLE_WEIGHT = 0.5  # of the tracked people's spread beside the scans'


def mean_face(clips: Sequence[Clip]) -> tuple[F64, I32]:
    """The symmetric, level mean [478, 3] of the clips' quietest frames, and the mirror permutation."""
    quiet = {clip.name: clip.points_px[quietest(clip)] for clip in clips}
    first = np.median(quiet[clips[0].name], axis=0)
    mean = (first - first.mean(0)) / _iod(first)
    weights = np.ones(lm.LANDMARK_COUNT)
    weights[lm.SURFACE_COUNT :] = 0.0
    for _ in range(8):
        people = [
            np.median([align(mean, p, weights).unproject(p) for p in points], axis=0)
            for points in quiet.values()
        ]
        mean = np.mean(people, axis=0)
        mean = (mean - mean[: lm.SURFACE_COUNT].mean(0)) / _iod(mean)
    mirror, upright = mirror_permutation(mean)
    symmetric = 0.5 * (upright + (upright * REFLECT)[mirror])
    return _level(symmetric), mirror


def identity_basis(
    scans: Scans, binding: sparse.csr_matrix, neutrals: Sequence[F64], basis: F64, mirror: I32
) -> tuple[F64, F64, F64]:
    """The mean [478, 3], the directions [I, 478, 3], orthonormal, and the standard deviation [I] of each.

    neutrals: the tracked people's, [478, 3] each. The mean is theirs, because it holds where the tracker puts
    landmarks; the directions are the principal ones of scans and people. basis: [52, 478, 3]; pose weights
    follow from it, and what a pose explains of an identity mode is removed from it.
    """
    people = np.array([*neutrals, *[(n * REFLECT)[mirror] for n in neutrals]])
    mean = people.mean(0)
    mean = 0.5 * (mean + (mean * REFLECT)[mirror])
    weights = rigidity(basis)
    at_scans = binding @ scans.neutral
    rotation, scale, _ = similarity(at_scans[: lm.SURFACE_COUNT], mean[: lm.SURFACE_COUNT])
    moves = np.zeros((len(scans.identity), *mean.shape))
    for index, mode in enumerate(scans.identity):
        vertices = np.zeros_like(scans.neutral)
        vertices[:IDENTITY_VERTICES] = mode
        moves[index] = binding @ vertices
    moves[:, lm.SURFACE_COUNT :] = _with_the_eyes(moves)
    rows = scale * moves @ rotation.T
    spread = np.concatenate([rows, (rows * REFLECT)[:, mirror]]) / np.sqrt(2.0)
    own = np.sqrt(PEOPLE_WEIGHT / len(people)) * (people - mean)
    free = _without_pose(np.concatenate([spread, own]), mean, weights)
    _, power, directions = np.linalg.svd(free.reshape(len(free), -1), full_matrices=False)
    count = min(IDENTITY_COUNT, int((power > 1e-6).sum()))
    return mean, directions[:count].reshape(count, *mean.shape), power[:count]


def _with_the_eyes(moves: F64) -> F64:
    """The irises [M, 10, 3] moved as the corners of their eye do: the modes do not move the eyeballs."""
    right = moves[:, list(lm.EYE_RIGHT_CORNERS)].mean(1, keepdims=True)
    left = moves[:, list(lm.EYE_LEFT_CORNERS)].mean(1, keepdims=True)
    return np.concatenate([right.repeat(5, axis=1), left.repeat(5, axis=1)], axis=1)


def _without_pose(moves: F64, mean: F64, weights: F64) -> F64:
    """`moves` [M, 478, 3] less the shift, turn and growth of the mean that fits each best (linearised)."""
    x, y, z = mean.T
    none, one = np.zeros_like(x), np.ones_like(x)
    columns = [
        np.stack(parts, 1).ravel()
        for parts in (
            (one, none, none), (none, one, none), (none, none, one),
            (none, -z, y), (z, none, -x), (-y, x, none), (x, y, z),
        )
    ]  # fmt: skip
    pose = np.stack(columns, 1)
    weighted = pose * np.repeat(weights, 3)[:, None]
    flat = moves.reshape(len(moves), -1)
    parts = np.linalg.solve(weighted.T @ pose, weighted.T @ flat.T)
    return np.asarray((flat - (pose @ parts).T).reshape(moves.shape))


def _iod(shape: F64) -> float:
    return float(np.linalg.norm(shape[lm.EYE_OUTER_RIGHT] - shape[lm.EYE_OUTER_LEFT]))


def _level(shape: F64) -> F64:
    """Turned about x so that the top of the forehead and the chin have the same depth."""
    top, chin = shape[lm.FACE_OVAL[0]], shape[lm.CHIN]
    angle = np.arctan2(top[2] - chin[2], chin[1] - top[1])
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(shape @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]).T)
