"""How a head moved between two frames, by landmarks that faces do not move. For `occlusion.watch`."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

# Corners of the eyes, the bridge of the nose, forehead and temples.
_RIGID: Final = np.array(
    (*lm.EYE_RIGHT_CORNERS, *lm.EYE_LEFT_CORNERS, 168, 6, 197, 195, 10, 127, 356, 234, 454)
)


def rigid_points(points_px: F32) -> F64:
    """The landmarks that count, as complex numbers [N]."""
    x, y = points_px[_RIGID, 0].astype(np.float64), points_px[_RIGID, 1].astype(np.float64)
    return np.asarray(x + 1j * y)


def moved(before: F64, now: F64) -> F64:
    """The similarity [2, 3] that takes `before` to `now` with least squares; both of `rigid_points`."""
    from_middle, to_middle = before.mean(), now.mean()
    away = before - from_middle
    turn = complex(np.vdot(away, now - to_middle)) / max(float(np.vdot(away, away).real), 1e-9)
    shift = complex(to_middle) - turn * complex(from_middle)
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def after(second: F64, first: F64) -> F64:
    """The affine map [2, 3] that is `first`, then `second`."""
    out = second[:, :2] @ first
    out[:, 2] += second[:, 2]
    return np.asarray(out)


def inverse(matrix: F64) -> F64:
    """Of a similarity [2, 3]."""
    (a, b), shift = matrix[:, 0], matrix[:, 2]
    size = max(float(a * a + b * b), 1e-12)
    back = np.array([[a, b], [-b, a]]) / size
    return np.column_stack([back, -back @ shift])
