"""Landmarks to pose, expression and identity, frame by frame; state in, state out.

Called by `filter`, `quality.evaluate` and `learn`; `engines.expression` has the same arithmetic as a
graph.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.face.landmarks import LANDMARK_COUNT, SURFACE_COUNT
from rtfilter.face.model import MorphableModel
from rtfilter.face.pose import Pose, align
from rtfilter.kernels.cpu.fit import apart_iod, explained_by, moved_by, neutral_of, unprojected, without

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

SPLIT_STEPS = 16
PENALTY = 0.3
RELAXATION = 1.6
# Of a landmark's coordinate around the model, in IOD^2: 0.007 IOD of noise, counted four times, because the
# errors of neighbouring landmarks go together.
NOISE_VARIANCE = 2e-4
LEAST_VARIANCE = 4e-3  # of a coefficient that the model's covariance knows nothing of
DEPTH_WEIGHT = 0.6  # the tracker's z is noisier than its x and y
IRIS_WEIGHT = 1.0

# A new person's first frame shows identity and expression at once. Of a coordinate around both, in IOD^2; and
# the share of the identity's variance that counts. Both chosen on 279 pictures of faces by emotion.
SEED_VARIANCE = 1e-2
SEED_SHARE = 0.3

# How fast the neutral commits to what is seen of a person. Evidence is counted in time, not frames: so much
# weight a second. The cap makes the memory about half a minute.
WEIGHT_PER_S = 30.0
FULL_WEIGHT = 900.0
LONGEST_STEP_S = 0.1
HALF_COMMIT_WEIGHT = 15.0  # at which half of what the identity basis does not explain is committed
QUIET_POWER = 0.5  # sum of squared coefficients at which a frame counts for 1/e
FRONTAL_COSINE = 0.05  # 1 - cos(angle off the camera) at which it does
LEAST_SHARE = 0.1  # what a frame with strong expression counts at least
OUTLIER_IOD = 0.03  # from this distance (root mean square) on, a frame counts the less the farther it is


@dataclass(frozen=True, slots=True)
class IdentityState:
    """The running average of the person's own neutral face.

    shape_iod: float64 [478, 3]. weight: how many frontal, quiet frames it is worth. time_s: of the last.
    """

    shape_iod: F64
    weight: float
    time_s: float


@dataclass(frozen=True, slots=True)
class FaceState:
    """The face in one frame.

    identity: float64 [I]; expression: float64 [52], 0..1; shape_iod: float64 [478, 3], the landmarks in
    the head frame; neutral_iod: the person's neutral; residual: median distance of landmarks from the
    model's reconstruction, in IODs.
    """

    pose: Pose
    identity: F64
    expression: F64
    shape_iod: F64
    neutral_iod: F64
    residual: float


class FitConstants:
    """The fit's constants for one model; N = 1434, the coordinates of all landmarks.

    mean_iod: float64 [478, 3]. rigidity: float64 [478]. basis: float32 [52, N], point_weights: float64 [N].
    gram_inverse, split_inverse, rho: of the expression's least squares, see `box_least_squares`.
    identity_basis: float32 [I, N]; identity_shrink: float64 [I], 0..1, the factor that noise leaves of its
    coefficients. seed_rows: float64 [I, N]: a single frame's identity coefficients from its difference to the
    mean face, most probable together with an expression.
    """

    def __init__(self, model: MorphableModel) -> None:
        self.mean_iod = model.mean_iod.astype(np.float64)
        self.rigidity = model.rigidity.astype(np.float64)
        # One float32 copy of each basis serves every product: it has to come from memory each frame.
        self.basis = model.expression_basis.reshape(BLENDSHAPE_COUNT, -1)
        weights = np.ones((LANDMARK_COUNT, 3))
        weights[:, 2] = DEPTH_WEIGHT**2
        weights[SURFACE_COUNT:] *= IRIS_WEIGHT**2
        self.point_weights = weights.ravel()
        basis = self.basis.astype(np.float64)
        gram = (basis * self.point_weights) @ basis.T
        # The coefficients' prior: Gaussian around 0, with the model's covariance.
        spread = model.expression_covariance.astype(np.float64) + LEAST_VARIANCE * np.eye(BLENDSHAPE_COUNT)
        prior = np.linalg.inv(0.5 * (spread + spread.T))
        gram += NOISE_VARIANCE * prior
        power = np.linalg.eigvalsh(gram)
        self.rho = PENALTY * float(np.sqrt(power[0] * power[-1]))
        self.gram_inverse = np.linalg.inv(gram)
        self.split_inverse = np.linalg.inv(gram + self.rho * np.eye(BLENDSHAPE_COUNT))
        self.identity_basis = model.identity_basis.reshape(len(model.identity_basis), -1)
        # Measured: a person's single quiet frame scatters by about 0.012 IOD a coordinate around their
        # average; each direction of the identity basis is weighed against that by its own variance.
        noise = 0.012**2 * 3
        variance = model.identity_scale.astype(np.float64) ** 2
        self.identity_shrink = variance / (variance + noise)
        both = np.concatenate([basis, self.identity_basis.astype(np.float64)])
        weighted = both * self.point_weights
        normal = weighted @ both.T
        normal[:BLENDSHAPE_COUNT, :BLENDSHAPE_COUNT] += SEED_VARIANCE * prior
        identities = normal[BLENDSHAPE_COUNT:, BLENDSHAPE_COUNT:]
        identities += np.diag(SEED_VARIANCE / np.maximum(SEED_SHARE * variance, 1e-12))
        self.seed_rows: F64 = np.linalg.solve(normal, weighted)[BLENDSHAPE_COUNT:]


class FaceFit:
    """The fit for one model, without state of a face."""

    def __init__(self, model: MorphableModel) -> None:
        self._constants = FitConstants(model)

    def first_identity(self) -> IdentityState:
        """The state before the first frame: the mean face with weight 0."""
        return IdentityState(self._constants.mean_iod, 0.0, 0.0)

    def seed(self, points_px: F32, time_s: float) -> IdentityState:
        """The state of a new person: the landmarks without the expression that they probably show.

        A face that starts with a smile is thus not learned as smiling, and a broad one not taken for a smile.
        """
        constants = self._constants
        shape = align(constants.mean_iod, points_px, constants.rigidity).unproject(points_px)
        difference = (shape - constants.mean_iod).ravel()
        identity = np.einsum("in,n->i", constants.seed_rows, difference)
        difference = difference - np.einsum("i,in->n", identity, constants.identity_basis)
        expression = self._solve(difference.reshape(LANDMARK_COUNT, 3))
        return IdentityState(shape - self._moved(expression), 1.0, time_s)

    def step(self, state: IdentityState, points_px: F32, time_s: float) -> tuple[FaceState, IdentityState]:
        """Fit one frame; the first one seeds the state.

        points_px: float32 [478, 3], finite, z smaller is nearer.
        """
        if state.weight == 0.0:
            state = self.seed(points_px, time_s)
        neutral, identity = self._neutral(state)
        pose = align(neutral, points_px, self._constants.rigidity)
        shape = unprojected(points_px, pose.rotation, pose.translation_px, pose.scale_px_per_iod)
        expression = self._solve(shape - neutral)
        rest, residual = without(shape, neutral, self._moved(expression), SURFACE_COUNT)
        state = self._learn(state, rest, expression, pose, time_s)
        return FaceState(pose, identity, expression, shape, neutral, residual), state

    def _solve(self, difference: F64) -> F64:
        """argmin_e |difference - basis e|^2 + noise e' covariance^-1 e, 0 <= e <= 1: a fixed number of steps
        of ADMM (Boyd et al. 2011, section 5.2, over-relaxed) from the clipped ridge solution.

        Measured on real faces against the converged solution: 0.002 off on average, 0.02 at p99.
        """
        # Loops, not BLAS: a call of this size would wake every thread for microseconds of work.
        constants = self._constants
        inverses = (constants.gram_inverse, constants.split_inverse)
        how = (inverses, constants.rho, RELAXATION, SPLIT_STEPS)
        return np.asarray(explained_by(difference, constants.basis, constants.point_weights, *how))

    def _moved(self, expression: F64) -> F64:
        return np.asarray(moved_by(expression, self._constants.basis))

    def _neutral(self, state: IdentityState) -> tuple[F64, F64]:
        """The person's neutral and identity coefficients: basis first, free form as evidence grows."""
        constants = self._constants
        committed = state.weight / (state.weight + HALF_COMMIT_WEIGHT)
        basis = (constants.identity_basis, constants.identity_shrink)
        neutral, identity = neutral_of(state.shape_iod, constants.mean_iod, *basis, committed)
        return neutral, identity

    def _learn(
        self, state: IdentityState, sample: F64, expression: F64, pose: Pose, time_s: float
    ) -> IdentityState:
        """Average in one expression-free shape; quiet, frontal, plausible frames count most."""
        sideways = 1.0 - float(pose.rotation[2, 2])
        quiet = math.exp(-float(np.einsum("e,e->", expression, expression)) / QUIET_POWER)
        frontal = math.exp(-sideways / FRONTAL_COSINE)
        surprise = apart_iod(sample, state.shape_iod) / OUTLIER_IOD
        robust = 1.0 / max(surprise, 1.0)
        elapsed_s = min(max(time_s - state.time_s, 0.0), LONGEST_STEP_S)
        gain = WEIGHT_PER_S * elapsed_s * (LEAST_SHARE + (1.0 - LEAST_SHARE) * quiet) * frontal * robust
        weight = state.weight + gain
        shape = state.shape_iod + (gain / weight) * (sample - state.shape_iod)
        return IdentityState(shape, min(weight, FULL_WEIGHT), time_s)
