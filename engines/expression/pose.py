"""Head pose as a graph: `rtfilter.face.pose.align` for a batch, without branches.

The rotation is Horn's ("Closed-form solution of absolute orientation using unit quaternions", 1987, section
4): the quaternion that belongs to the largest eigenvalue of a symmetric [4, 4] matrix, which is linear in
the cross moments. The matrix is squared a few times, so that of all eigenvectors only that one is left,
q q^T, and the rotation's entries are linear in that. It is the same rotation as the CPU's polar
decomposition, also of flat or mirrored point sets, and takes six small products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.engines.expression.values import Formula, Value

F64 = npt.NDArray[np.float64]

# Squared six times, the next eigenvalue's part is its ratio to the largest to the power of 64. Of a face this
# ratio is about 0.4; the power is of the order of 1e-25, far below float32.
SQUARINGS: Final = 6


@dataclass(frozen=True, slots=True)
class PoseValues:
    """rotation: [B, 9], row by row. scale: [B, 1]. turned_iod: [B, 478, 3], the points in the head frame,
    about their mean. neutral_iod: [B, 478, 3], about its mean. points_mean_px, neutral_mean_iod: [B, 1, 3].
    """

    rotation: Value
    scale: Value
    turned_iod: Value
    neutral_iod: Value
    points_mean_px: Value
    neutral_mean_iod: Value

    def translation_px(self) -> Value:
        """[B, 3]."""
        head = self.neutral_mean_iod @ self.rotation.reshape(-1, 3, 3).turned()
        return (self.points_mean_px - head * self.scale.reshape(-1, 1, 1)).reshape(-1, 3)


def align(f: Formula, neutral_iod: Value, points_px: Value, rigidity: F64) -> PoseValues:
    """The pose that takes `neutral_iod` to `points_px`, both [B, 478, 3], under weights [478]."""
    weights = rigidity / rigidity.sum()
    both = f.joined(points_px, neutral_iod, axis=2)
    means = f.constant(weights[None, None]) @ both
    both = both - means
    points, neutral = both.split(3, 3, axis=2)
    moments = both.turned() @ (neutral * weights[:, None])
    cross, power = moments.split(3, 3)
    cross = cross.reshape(-1, 9)
    rotation = nearest_rotation(f, cross)
    matrix = rotation.reshape(-1, 3, 3)
    # Over the rotation's first two rows, those of x and y: what the points have of it, what the shape has.
    products = f.joined(cross, (matrix @ power).reshape(-1, 9)) * f.joined(rotation, rotation)
    found, spread = (products @ _FLAT).split(1, 1)
    scale = (found / spread.at_least(1e-12)).at_least(1e-6)
    points_mean, neutral_mean = means.split(3, 3, axis=2)
    turned = points @ (matrix / scale.reshape(-1, 1, 1))
    return PoseValues(rotation, scale, turned, neutral, points_mean, neutral_mean)


def nearest_rotation(f: Formula, matrix: Value) -> Value:
    """The rotation closest to each matrix [B, 9], [B, 9]; of a matrix that is all zero, zero."""
    length = matrix.reduce("ReduceL2", [1]).at_least(1e-20)
    # Of a matrix of length 1, all eigenvalues lie within +-sqrt(3), and the largest is 1 at least (0.5 where
    # it mirrors). Raised by 1 and halved, it lies within 0.7..1.4: its 64th power needs no scaling.
    squared = ((matrix / length) @ (0.5 * _HORN) + 0.5 * np.eye(4).reshape(1, 16)).reshape(-1, 4, 4)
    for _ in range(SQUARINGS):
        squared = squared @ squared
    rotation, trace = (squared.reshape(-1, 16) @ _ROTATION_AND_TRACE).split(9, 1)
    return rotation / trace


def _horn() -> F64:
    """[9, 16]: cross moments (points by shape) to Horn's matrix."""
    rows = np.zeros((3, 3, 4, 4))
    for point in range(3):
        for shape in range(3):
            s = np.zeros((3, 3))  # Horn's S: left (shape) by right (points)
            s[shape, point] = 1.0
            off = np.array([s[1, 2] - s[2, 1], s[2, 0] - s[0, 2], s[0, 1] - s[1, 0]])
            rows[point, shape, 0, 0] = np.trace(s)
            rows[point, shape, 0, 1:] = rows[point, shape, 1:, 0] = off
            rows[point, shape, 1:, 1:] = s + s.T - np.trace(s) * np.eye(3)
    return rows.reshape(9, 16)


def _rotation_and_trace() -> F64:
    """[16, 10]: q q^T to the nine entries of q's rotation, and to its trace |q|^2."""
    out = np.zeros((4, 4, 10))
    for n in range(3):
        i, j, k = n + 1, (n + 1) % 3 + 1, (n + 2) % 3 + 1  # the quaternion's axes, cyclic
        diagonal, above, below = 4 * n, 3 * n + (n + 1) % 3, 3 * ((n + 1) % 3) + n
        out[0, 0, diagonal] = out[i, i, diagonal] = 1.0
        out[j, j, diagonal] = out[k, k, diagonal] = -1.0
        out[i, j, above] = out[i, j, below] = 2.0
        out[0, k, above], out[0, k, below] = -2.0, 2.0
    out[range(4), range(4), 9] = 1.0
    return out.reshape(16, 10)


_HORN: Final = _horn()
_ROTATION_AND_TRACE: Final = _rotation_and_trace()
_FLAT: Final = np.kron(np.eye(2), np.repeat([1.0, 1.0, 0.0], 3)[:, None])
