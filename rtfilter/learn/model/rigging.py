"""Example-based rigging: a mean face and blendshapes fitted to tracked people, anatomy as the prior.

Where footage shows a blendshape often, the data decide; where it never does, the prior stays (Li, Weise,
Pauly 2010, "Example-based facial rigging", with the teacher's scores in place of their optimised
weights, which makes the fit one linear least-squares problem). Called by `learn.model.build_face_model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from mediapipe.python.solutions.face_mesh_connections import FACEMESH_TESSELATION

from rtfilter.controls import BLENDSHAPE_COUNT, MIRROR
from rtfilter.face import landmarks as lm
from rtfilter.face.model import MorphableModel
from rtfilter.face.pose import align
from rtfilter.learn.model.muscles import build_prior
from rtfilter.learn.model.observe import Clip
from rtfilter.learn.model.topology import hole_triangles, mirror_permutation, triangles_from_edges

F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]

PRIOR_STRENGTH = 40.0  # in frames with that blendshape fully on
CLIP_FRAMES = 300.0  # every clip counts as this many frames, however long it is
SIDEWAYS_IOD = 0.35
IDENTITY_COUNT = 8
ROUNDS = 3
REFLECT = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Rig:
    """Mean and blendshapes in IODs, and the mirror that both obey exactly."""

    mean_iod: F64
    basis: F64
    mirror: I32


def mean_face(clips: Sequence[Clip]) -> tuple[F64, I32]:
    """The symmetric, level mean [478, 3] of the clips' quietest frames, and the mirror permutation."""
    quiet = {clip.name: clip.points_px[_quietest(clip)] for clip in clips}
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


def rigidity(basis: F64) -> F64:
    """Pose weights [478]: what moves least with expression counts most; irises not at all."""
    motion = np.sqrt((basis**2).sum(2)).max(0)
    weights = 1.0 / (0.02 + motion) ** 2
    weights[lm.SURFACE_COUNT :] = 0.0
    return np.asarray(weights / weights.max())


def fit_rig(clips: Sequence[Clip], mean: F64, mirror: I32, prior: F64 | None = None) -> tuple[Rig, list[F64]]:
    """Blendshapes and every person's neutral from the clips and their mirror images."""
    prior = build_prior(mean, mirror) if prior is None else prior
    basis, neutrals = prior, [mean] * len(clips)
    for _ in range(ROUNDS):
        weights = rigidity(basis)
        gram = PRIOR_STRENGTH * np.eye(BLENDSHAPE_COUNT)
        moment = PRIOR_STRENGTH * prior.reshape(BLENDSHAPE_COUNT, -1)
        means = []
        for clip, neutral in zip(clips, neutrals, strict=True):
            posed = neutral + np.einsum("te,enc->tnc", clip.scores, basis)
            poses = [align(s, p, weights) for s, p in zip(posed, clip.points_px, strict=True)]
            shapes = np.array([pose.unproject(p) for pose, p in zip(poses, clip.points_px, strict=True)])
            turned = np.array([1.0 - pose.rotation[2, 2] for pose in poses])
            count = np.exp(-2 * turned / SIDEWAYS_IOD**2) * CLIP_FRAMES / len(turned)
            score_mean = np.average(clip.scores, axis=0, weights=count)
            shape_mean = np.average(shapes, axis=0, weights=count)
            scores, moved = clip.scores - score_mean, shapes - shape_mean
            for b, x in ((scores, moved), (scores[:, list(MIRROR)], (moved * REFLECT)[:, mirror])):
                gram += b.T @ (count[:, None] * b)
                moment += (count[:, None] * b).T @ x.reshape(len(x), -1)
            means.append((score_mean, shape_mean))
        solved = np.linalg.solve(gram, moment).reshape(prior.shape)
        # Mirrored data make it symmetric up to rounding; this makes it exact.
        basis = 0.5 * (solved + (solved * REFLECT)[list(MIRROR)][:, mirror])
        neutrals = [shape - np.einsum("e,enc->nc", score, basis) for score, shape in means]
    return Rig(mean, basis, mirror), neutrals


def to_model(rig: Rig, neutrals: Sequence[F64]) -> MorphableModel:
    """The rig with an identity basis learned from the people's neutrals and their mirror images."""
    people = np.array([*neutrals, *[(n * REFLECT)[rig.mirror] for n in neutrals]])
    mean = people.mean(0)
    mean = 0.5 * (mean + (mean * REFLECT)[rig.mirror])
    _, spread, directions = np.linalg.svd((people - mean).reshape(len(people), -1), full_matrices=False)
    count = min(IDENTITY_COUNT, len(neutrals))
    return MorphableModel(
        mean_iod=mean.astype(np.float32),
        expression_basis=rig.basis.astype(np.float32),
        identity_basis=directions[:count].reshape(count, *mean.shape).astype(np.float32),
        identity_scale=(spread[:count] / np.sqrt(len(people))).astype(np.float32),
        rigidity=rigidity(rig.basis).astype(np.float32),
        mirror=rig.mirror.astype(np.int32),
        triangles=triangles_from_edges(FACEMESH_TESSELATION),
        holes=hole_triangles(),
    )


def _quietest(clip: Clip, share: float = 0.05) -> npt.NDArray[np.intp]:
    order = np.argsort(clip.scores.sum(1))
    return order[: max(5, int(len(order) * share))]


def _iod(shape: F64) -> float:
    return float(np.linalg.norm(shape[lm.EYE_OUTER_RIGHT] - shape[lm.EYE_OUTER_LEFT]))


def _level(shape: F64) -> F64:
    """Turned about x so that the top of the forehead and the chin have the same depth."""
    top, chin = shape[lm.FACE_OVAL[0]], shape[lm.CHIN]
    angle = np.arctan2(top[2] - chin[2], chin[1] - top[1])
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(shape @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]).T)
