"""Head pose by weighted 3D alignment, weak perspective.

The tracker's landmarks are in that space: x, y and a z "in the unit of x", the camera's perspective divided
out. What perspective remains of a face at 50 cm goes into the identity residual. Called by `face.fit`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.kernels.cpu.fit import rigid_motion
from rtfilter.kernels.cpu.solve import moments, orthogonal_factor

F64 = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating[Any]]

POLAR_ITERATIONS = 8
NO_FACE_DETERMINANT = 1e-3


@dataclass(frozen=True, slots=True)
class Pose:
    """camera_from_head: `points_px = scale * rotation @ points_iod + translation_px`.

    rotation: float64 [3, 3], proper. translation_px: float64 [3]. scale_px_per_iod: pixels that one
    inter-ocular distance covers when seen frontally.
    """

    rotation: F64
    translation_px: F64
    scale_px_per_iod: float

    def project(self, points_iod: Floats) -> F64:
        """Head frame [..., 3] to image pixels [..., 3] (z too, in pixels)."""
        turned = points_iod @ (self.scale_px_per_iod * self.rotation).T
        return np.asarray(turned + self.translation_px, dtype=np.float64)

    def unproject(self, points_px: Floats) -> F64:
        """Image pixels [..., 3] to the head frame [..., 3]; the exact inverse of `project`."""
        inverse = self.rotation / self.scale_px_per_iod
        return np.asarray((points_px - self.translation_px) @ inverse, dtype=np.float64)

    def project_vectors(self, vectors_iod: Floats) -> F64:
        """Head-frame directions [..., 3] to image displacements [..., 2] in pixels."""
        return np.asarray(vectors_iod @ (self.scale_px_per_iod * self.rotation[:2]).T, dtype=np.float64)

    @property
    def yaw_pitch_roll_deg(self) -> tuple[float, float, float]:
        """Degrees. Yaw > 0: nose to the image's right; pitch > 0: nose down; roll > 0: clockwise."""
        (right_x, _, back_x), (right_y, _, back_y), (_, _, back_z) = self.rotation.tolist()
        yaw = math.atan2(-back_x, back_z)
        pitch = math.atan2(-back_y, math.hypot(back_x, back_z))
        return math.degrees(yaw), math.degrees(pitch), math.degrees(math.atan2(right_y, right_x))


def nearest_rotation(matrix: F64) -> F64:
    """The rotation closest to `matrix` [3, 3], by Newton iteration (Higham 1986, eq. 3.4).

    Eight steps from a start of determinant 1 reach float64 accuracy for condition numbers up to 20; a face
    with its relief has about 8.
    """
    start = matrix / max(float(np.abs(matrix).max()), 1e-300)
    determinant = float(np.linalg.det(start))
    if determinant < NO_FACE_DETERMINANT:
        # Flat, in a line or inside out: no face.
        u, _, vt = np.linalg.svd(start)
        return np.asarray(u * np.array([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt)
    return np.asarray(orthogonal_factor(start / determinant ** (1 / 3), POLAR_ITERATIONS))


def align(shape_iod: Floats, points_px: Floats, weights: F64) -> Pose:
    """The pose that takes `shape_iod` [N, 3] to `points_px` [N, 3], least squares under `weights` [N].

    Rotation from all three coordinates (Horn 1988's problem, solved by polar decomposition), scale
    from x and y alone because the tracker's depth is its least certain coordinate.
    """
    shape, points = np.asarray(shape_iod, np.float64), np.asarray(points_px, np.float64)
    how = (weights, POLAR_ITERATIONS, NO_FACE_DETERMINANT)
    rotation, translation, scale, holds = rigid_motion(shape, points, *how)
    if holds:
        return Pose(rotation, translation, scale)
    shape_mean, points_mean, cross, power = moments(shape, points, weights / float(weights.sum()))
    rotation = nearest_rotation(cross)
    flat = rotation[:2]
    spread = float(np.einsum("rc,cd,rd->", flat, power, flat))
    scale = max(float((flat * cross[:2]).sum()) / max(spread, 1e-12), 1e-6)
    return Pose(rotation, points_mean - scale * (rotation @ shape_mean), scale)
