"""The edit of one frame as compiled loops: smoothing, speech, what it moves and what it lights. For `face`.

As array calls they are a hundred a frame, which cost more than the work: see `fit`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from rtfilter.kernels.cpu import CACHE

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


@njit(cache=CACHE, nogil=True)
def glided(
    value: F64,
    slope: F64,
    sample: F64,
    cutoff_hz: F64,
    beta: F64,
    fall: F64,
    slope_cutoff_hz: float,
    interval_s: float,
    keep: float,
) -> tuple[F64, F64]:
    """Value and slope [N] of a One-Euro filter after a sample [N]; see `face.smooth`.

    keep: 1, or 0 where the sample passes unfiltered.
    """
    new, steep = np.empty_like(sample), np.empty_like(sample)
    turn = 2.0 * math.pi * interval_s
    steady = turn * slope_cutoff_hz / (1.0 + turn * slope_cutoff_hz)
    moves = 1.0 / max(interval_s, 1e-6) if interval_s > 0.0 else 0.0
    for n in range(sample.shape[0]):
        was, now = value[n], sample[n]
        speed = slope[n] + steady * ((now - was) * moves - slope[n])
        reach = turn * (cutoff_hz[n] + beta[n] * abs(speed))
        if now * was < was * was:
            reach *= fall[n]
        new[n] = keep * (was + reach / (1.0 + reach) * (now - was)) + (1.0 - keep) * now
        steep[n] = keep * speed
    return new, steep


@njit(cache=CACHE, nogil=True)
def asked_for(
    expression: F64,
    rising: F64,
    falling: F64,
    direct: F64,
    limit: float,
    dropped: F64,
    direct_room: F64,
    blink: F64,
    lids: I64,
    blinks: I64,
    lid_share: float,
) -> F64:
    """The offset [E] that a target asks for on top of an expression [E]; see `face.emotion.Target`.

    rising to direct: float64 [E], of the target. limit: of own expression and edit together.
    dropped: float64 [E], what of a rise is.
    direct_room, blink: float64 [E], limit of what is asked for by name, and what the expression takes of it.
    lids, blinks: int64 [L], what moves lids, and how closed those are. lid_share: what is lost by that.
    """
    offset = np.empty_like(expression)
    for e in range(expression.shape[0]):
        room = limit - expression[e]
        rise = rising[e] * (1.0 - dropped[e] * expression[e])
        offset[e] = room * math.tanh(rise / room) - falling[e] * expression[e]
        offset[e] += min(direct[e], max(direct_room[e] - blink[e] * expression[e], 0.0))
    for n in range(lids.shape[0]):
        offset[lids[n]] *= min(max(1.0 - lid_share * expression[blinks[n]], 0.0), 1.0)
    return offset


@njit(cache=CACHE, nogil=True)
def speaking(
    target: F64,
    raised: F64,
    lowered: F64,
    bound: F64,
    mouth: float,
    rows: F64,
    restore: F64,
    repair: F64,
    steps: int,
) -> F64:
    """The offset [E] nearest to a target [E] that leaves speech readable; see `face.mouth.MouthGuard`.

    raised, lowered: float64 [R], how much of each row may change. bound: float64 [P], of the first P rows.
    rows: float64 [R, E]. restore, repair: float64 [E, R] and [E, P].
    """
    wanted = np.empty(rows.shape[0])
    for r in range(rows.shape[0]):
        speech = 0.0
        for e in range(rows.shape[1]):
            speech += rows[r, e] * target[e]
        permitted = raised[r] * max(speech, 0.0) + lowered[r] * min(speech, 0.0)
        wanted[r] = speech - (1.0 - mouth) * permitted
    offset, over = np.empty_like(target), np.empty_like(bound)
    for e in range(target.shape[0]):
        offset[e] = target[e]
        for r in range(rows.shape[0]):
            offset[e] -= restore[e, r] * wanted[r]
    for _ in range(steps):
        for p in range(bound.shape[0]):
            change = 0.0
            for e in range(rows.shape[1]):
                change += rows[p, e] * offset[e]
            over[p] = change - min(max(change, -bound[p]), bound[p])
        for e in range(target.shape[0]):
            for p in range(bound.shape[0]):
                offset[e] -= repair[e, p] * over[p]
    return offset


@njit(cache=CACHE, nogil=True, fastmath=True)
def _product(basis: F32, offset: F64) -> F32:
    """`basis . offset`, float32 [M]. basis: float32 [E, M]."""
    moved = np.zeros(basis.shape[1], np.float32)
    for e in range(basis.shape[0]):
        share, row = np.float32(offset[e]), basis[e]
        if share != 0.0:
            for k in range(moved.shape[0]):
                moved[k] += share * row[k]
    return moved


@njit(cache=CACHE, nogil=True)
def projected(basis: F32, offset: F64, view: F64, scale: float, seen: F32) -> F32:
    """How far an offset [E] moves the landmarks, float32 [N, 2], in pixels.

    basis: float32 [E, 3 * N], in IODs. view: float64 [6], two rows of a rotation. scale: pixels an IOD.
    seen: float32 [N], the share that shows.
    """
    moved = _product(basis, offset)
    turn = np.empty(6, np.float32)
    for k in range(6):
        turn[k] = scale * view[k]
    out = np.empty((seen.shape[0], 2), np.float32)
    for n in range(seen.shape[0]):
        x, y, z = moved[3 * n], moved[3 * n + 1], moved[3 * n + 2]
        out[n, 0] = (turn[0] * x + turn[1] * y + turn[2] * z) * seen[n]
        out[n, 1] = (turn[3] * x + turn[4] * y + turn[5] * z) * seen[n]
    return out


@njit(cache=CACHE, nogil=True)
def shaded(
    light: F32,
    rotation: F64,
    offset: F64,
    normals: F64,
    turned: F32,
    painted: F32,
    strength: float,
    darkest: tuple[float, float],
    limit: float,
) -> F32:
    """The log gain float32 [N] that an offset [E] makes by turning skin to the light; see `face.light`.

    light: float32 [4]. normals: float64 [N, 3]. turned: float32 [E, 3 * N]. painted: float32 [N].
    darkest: of the mean shading, and at least.
    """
    count = normals.shape[0]
    towards = np.zeros(3)
    for c in range(3):
        for r in range(3):
            towards[c] += rotation[r, c] * light[1 + r]
    before, mean = np.empty(count), 0.0
    for n in range(count):
        before[n] = light[0] + (
            normals[n, 0] * towards[0] + normals[n, 1] * towards[1] + normals[n, 2] * towards[2]
        )
        mean += before[n] / count
    least = max(darkest[0] * mean, darkest[1])
    change, gain = _product(turned, offset), np.zeros(count, np.float32)
    for n in range(count):
        if painted[n] == 0.0:
            continue
        turn = change[3 * n] * towards[0] + change[3 * n + 1] * towards[1] + change[3 * n + 2] * towards[2]
        after = max(before[n] + strength * turn, least)
        log = math.log(after / max(before[n], least))
        gain[n] = min(max(log, -limit), limit) * painted[n]
    return gain
