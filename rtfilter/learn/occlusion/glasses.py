"""Glasses drawn on a face in its pose: rims of many shapes, bridge, temples, reflections on the lenses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.learn.occlusion.scene import Layer, Scene, any_colour, curve, noise, plain, polygon, stroke

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

_EYES: Final = ((33, 133), (263, 362))  # outer and inner corner: the subject's right, left
_EARS: Final = (127, 356)
_BRIDGE: Final = (168, 6, 197)


@dataclass(frozen=True)
class Frame:
    """One pair.

    power: of the outline, 2 is round, 5 nearly a rectangle. wide, high: of a lens, in eye widths.
    drop: its middle below the eye's, likewise. tilt: of the outer corners upwards. width_px: of the rim.
    colour: float32 [3]. parts: which are there: upper and lower half of the rim, bridge, temples.
    """

    power: float
    wide: float
    high: float
    drop: float
    tilt: float
    taper: float
    width_px: float
    colour: F32
    upper: bool
    lower: bool
    temples: bool
    bridge_at: int
    mottled: float
    alpha: float


def any_frame(rng: np.random.Generator) -> Frame:
    """A pair of any kind: full rims, half rims, rimless; metal, dark, tortoise, clear or bright."""
    thin = rng.random() < 0.55
    kind = rng.choice(["full", "full", "full", "half", "rimless"])
    metal = np.array([[0.75, 0.75, 0.78], [0.8, 0.66, 0.4], [0.3, 0.3, 0.32], [0.72, 0.5, 0.42]])
    tone = rng.random()
    if tone < 0.4:
        colour = np.full(3, rng.uniform(0.02, 0.16))
    elif tone < 0.75:
        colour = metal[int(rng.integers(4))] * rng.uniform(0.5, 1.15)
    else:
        colour = any_colour(rng)
    return Frame(
        power=rng.choice([2.0, 2.0, 2.5, 3.0, 4.5]),
        wide=rng.uniform(0.72, 1.05),
        high=rng.uniform(0.45, 0.95),
        drop=rng.uniform(-0.05, 0.3),
        tilt=rng.normal(0.0, 0.08),
        taper=rng.uniform(-0.25, 0.1),
        width_px=rng.uniform(1.0, 2.4) if thin else rng.uniform(2.2, 7.0),
        colour=np.asarray(colour, np.float32).clip(0, 1),
        upper=kind != "rimless",
        lower=kind == "full",
        temples=rng.random() < 0.9,
        bridge_at=int(rng.choice(_BRIDGE)),
        mottled=rng.choice([0.0, 0.0, 0.5]),
        alpha=rng.uniform(0.75, 1.0),
    )


def lens_outline(points: F32, frame: Frame, side: int, count: int = 48) -> F64:
    """The outline of one lens in pixels, float64 [count, 2], from the outer corner over the upper half."""
    outer, inner = (points[k].astype(np.float64) for k in _EYES[side])
    middle = (outer + inner) / 2
    down = (points[152] - points[10]).astype(np.float64)
    down /= max(float(np.linalg.norm(down)), 1e-6)
    # Across the face in three dimensions, so that a turned head's lenses are narrower.
    across = (points[_EYES[1][0]] - points[_EYES[0][0]]).astype(np.float64)
    eye = float(np.linalg.norm(across)) / 3.0
    outwards = across / max(float(np.linalg.norm(across)), 1e-6) * (1.0 if side else -1.0)
    around = np.linspace(0.0, 2 * np.pi, count, endpoint=False)
    cos, sin = np.cos(around), np.sin(around)
    x = np.sign(cos) * np.abs(cos) ** (2 / frame.power) * frame.wide * eye
    y = -np.sign(sin) * np.abs(sin) ** (2 / frame.power) * frame.high * eye
    x = x * (1.0 - frame.taper * y / eye) + 0.06 * eye
    y = y + frame.drop * eye - frame.tilt * x
    lens = middle + x[:, None] * outwards + y[:, None] * down
    return np.asarray(lens[:, :2])


def rims(rng: np.random.Generator, scene: Scene, frame: Frame) -> Layer:
    """All that is rigid of a pair, and opaque."""
    alpha = np.zeros(scene.rims.shape, np.float32)
    inner = []
    for side in (0, 1):
        lens = lens_outline(scene.points, frame, side)
        half = len(lens) // 2
        if frame.upper and frame.lower:
            alpha = np.maximum(alpha, stroke(lens, frame.width_px, True))
        elif frame.upper:
            alpha = np.maximum(alpha, stroke(lens[: half + 1], frame.width_px))
        inner.append(lens[half - 3])
        if frame.temples:
            ear = scene.points[_EARS[side], :2].astype(float)
            hinge = lens[3]
            alpha = np.maximum(
                alpha, stroke([hinge, ear + (hinge - ear) * 0.05], max(frame.width_px * 0.8, 1.0))
            )
    over = scene.points[frame.bridge_at, :2].astype(float)
    crest = (inner[0] + inner[1]) / 2 + (over - (inner[0] + inner[1]) / 2) * 0.5
    alpha = np.maximum(
        alpha, stroke(curve([inner[0], 2 * crest - (inner[0] + inner[1]) / 2, inner[1]]), frame.width_px)
    )
    colour = plain(frame.colour)
    if frame.mottled:
        colour = colour * (1.0 + frame.mottled * noise(np.random.default_rng(5), 7.0)[..., None])
    colour = colour * (1.0 + 0.25 * noise(rng, 25.0)[..., None])
    return Layer(np.asarray(np.clip(colour, 0, 1), np.float32), np.asarray(alpha * frame.alpha, np.float32))


def reflections(rng: np.random.Generator, scene: Scene, frame: Frame) -> None:
    """Light on clear lenses; it hides nothing, so that nothing is held there."""
    for side in (0, 1):
        lens = lens_outline(scene.points, frame, side)
        inside = polygon(lens)
        low, high = lens.min(0), lens.max(0)
        if rng.random() < 0.5:
            scene.rgb *= (1.0 - rng.uniform(0.0, 0.12) * inside)[..., None]
        for _ in range(int(rng.integers(0, 3))):
            at, size = rng.uniform(low, high), (high - low) * rng.uniform(0.1, 0.35, 2)
            corners = at + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * size + rng.normal(0, 2, (4, 2))
            shine = polygon(corners) * inside * rng.uniform(0.05, 0.5)
            tint = np.array([1.0, 1.0, 1.0]) if rng.random() < 0.6 else np.array([0.6, 0.75, 1.0])
            scene.rgb += ((tint - scene.rgb) * shine[..., None]).astype(np.float32)
