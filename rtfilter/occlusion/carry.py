"""How a head moved between two frames, by landmarks that faces do not move. For `occlusion.watch`."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.kernels.cpu.similar import similarity
from rtfilter.occlusion.band import RIGID

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

_RIGID: Final = np.array(RIGID)


def rigid_points(points_px: F32) -> F64:
    """The landmarks that count, as complex numbers [N]."""
    return np.asarray(points_px[_RIGID, :2].astype(np.float64).view(np.complex128)[:, 0])


def moved(before: F64, now: F64) -> F64:
    """The similarity [2, 3] that takes `before` to `now` with least squares; both of `rigid_points`."""
    return np.asarray(similarity(before, now))


def after(second: F64, first: F64) -> F64:
    """The affine map [2, 3] that is `first`, then `second`."""
    # Of so few numbers as such: array calls take four times as long.
    (a, b, x), (c, d, y) = second.tolist()
    (p, q, u), (r, s, v) = first.tolist()
    return np.array(
        [[a * p + b * r, a * q + b * s, a * u + b * v + x], [c * p + d * r, c * q + d * s, c * u + d * v + y]]
    )


def inverse(matrix: F64) -> F64:
    """Of a similarity [2, 3]."""
    (a, _, x), (b, _, y) = matrix.tolist()
    size = max(a * a + b * b, 1e-12)
    a, b = a / size, b / size
    return np.array([[a, b, -a * x - b * y], [-b, a, b * x - a * y]])
