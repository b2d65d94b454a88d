"""What a face does beside speech and feeling: blinks, glances, and a head that moves. For `data.corpus`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

_CLOSING_S, _OPENING_S = 0.08, 0.17
_LEAST_BETWEEN_S = 0.8
_GLANCE_S = 1.2  # between glances, on average
_HEAD_HZ = 1.0  # head motion has little above


def blinks(time_s: F64, per_minute: float, random: np.random.Generator) -> F64:
    """Blinks as coefficients, float64 [T, 52]: both lids, down faster than up."""
    lids = np.zeros(len(time_s))
    at = random.exponential(60.0 / per_minute)
    while at < time_s[-1]:
        down = 1.0 - np.abs(time_s - at) / np.where(time_s < at, _CLOSING_S, _OPENING_S)
        lids = np.maximum(lids, np.clip(1.3 * down, 0.0, 1.0))
        at += _LEAST_BETWEEN_S + random.exponential(max(60.0 / per_minute - _LEAST_BETWEEN_S, 0.1))
    out = np.zeros((len(time_s), BLENDSHAPE_COUNT))
    out[:, BLENDSHAPE_INDEX["eyeBlinkLeft"]] = out[:, BLENDSHAPE_INDEX["eyeBlinkRight"]] = lids
    return out


def glances(time_s: F64, random: np.random.Generator) -> F64:
    """Gaze as coefficients, float64 [T, 52]: it jumps between points near the camera; eyes move together."""
    across, down = np.zeros(len(time_s)), np.zeros(len(time_s))
    at, here = 0.0, random.normal(0.0, 0.1, 2)
    while at < time_s[-1]:
        there = random.normal(0.0, 0.13, 2)
        moved = np.clip((time_s - at) / 0.05, 0.0, 1.0)
        now = time_s >= at
        across[now] = (here[0] + (there[0] - here[0]) * moved)[now]
        down[now] = (here[1] + (there[1] - here[1]) * moved)[now]
        here = there
        at += 0.25 + random.exponential(_GLANCE_S)
    out = np.zeros((len(time_s), BLENDSHAPE_COUNT))
    for name, amount in (
        ("eyeLookOutLeft", across),
        ("eyeLookInRight", across),
        ("eyeLookInLeft", -across),
        ("eyeLookOutRight", -across),
        ("eyeLookDownLeft", down),
        ("eyeLookDownRight", down),
        ("eyeLookUpLeft", -down),
        ("eyeLookUpRight", -down),
    ):
        out[:, BLENDSHAPE_INDEX[name]] = np.maximum(amount, 0.0)
    return out


def head(time_s: F64, spread_deg: float, random: np.random.Generator) -> tuple[F32, F32]:
    """Rotations float32 [T, 3, 3], image_from_head, and scale float32 [T], pixels an IOD."""
    angles = np.radians(spread_deg) * np.stack(
        [share * slow_noise(time_s, _HEAD_HZ, random) for share in (1.0, 0.7, 0.5)], axis=1
    )
    angles += np.radians(random.normal(0.0, (4.0, 3.0, 2.0)))
    scale = random.uniform(90.0, 140.0) * (1.0 + 0.01 * slow_noise(time_s, _HEAD_HZ, random))
    (cy, cx, cz), (sy, sx, sz) = np.cos(angles).T, np.sin(angles).T
    one, zero = np.ones_like(cy), np.zeros_like(cy)
    yaw = np.array([[cy, zero, sy], [zero, one, zero], [-sy, zero, cy]])
    pitch = np.array([[one, zero, zero], [zero, cx, -sx], [zero, sx, cx]])
    roll = np.array([[cz, -sz, zero], [sz, cz, zero], [zero, zero, one]])
    rotation = np.einsum("abt,bct,cdt->tad", roll, yaw, pitch)
    return rotation.astype(np.float32), scale.astype(np.float32)


def slow_noise(time_s: F64, highest_hz: float, random: np.random.Generator) -> F64:
    """Smooth noise float64 [T] of standard deviation 1 over many draws: a sum of twelve sines."""
    hertz = highest_hz * random.uniform(0.05, 1.0, 12)
    phase = random.uniform(0.0, 2.0 * np.pi, 12)
    weight = 1.0 / (0.2 + hertz)
    weight *= np.sqrt(2.0 / np.square(weight).sum())
    return np.asarray((weight * np.sin(2.0 * np.pi * hertz * time_s[:, None] + phase)).sum(1))
