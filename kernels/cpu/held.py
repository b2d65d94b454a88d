"""What is held over time, and how far from it everything lies, in the face's square. For `occlusion`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE

F32 = npt.NDArray[np.float32]

HALF = 0.5  # the level from which a place is held


KINDS = 3
LATCH, NUMBERS = KINDS, KINDS + 1  # at each place a state has KINDS smoothed probabilities, and what was held


@njit(cache=CACHE, nogil=True, fastmath=True)
def carry_held(before: F32, matrix: F32, out: F32) -> None:
    """A state where the face is now; edges are repeated.

    before, out: float32 [S, S, NUMBERS]. matrix: float32 [2, 3], from places in the new square to places in
    the one before, where sample (i, j) lies at row i and column j.
    """
    side = before.shape[0]
    zero, last = np.float32(0.0), np.float32(side - 1)
    for i in range(side):
        for j in range(side):
            x = matrix[0, 0] * np.float32(j) + matrix[0, 1] * np.float32(i) + matrix[0, 2]
            y = matrix[1, 0] * np.float32(j) + matrix[1, 1] * np.float32(i) + matrix[1, 2]
            x, y = min(max(x, zero), last), min(max(y, zero), last)
            n, m = min(int(x), side - 2), min(int(y), side - 2)
            tx, ty = x - np.float32(n), y - np.float32(m)
            here, upper, lower = out[i, j], before[m], before[m + 1]
            for k in range(NUMBERS):
                above = upper[n, k] + (upper[n + 1, k] - upper[n, k]) * tx
                below = lower[n, k] + (lower[n + 1, k] - lower[n, k]) * tx
                here[k] = above + (below - above) * ty


@njit(cache=CACHE, nogil=True)
def step_held(seen: F32, rise: float, fall: float, hold: float, state: F32, level: F32) -> tuple[int, int]:
    """One look: smoothed probabilities, what is held of each kind, and the level of all kinds.

    Args:
        seen: float32 [KINDS, S, S], probabilities 0..1; what is no number counts as 1.
        rise, fall: the share of the way that a probability goes, up and down.
        hold: what having been held adds to the level.
        state: float32 [S, S, NUMBERS], carried, brought up to date.
        level: float32 [S, S], written: held from HALF on.

    Returns:
        At how many places the first kind is held on its own, and at how many that changed.
    """
    side = level.shape[0]
    held, changed = 0, 0
    up, down, half = np.float32(rise), np.float32(fall), np.float32(HALF)
    for i in range(side):
        for j in range(side):
            here, most = state[i, j], np.float32(0.0)
            was = here[0] >= half
            for k in range(KINDS):
                p, before = seen[k, i, j], here[k]
                p = p if p <= np.float32(1.0) else np.float32(1.0)
                now = before + (p - before) * (up if p > before else down)
                here[k] = now
                most = max(most, now)
            most += np.float32(hold) * here[LATCH]
            here[LATCH] = np.float32(1.0) if most >= half else np.float32(0.0)
            level[i, j] = most
            held += here[0] >= half
            changed += (here[0] >= half) != was
    return held, changed


@njit(cache=CACHE, nogil=True, fastmath=True, inline="always")
def _nearer(sources: F32, i: int, j: int, i2: int, j2: int) -> None:
    """Take over a neighbour's source where it is nearer. sources: x, y and squared distance."""
    x, y = sources[i2, j2, 0], sources[i2, j2, 1]
    away_x, away_y = np.float32(j) - x, np.float32(i) - y
    square = away_x * away_x + away_y * away_y
    if square < sources[i, j, 2]:
        sources[i, j, 0], sources[i, j, 1], sources[i, j, 2] = x, y, square


@njit(cache=CACHE, nogil=True, fastmath=True)
def distances_to_line(level: F32, sources: F32, grow: float, scale: float, out: F32) -> None:
    """How far samples are from the line where the level crosses HALF, by two sweeps over the square.

    Danielsson 1980, "Euclidean distance mapping", with sources on the line itself in place of samples.

    Args:
        level: float32 [S, S].
        sources: float32 [S, S, 3], scratch.
        grow: samples by which what is held is made larger.
        scale: of the distances that are written.
        out: float32 [S, S], written; 0 where it is held.
    """
    side = level.shape[0]
    half, none = np.float32(HALF), np.float32(1e8)
    for i in range(side):
        for j in range(side):
            here = level[i, j]
            sources[i, j, 0], sources[i, j, 1], sources[i, j, 2] = none, none, none
            if here >= half:
                sources[i, j, 0], sources[i, j, 1], sources[i, j, 2] = np.float32(j), np.float32(i), 0.0
                continue
            # Towards the higher neighbours: beside something held, the line lies within a sample.
            left, right = level[i, max(j - 1, 0)], level[i, min(j + 1, side - 1)]
            above, below = level[max(i - 1, 0), j], level[min(i + 1, side - 1), j]
            if max(left, right, above, below) < half:
                continue
            rise_x, rise_y = max(left, right) - here, max(above, below) - here
            rise_x, rise_y = max(rise_x, np.float32(0.0)), max(rise_y, np.float32(0.0))
            share = (half - here) / (rise_x * rise_x + rise_y * rise_y)
            x, y = share * rise_x, share * rise_y
            sources[i, j, 0] = np.float32(j) + (x if right > left else -x)
            sources[i, j, 1] = np.float32(i) + (y if below > above else -y)
            sources[i, j, 2] = x * x + y * y
    for i in range(side):
        for j in range(side):
            if i > 0:
                _nearer(sources, i, j, i - 1, j)
                if j > 0:
                    _nearer(sources, i, j, i - 1, j - 1)
                if j < side - 1:
                    _nearer(sources, i, j, i - 1, j + 1)
            if j > 0:
                _nearer(sources, i, j, i, j - 1)
        for j in range(side - 2, -1, -1):
            _nearer(sources, i, j, i, j + 1)
    for i in range(side - 1, -1, -1):
        for j in range(side - 1, -1, -1):
            if i < side - 1:
                _nearer(sources, i, j, i + 1, j)
                if j > 0:
                    _nearer(sources, i, j, i + 1, j - 1)
                if j < side - 1:
                    _nearer(sources, i, j, i + 1, j + 1)
            if j < side - 1:
                _nearer(sources, i, j, i, j + 1)
        for j in range(1, side):
            _nearer(sources, i, j, i, j - 1)
    for i in range(side):
        for j in range(side):
            far = np.sqrt(sources[i, j, 2]) - np.float32(grow)
            free = level[i, j] < half and far > np.float32(0.0)
            out[i, j] = far * np.float32(scale) if free else np.float32(0.0)
