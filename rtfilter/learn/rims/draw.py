"""Glasses drawn on a band over the eyes: rims of many shapes, bridge, temples, lenses; and other lines.

All lengths in IODs of the head's frame, from between the eyes.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.occlusion.band import ABOVE_IOD, COLUMNS, ROWS, STEP_IOD

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

FINE: Final = 3  # pixels of the drawing along one of the band's
METALS: Final = np.array([[0.75, 0.75, 0.78], [0.8, 0.66, 0.4], [0.3, 0.3, 0.32], [0.72, 0.5, 0.42]])
_ANGLES: Final = np.linspace(0.0, 2.0 * np.pi, 97)
_BITS: Final = 4


class Sheet:
    """A fine drawing of one colour."""

    def __init__(self) -> None:
        self._layer = np.zeros((ROWS * FINE, COLUMNS * FINE), np.uint8)

    def stroke(self, line_iod: F64, width_iod: float) -> None:
        """Draw a line [N, 2] of a width."""
        width = max(round(width_iod / STEP_IOD * FINE), 1)
        cv2.polylines(self._layer, [_places(line_iod)], False, (255,), width, cv2.LINE_AA, _BITS)

    def fill(self, line_iod: F64) -> None:
        """Draw the inside of a closed line."""
        cv2.fillPoly(self._layer, [_places(line_iod)], (255,), cv2.LINE_AA, _BITS)

    def layer(self) -> F32:
        """What is drawn, float32 [ROWS, COLUMNS], 0..1."""
        small = cv2.resize(self._layer, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
        return small.astype(np.float32) / np.float32(255.0)


def with_glasses(rgb: F32, rng: np.random.Generator) -> tuple[F32, F32]:
    """The band float32 [ROWS, COLUMNS, 3] with a pair on it, and where rims are, float32 [ROWS, COLUMNS]."""
    sheet = Sheet()
    kind = rng.choice(["full", "full", "full", "full", "half", "rimless"])
    width = float(np.exp(rng.uniform(np.log(0.009), np.log(0.07))))
    wide, high = rng.uniform(0.22, 0.36), rng.uniform(0.14, 0.33)
    high = min(high, 1.1 * wide)
    apart = max(rng.normal(0.375, 0.025), wide + 0.03)
    drop, tilt = rng.uniform(-0.03, 0.13), rng.normal(0.0, 0.07)
    power, taper, flat = (
        rng.choice([2.0, 2.0, 2.4, 3.0, 4.5]),
        rng.uniform(-0.25, 0.1),
        rng.uniform(0.0, 0.25),
    )
    shift, roll = rng.normal(0.0, 0.02, 2), rng.normal(0.0, 0.025)
    colour, thick_top = _colour(rng), rng.choice([1.0, 1.0, 1.0, 2.0])
    lens = _outline(power, wide, high, taper, flat)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    pair = []
    for side in (-1.0, 1.0):
        line = lens @ turn.T * (side, 1.0) + (side * apart, drop)
        pair.append(line)
    half = len(_ANGLES) // 2
    for line in pair:
        if kind != "rimless":
            sheet.stroke(_moved(line[half:], shift, roll), width * thick_top)
        if kind == "full":
            sheet.stroke(_moved(line[: half + 1], shift, roll), width)
    beam = width * rng.uniform(0.7, 1.3)
    level, inner = drop - high * rng.uniform(0.0, 0.8), apart - wide * rng.uniform(0.86, 1.0)
    across = np.linspace(-inner, inner, 17)
    arch = level - rng.uniform(-0.01, 0.06) * (1.0 - (across / max(inner, 1e-3)) ** 2)
    for lift in (0.0, 0.06) if rng.random() < 0.12 else (0.0,):
        bridge = np.column_stack([across, arch - lift])
        sheet.stroke(_moved(bridge, shift, roll), beam)
    if rng.random() < 0.85:
        hinge, reach = drop - high * rng.uniform(0.0, 0.85), rng.uniform(0.04, 0.4)
        slope = rng.normal(-0.05, 0.12)
        for side in (-1.0, 1.0):
            start = np.array([side * (apart + wide * 0.97), hinge])
            end = start + reach * np.array([side, slope])
            sheet.stroke(_moved(np.stack([start, end]), shift, roll), beam)
    out = rgb
    lenses = Sheet()
    for line in pair:
        lenses.fill(_moved(line, shift, roll))
    glass, mask = lenses.layer(), sheet.layer()
    dark = rng.random() < 0.07
    tint, strength = rng.uniform(0.0, 0.5, 3), rng.uniform(0.5, 1.0) if dark else rng.uniform(0.0, 0.12)
    out = out + (strength * glass)[..., None] * (np.asarray(tint, np.float32) - out)
    if rng.random() < 0.5:
        out = out + (glass * _blobs(rng))[..., None] * rng.uniform(0.3, 1.0, 3).astype(np.float32)
    if rng.random() < 0.4:
        moved = np.roll(mask, (int(rng.integers(1, 6)), int(rng.integers(-3, 4))), (0, 1))
        soft = np.asarray(cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.8, 2.5)), np.float32)
        out = out * (1.0 - rng.uniform(0.1, 0.4) * soft[..., None])
    alpha = mask * rng.uniform(0.35 if width < 0.02 else 0.7, 1.0)
    shade = 1.0 + 0.4 * _wave(rng)
    if rng.random() < 0.4:  # metal shines in places
        shade = shade + rng.uniform(0.3, 1.5) * np.maximum(_wave(rng), 0.0)
    paint = np.clip(colour * shade[..., None], 0.0, 1.0)
    if rng.random() < 0.15:  # clear plastic
        alpha = alpha * rng.uniform(0.3, 0.6)
    return np.asarray(out + alpha[..., None] * (paint - out), np.float32), mask


def with_lines(rgb: F32, rng: np.random.Generator) -> F32:
    """The band with lines that are no glasses: hair, creases, liner."""
    out = rgb
    for _ in range(int(rng.integers(1, 5))):
        start = np.array([rng.uniform(-1.0, 1.0), rng.uniform(-0.42, 0.58)])
        way = rng.normal(0.0, 0.4, 2)
        t = np.linspace(0.0, 1.0, 13)[:, None]
        line = start + t * way + t * (1.0 - t) * rng.normal(0.0, 0.4, 2)
        sheet = Sheet()
        sheet.stroke(line, float(np.exp(rng.uniform(np.log(0.008), np.log(0.05)))))
        soft = np.asarray(cv2.GaussianBlur(sheet.layer(), (0, 0), rng.uniform(0.3, 2.0)), np.float32)
        out = out + (rng.uniform(0.2, 0.9) * soft)[..., None] * (_colour(rng) - out)
    return np.asarray(out, np.float32)


def _outline(power: float, wide: float, high: float, taper: float, flat: float) -> F64:
    """A lens from its outer end over the lower half, [97, 2]; y grows downwards, x to the outer side."""
    cos, sin = np.cos(_ANGLES), np.sin(_ANGLES)
    x = wide * np.sign(cos) * np.abs(cos) ** (2.0 / power)
    y = high * np.sign(sin) * np.abs(sin) ** (2.0 / power)
    x = x * (1.0 - taper * -y / high * 0.5)
    return np.column_stack([x, np.where(y < 0.0, y * (1.0 - flat), y)])


def _moved(line: F64, shift: F64, roll: float) -> F64:
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    return np.asarray(line @ turn.T + shift)


def _places(line_iod: F64) -> npt.NDArray[np.int32]:
    pixels = (line_iod + np.array([0.5 * COLUMNS * STEP_IOD, ABOVE_IOD])) / STEP_IOD * FINE - 0.5
    return np.asarray(np.rint(pixels * (1 << _BITS)), np.int32)


def _wave(rng: np.random.Generator) -> F32:
    """Smooth noise over the band, about -1..1."""
    small = rng.normal(0.0, 0.6, (6, 12)).astype(np.float32)
    return np.asarray(cv2.resize(small, (COLUMNS, ROWS), interpolation=cv2.INTER_CUBIC), np.float32)


def _blobs(rng: np.random.Generator) -> F32:
    return np.asarray(
        np.clip(_wave(rng) * rng.uniform(0.2, 0.9) - rng.uniform(0.0, 0.4), 0.0, 1.0), np.float32
    )


def _colour(rng: np.random.Generator) -> F32:
    tone = rng.random()
    if tone < 0.4:
        return np.full(3, rng.uniform(0.02, 0.2), np.float32)
    if tone < 0.8:
        return np.asarray(np.clip(METALS[int(rng.integers(4))] * rng.uniform(0.5, 1.2), 0, 1), np.float32)
    return rng.uniform(0.0, 1.0, 3).astype(np.float32)
