"""Landmarks to expression and identity as a graph: `rtfilter.face.fit.FaceFit` for a batch.

Called by `expression.graph`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.engines.expression.pose import PoseValues
from rtfilter.engines.expression.values import Value
from rtfilter.face import fit as reference
from rtfilter.face.fit import FitConstants
from rtfilter.face.landmarks import LANDMARK_COUNT, SURFACE_COUNT

F64 = npt.NDArray[np.float64]
NUMBERS = 3 * LANDMARK_COUNT


@dataclass(frozen=True, slots=True)
class Learned:
    """The person's state: weight [B, 1] and off_mean_iod [B, 1434], the neutral less the mean face."""

    weight: Value
    off_mean_iod: Value


def neutral(known: FitConstants, person: Learned, seeding: Value) -> tuple[Value, Value]:
    """The person's neutral [B, 478, 3] and its identity coefficients [B, I]; the mean face when seeding."""
    off_mean = person.off_mean_iod * (1.0 - seeding)
    shrunk = (known.identity_basis * known.identity_shrink[:, None]).T
    identity = off_mean @ shrunk
    trust = person.weight / (person.weight + reference.HALF_COMMIT_WEIGHT)
    explained = (identity * (1.0 - trust)) @ known.identity_basis
    flat = explained + off_mean * trust + known.mean_iod.reshape(1, -1)
    return flat.reshape(-1, LANDMARK_COUNT, 3), identity


def expression(known: FitConstants, difference: Value, seeding: Value) -> Value:
    """The coefficients [B, 52] that explain `difference` [B, 1434]: ADMM as in `FaceFit._solve`.

    With z the value before clipping, c = clip(z), rho the penalty, r the relaxation and S = (G + rho I)^-1,
    the dual is z - c, and a step is z' = z - r c + r S (target + rho (2 c - z)). Written as

        z' = (r rho S - I) (2 c - z) + (2 - r) c + r S target

    it is one product of 52 numbers between pointwise operations, which TensorRT makes one kernel of. When
    seeding [B, 1], the first product also takes out the identity, as `FaceFit.seed` does.
    """
    eye, r = np.eye(BLENDSHAPE_COUNT), reference.RELAXATION
    weighted: F64 = (known.basis.astype(np.float64) * known.point_weights).T
    solved: F64 = np.concatenate([known.gram_inverse, r * known.split_inverse], axis=1)
    plain: F64 = weighted @ solved
    seed: F64 = plain - known.seed_rows.T @ (known.identity_basis @ plain)
    first, other = (difference @ np.concatenate([plain, seed], axis=1)).split(*2 * [2 * BLENDSHAPE_COUNT])
    free, pull = (first + (other - first) * seeding).split(BLENDSHAPE_COUNT, BLENDSHAPE_COUNT)
    step: F64 = r * known.rho * known.split_inverse - eye
    inside = free.clip(0.0, 1.0)
    reflected = inside
    for _ in range(reference.SPLIT_STEPS):
        ahead = reflected @ step + (inside * (2.0 - r) + pull)
        inside = ahead.clip(0.0, 1.0)
        reflected = inside * 2.0 - ahead
    return inside


def residual(left: Value) -> Value:
    """Median distance [B, 1] of the surface's landmarks from the reconstruction. left: [B, 1434]."""
    surface = left.part(0, 3 * SURFACE_COUNT).reshape(-1, SURFACE_COUNT, 3)
    nearer = surface.reduce("ReduceSumSquare", [2], keep=False).smallest(SURFACE_COUNT // 2 + 1)
    return nearer.part(SURFACE_COUNT // 2, SURFACE_COUNT // 2 + 1).function("Sqrt")


def learn(
    person: Learned,
    sample_iod: Value,
    coefficients: Value,
    pose: PoseValues,
    since_s: Value,
    seeding: Value,
    face: Value,
) -> Learned:
    """The person after this frame; unchanged without a face, this frame's own shape when seeding.

    sample_iod: [B, 1434], this frame's shape without its expression, less the mean face. since_s: [B, 1],
    since the last frame that was learned from. face, seeding: [B, 1], 0 or 1.
    """
    unlike = sample_iod - person.off_mean_iod
    power = coefficients.reduce("ReduceSumSquare", [1])
    quiet = (power * (-1.0 / reference.QUIET_POWER)).function("Exp")
    frontal = ((pose.rotation.part(8, 9) - 1.0) * (1.0 / reference.FRONTAL_COSINE)).function("Exp")
    typical = np.sqrt(LANDMARK_COUNT) * reference.OUTLIER_IOD
    surprise = (unlike.reduce("ReduceL2", [1]) * (1.0 / typical)).at_least(1.0)
    evidence = since_s.clip(0.0, reference.LONGEST_STEP_S) * reference.WEIGHT_PER_S
    count = quiet * (1.0 - reference.LEAST_SHARE) + reference.LEAST_SHARE
    gain = evidence * count * frontal / surprise
    weight = person.weight + gain
    # Before any evidence both are 0.
    share = (gain / weight.at_least(1e-12)).at_least(seeding) * face
    kept = weight.at_most(reference.FULL_WEIGHT) * (1.0 - seeding) + seeding
    weight = kept * face + person.weight * (1.0 - face)
    return Learned(weight, person.off_mean_iod + unlike * share)
