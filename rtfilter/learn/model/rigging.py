"""Example-based rigging: the scans' blendshapes, corrected by tracked people.

Where footage shows a blendshape often, the data decide; where it never does, the scans stay (Li, Weise,
Pauly 2010, "Example-based facial rigging", with the teacher's scores as the first guess of their weights).
Called by `learn.model.build_face_model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import nnls

from rtfilter.controls import BLENDSHAPE_COUNT, MIRROR
from rtfilter.face import landmarks as lm
from rtfilter.face.fit import DEPTH_WEIGHT, IRIS_WEIGHT
from rtfilter.face.pose import align
from rtfilter.learn.model.observe import Clip
from rtfilter.learn.model.scans import Scans

F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]

# In frames with that blendshape fully on, where the scans' shape is moved by nothing but footage: an error of
# STILL_IOD is expected of a landmark that a shape does not move, MOVING of the way of one that it does.
PRIOR_STRENGTH = 40.0
UNIT_IOD, STILL_IOD, MOVING = 0.01, 0.003, 0.3
GAIN_STRENGTH = 40.0  # of each shape's own amplitude in the scans, in such frames
LEAST_GAIN, MOST_GAIN = 0.5, 1.5
CLIP_FRAMES = 300.0  # every clip counts as this many frames, however long it is
SIDEWAYS_IOD = 0.35
ROUNDS = 3  # with the teacher's scores
REFINEMENTS = 2  # with coefficients that explain the shape as well
TEACHER_SCALE = 0.008  # of the scores in those, in IOD^2, over the variance of each score
LEAST_VARIANCE = 1e-4
REFLECT = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Rig:
    """Mean and blendshapes in IODs, and the mirror that both obey exactly."""

    mean_iod: F64
    basis: F64
    mirror: I32


@dataclass(frozen=True)
class _Seen:
    """A clip in the head frame: shapes [T, 478, 3], their weights [T], and the weighted means of both."""

    shapes: F64
    count: F64
    score_mean: F64
    shape_mean: F64


def scan_prior(scans: Scans, binding: sparse.csr_matrix, mirror: I32) -> F64:
    """The scans' blendshapes at the landmarks, float64 [52, 478, 3]: left and right exact mirrors."""
    basis = np.stack([binding @ shape for shape in scans.expression])
    return _mirrored(basis, mirror)


def rigidity(basis: F64) -> F64:
    """Pose weights [478]: what moves least with expression counts most; irises not at all."""
    motion = np.sqrt((basis**2).sum(2)).max(0)
    weights = 1.0 / (0.02 + motion) ** 2
    weights[lm.SURFACE_COUNT :] = 0.0
    return np.asarray(weights / weights.max())


def fit_rig(clips: Sequence[Clip], mean: F64, mirror: I32, prior: F64) -> tuple[Rig, list[F64]]:
    """Blendshapes, and every clip's neutral, from the clips and their mirror images.

    clips: scores relative to a face at rest (`learn.model.teacher`). prior: float64 [52, 478, 3].
    """
    basis, neutrals, scores = prior, [mean] * len(clips), [clip.scores for clip in clips]
    variance = np.mean([clip.scores.var(0) for clip in clips], axis=0)
    hold = TEACHER_SCALE / (0.5 * (variance + variance[list(MIRROR)]) + LEAST_VARIANCE)
    seen: list[_Seen] = []
    for turn in range(ROUNDS + REFINEMENTS):
        if turn >= ROUNDS:
            scores = [
                _explaining(clip.scores, item.shapes - neutral, basis, hold)
                for clip, item, neutral in zip(clips, seen, neutrals, strict=True)
            ]
        seen = [
            _seen(clip, values, neutral, basis)
            for clip, values, neutral in zip(clips, scores, neutrals, strict=True)
        ]
        basis = _regressed(seen, scores, prior, mirror)
        neutrals = [item.shape_mean - np.einsum("e,enc->nc", item.score_mean, basis) for item in seen]
    return Rig(mean, basis, mirror), neutrals


def _seen(clip: Clip, scores: F64, neutral: F64, basis: F64) -> _Seen:
    weights = rigidity(basis)
    posed = neutral + np.einsum("te,enc->tnc", scores, basis)
    poses = [align(s, p, weights) for s, p in zip(posed, clip.points_px, strict=True)]
    shapes = np.array([pose.unproject(p) for pose, p in zip(poses, clip.points_px, strict=True)])
    turned = np.array([1.0 - pose.rotation[2, 2] for pose in poses])
    count = np.exp(-2 * turned / SIDEWAYS_IOD**2) * CLIP_FRAMES / len(turned)
    return _Seen(
        shapes,
        count,
        np.average(scores, axis=0, weights=count),
        np.average(shapes, axis=0, weights=count),
    )


def _regressed(seen: Sequence[_Seen], scores: Sequence[F64], prior: F64, mirror: I32) -> F64:
    """argmin_B sum |x - B s|^2 + |B - gain prior|^2 under the prior's precision, landmark by landmark."""
    gram = np.zeros((BLENDSHAPE_COUNT, BLENDSHAPE_COUNT))
    moment = np.zeros((BLENDSHAPE_COUNT, 3 * lm.LANDMARK_COUNT))
    for item, values in zip(seen, scores, strict=True):
        moved = item.shapes - item.shape_mean
        change = values - item.score_mean
        for b, x in ((change, moved), (change[:, list(MIRROR)], (moved * REFLECT)[:, mirror])):
            gram += b.T @ (item.count[:, None] * b)
            moment += (item.count[:, None] * b).T @ x.reshape(len(x), -1)
    scaled = prior * _gains(gram, moment, prior)[:, None, None]
    expected = STILL_IOD**2 + (MOVING * np.linalg.norm(scaled, axis=2)) ** 2
    precision = PRIOR_STRENGTH * UNIT_IOD**2 / expected
    by_landmark = moment.reshape(prior.shape)
    basis = np.empty_like(prior)
    for landmark in range(lm.LANDMARK_COUNT):
        held = precision[:, landmark, None]
        target = by_landmark[:, landmark] + held * scaled[:, landmark]
        basis[:, landmark] = np.linalg.solve(gram + np.diag(held[:, 0]), target)
    # Mirrored data make it symmetric up to rounding; this makes it exact.
    return _mirrored(basis, mirror)


def _gains(gram: F64, moment: F64, prior: F64) -> F64:
    """The amplitude [52] at which each of the prior's shapes fits the data best, within limits around 1."""
    flat = prior.reshape(BLENDSHAPE_COUNT, -1)
    products = flat @ flat.T
    held = GAIN_STRENGTH * np.maximum(np.diag(products), 1e-9)
    normal = gram * products + np.diag(held)
    target = (moment * flat).sum(1) + held
    factor = np.linalg.cholesky(normal)
    gains, _ = nnls(factor.T, np.linalg.solve(factor, target))
    return np.asarray(np.clip(0.5 * (gains + gains[list(MIRROR)]), LEAST_GAIN, MOST_GAIN))


def _explaining(scores: F64, moved: F64, basis: F64, hold: F64) -> F64:
    """Coefficients [T, 52], 0..1, that explain the shapes' change [T, 478, 3] and stay near the scores."""
    weights = np.ones((lm.LANDMARK_COUNT, 3))
    weights[:, 2] = DEPTH_WEIGHT**2
    weights[lm.SURFACE_COUNT :] *= IRIS_WEIGHT**2
    flat = basis.reshape(BLENDSHAPE_COUNT, -1)
    weighted = (flat * weights.ravel()).T
    normal = flat @ weighted + np.diag(hold)
    target = moved.reshape(len(moved), -1) @ weighted + hold * scores
    return np.asarray(np.clip(np.linalg.solve(normal, target.T).T, 0.0, 1.0))


def _mirrored(basis: F64, mirror: I32) -> F64:
    return np.asarray(0.5 * (basis + (basis * REFLECT)[list(MIRROR)][:, mirror]))
