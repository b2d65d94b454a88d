"""How a head moved between two frames, and whether something else is seen there. For `occlusion`.

Loops over a few points and pixels: as array calls they cost six times as much between two frames, see `fit`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
C128 = npt.NDArray[np.complex128]
B8 = npt.NDArray[np.bool_]


@njit(cache=CACHE, nogil=True)
def similarity(before: C128, now: C128) -> F64:
    """The similarity [2, 3] that takes points [N] to others with least squares; points as complex numbers."""
    count = before.shape[0]
    x, y, to_x, to_y = 0.0, 0.0, 0.0, 0.0
    for n in range(count):
        x, y = x + before[n].real / count, y + before[n].imag / count
        to_x, to_y = to_x + now[n].real / count, to_y + now[n].imag / count
    along, across, size = 0.0, 0.0, 0.0
    for n in range(count):
        away_x, away_y = before[n].real - x, before[n].imag - y
        there_x, there_y = now[n].real - to_x, now[n].imag - to_y
        along += away_x * there_x + away_y * there_y
        across += away_x * there_y - away_y * there_x
        size += away_x * away_x + away_y * away_y
    a, b = along / max(size, 1e-9), across / max(size, 1e-9)
    out = np.empty((2, 3))
    out[0, 0], out[0, 1], out[0, 2] = a, -b, to_x - a * x + b * y
    out[1, 0], out[1, 1], out[1, 2] = b, a, to_y - b * x - a * y
    return out


@njit(cache=CACHE, nogil=True)
def places_changed(now: F32, then: F32, counts: B8, limit: float) -> int:
    """Of how many places, of those that count [H, W], a channel changed by more than a limit.

    now, then: float32 [C, H, W].
    """
    found = 0
    for i in range(counts.shape[0]):
        for j in range(counts.shape[1]):
            change = np.float32(0.0)
            for c in range(now.shape[0]):
                change = max(change, abs(now[c, i, j] - then[c, i, j]))
            found += int(counts[i, j] and change > limit)
    return found
