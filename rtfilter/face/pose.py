"""Head pose by weighted 3D alignment, weak perspective.

Weak perspective, because it is the space that the tracker itself answers in: FaceMesh gives x, y and
a z "in the unit of x" with the camera's perspective already divided out. A webcam face at 50 cm has
relief of about 10 cm, and what perspective remains is absorbed by the identity residual.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating[Any]]

POLAR_ITERATIONS = 8


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
        forward = -self.rotation[:, 2]
        yaw = np.arctan2(forward[0], -forward[2])
        pitch = np.arctan2(forward[1], np.hypot(forward[0], forward[2]))
        right = self.rotation[:, 0]
        return (
            float(np.degrees(yaw)),
            float(np.degrees(pitch)),
            float(np.degrees(np.arctan2(right[1], right[0]))),
        )


def nearest_rotation(matrix: F64) -> F64:
    """The rotation nearest to `matrix` [3, 3]: its orthogonal factor by scaled Newton iteration (Higham
    1986, eq. 3.5).

    A fixed number of branch-free steps; eight reach float64 accuracy for condition numbers up to 1e4.
    The sum with 1e-12 keeps a flat (all landmarks in one line) matrix finite: some rotation comes out.
    """
    estimate = matrix / max(float(np.abs(matrix).max()), 1e-300) + 1e-12 * np.eye(3)
    for _ in range(POLAR_ITERATIONS):
        inverse_t = np.linalg.inv(estimate).T
        gamma = np.sqrt(np.abs(inverse_t).max() / np.abs(estimate).max())
        estimate = 0.5 * (gamma * estimate + inverse_t / gamma)
    if np.linalg.det(estimate) < 0.0:
        # Inside out, as no face is, but garbage may be: the orthogonal factor is then a reflection.
        u, _, vt = np.linalg.svd(matrix)
        estimate = u * np.array([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    return np.asarray(estimate)


def align(shape_iod: Floats, points_px: Floats, weights: F64) -> Pose:
    """The pose that takes `shape_iod` [N, 3] to `points_px` [N, 3], least squares under `weights` [N].

    Rotation from all three coordinates (Horn 1988's problem, solved by polar decomposition), scale
    from x and y alone because the tracker's depth is its least certain coordinate.
    """
    w = (weights / weights.sum())[:, None]
    shape_mean, points_mean = (w * shape_iod).sum(0), (w * points_px).sum(0)
    shape0, points0 = shape_iod - shape_mean, points_px - points_mean
    rotation = nearest_rotation(np.asarray(points0.T @ (w * shape0), dtype=np.float64))
    turned = shape0 @ rotation.T
    flat = (w * turned * turned)[:, :2].sum()
    scale = float((w * turned * points0)[:, :2].sum() / max(float(flat), 1e-12))
    scale = max(scale, 1e-6)
    return Pose(rotation, points_mean - scale * (rotation @ shape_mean), scale)
