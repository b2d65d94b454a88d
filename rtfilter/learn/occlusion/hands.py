"""Hands and arms: a palm with five fingers of jointed, shaded capsules, with nails and creases; sleeves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.learn.occlusion.scene import FACE, SIDE, Layer, Scene, any_colour, noise, stroke
from rtfilter.learn.occlusion.skins import skin_colour, skin_texture

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

# Of a hand of length 1, fingers upwards, thumb to the left: where fingers begin, lengths, half widths.
_ROOTS: Final = np.array([[-0.20, 0.08], [-0.155, -0.18], [-0.05, -0.215], [0.055, -0.20], [0.15, -0.155]])
_LENGTHS: Final = np.array([0.34, 0.40, 0.45, 0.41, 0.31])
_WIDTHS: Final = np.array([0.056, 0.049, 0.051, 0.048, 0.042])
_PHALANGES: Final = (0.46, 0.30, 0.24)
_PALM: Final = np.array(
    [[-0.15, -0.19], [0.0, -0.23], [0.15, -0.16], [0.19, 0.05], [0.13, 0.24], [-0.13, 0.24], [-0.21, 0.08]]
)
# What a hand may lie on: mouth, chin, nose, eyes, cheeks, forehead, temples, jaw.
TARGETS: Final = (13, 152, 4, 159, 386, 50, 280, 10, 162, 389, 172, 397)


@dataclass
class Shaded:
    """A canvas that capsules are drawn into, far ones first. light: direction in the picture, length 1."""

    texture: F32
    light: F64
    colour: F32
    alpha: F32

    @classmethod
    def empty(cls, texture: F32, rng: np.random.Generator) -> Shaded:
        angle = rng.uniform(0, 2 * np.pi)
        light = np.array([np.cos(angle), np.sin(angle)])
        return cls(texture, light, texture.copy(), np.zeros((SIDE, SIDE), np.float32))

    def capsule(self, a: F64, b: F64, first_px: float, last_px: float, depth: float, relief: float) -> None:
        """A rounded limb from a to b. depth: of its shadow on what lies below. relief: of its shading."""
        reach = max(first_px, last_px) + 3
        low = np.clip(np.floor(np.minimum(a, b) - reach).astype(int), 0, SIDE)
        high = np.clip(np.ceil(np.maximum(a, b) + reach).astype(int), 0, SIDE)
        if (high <= low).any():
            return
        ys, xs = np.mgrid[low[1] : high[1], low[0] : high[0]].astype(np.float32) + np.float32(0.5)
        along = b - a
        at = np.clip(((xs - a[0]) * along[0] + (ys - a[1]) * along[1]) / max(along @ along, 1e-6), 0.0, 1.0)
        dx, dy = xs - (a[0] + at * along[0]), ys - (a[1] + at * along[1])
        radius = first_px + (last_px - first_px) * at
        distance = np.hypot(dx, dy)
        cover = np.clip(radius - distance + 0.5, 0.0, 1.0).astype(np.float32)
        beside = np.clip(1.0 - (distance - radius) / 3.0, 0.0, 1.0) * (distance > radius)
        slope = (dx * self.light[0] + dy * self.light[1]) / np.maximum(radius, 1.0)
        edge = np.clip(distance / np.maximum(radius, 1.0), 0.0, 1.0) ** 3
        shade = (1.0 + relief * slope - 0.6 * relief * edge).astype(np.float32)
        here = (slice(low[1], high[1]), slice(low[0], high[0]))
        below = self.colour[here] * (1.0 - depth * beside)[..., None].astype(np.float32)
        self.colour[here] = below + (self.texture[here] * shade[..., None] - below) * cover[..., None]
        self.alpha[here] = np.maximum(self.alpha[here], cover)

    def layer(self) -> Layer:
        return Layer(np.clip(self.colour, 0.0, 1.0), self.alpha)


def hand(rng: np.random.Generator, scene: Scene) -> Layer:
    """A hand on the face or before it, its arm reaching out of the picture."""
    target = scene.points[int(rng.choice(TARGETS)), :2] + rng.normal(0.0, 12.0, 2)
    length = FACE * rng.uniform(0.75, 1.35)
    upwards = rng.normal(0.0, 0.7) if rng.random() < 0.75 else rng.uniform(-np.pi, np.pi)
    return hand_at(rng, scene, target, length, upwards, touch=rng.uniform(-0.45, 0.3))


def hand_at(
    rng: np.random.Generator,
    scene: Scene,
    target: F64 | F32,
    length_px: float,
    angle_rad: float,
    touch: float,
) -> Layer:
    """A hand, fingers upwards, turned by the angle. touch: where along it the target lies, -0.5..0.5."""
    right = rng.choice([-1.0, 1.0])
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)

    def place(points: F64) -> F64:
        flat = points * np.array([right, 1.0]) - np.array([0.0, touch])
        return np.asarray(target + length_px * (flat @ np.array([[cos, sin], [-sin, cos]])))

    skin = skin_colour(rng, scene)
    drawn = Shaded.empty(skin_texture(rng, skin), rng)
    relief, depth = rng.uniform(0.1, 0.4), rng.uniform(0.1, 0.5)
    stout = rng.uniform(0.85, 1.25)
    wrist = place(np.array([[0.0, 0.25], [rng.normal(0, 0.12), 1.8]]))
    drawn.capsule(wrist[0], wrist[1], 0.125 * stout * length_px, 0.2 * stout * length_px, depth, relief)
    palm = place(_PALM * stout)
    for a, b in ((0, 5), (1, 5), (1, 4), (2, 4), (2, 3), (6, 5), (0, 6)):
        drawn.capsule(palm[a], palm[b], 0.075 * length_px, 0.085 * length_px, 0.0, 0.3 * relief)
    pose = rng.choice(["open", "closed", "fist", "point", "loose"])
    spread = {"open": 0.3, "closed": 0.05, "fist": 0.1, "point": 0.15, "loose": 0.2}[pose]
    nails = rng.random() < 0.7
    nail = skin * rng.uniform(1.0, 1.25) if rng.random() < 0.7 else any_colour(rng)
    for finger in rng.permutation(5):
        curl = {"open": 1.0, "closed": 1.0, "fist": 0.42, "loose": rng.uniform(0.5, 1.0)}.get(
            str(pose), 1.0 if finger == 1 else 0.42
        )
        heading = (finger - 2.2) * spread * 0.5 + rng.normal(0.0, 0.06)
        if finger == 0:
            heading, curl = -rng.uniform(0.3, 1.2), max(curl, 0.8)
        at, tip = _ROOTS[finger] * stout, _LENGTHS[finger] * curl * rng.uniform(0.92, 1.08)
        radius = _WIDTHS[finger] * stout * length_px
        for number, share in enumerate(_PHALANGES):
            heading += rng.normal(0.0, 0.07)
            after = at + tip * share * np.array([np.sin(heading), -np.cos(heading)])
            ends = place(np.stack([at, after]))
            taper = radius * (1.0 - 0.1 * number)
            drawn.capsule(ends[0], ends[1], taper, taper * 0.9, depth, relief)
            if number:
                _crease(drawn.colour, ends[0], ends[1], taper)
            at = after
        if nails and curl > 0.5:
            ends = place(np.stack([at - 0.03 * np.array([np.sin(heading), -np.cos(heading)]), at]))
            _nail(drawn.colour, ends[0], radius * 0.62, angle_rad + right * heading, np.asarray(nail))
    layer = drawn.layer()
    if rng.random() < 0.5:
        _sleeve(rng, layer, wrist, length_px * 0.2 * stout)
    return layer


def arm(rng: np.random.Generator, scene: Scene) -> Layer:
    """A forearm or a sleeve across the face, without its hand."""
    target = scene.points[int(rng.choice(TARGETS)), :2] + rng.normal(0.0, 10.0, 2)
    angle = rng.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)]) * SIDE
    bare = rng.random() < 0.5
    texture = skin_texture(rng, skin_colour(rng, scene)) if bare else cloth(rng)
    drawn = Shaded.empty(texture, rng)
    wide = FACE * rng.uniform(0.1, 0.25)
    drawn.capsule(
        target - along, target + along, wide, wide * rng.uniform(0.7, 1.2), 0.3, rng.uniform(0.1, 0.4)
    )
    return drawn.layer()


def cloth(rng: np.random.Generator) -> F32:
    """A canvas of cloth: folds, weave, sometimes stripes."""
    canvas = np.broadcast_to(any_colour(rng), (SIDE, SIDE, 3)).astype(np.float32)
    canvas = canvas * (1.0 + 0.25 * noise(rng, rng.uniform(15, 50))[..., None])
    canvas = canvas * (1.0 + 0.1 * noise(rng, 2.0)[..., None])
    if rng.random() < 0.3:
        angle, period = rng.uniform(0, np.pi), rng.uniform(5, 25)
        ys, xs = np.mgrid[:SIDE, :SIDE]
        wave = np.sin((xs * np.cos(angle) + ys * np.sin(angle)) * 2 * np.pi / period) > rng.uniform(-0.5, 0.5)
        canvas = np.where(wave[..., None], canvas, any_colour(rng))
    return np.asarray(np.clip(canvas, 0.0, 1.0), np.float32)


def _sleeve(rng: np.random.Generator, layer: Layer, wrist: F64, radius_px: float) -> None:
    drawn = Shaded.empty(cloth(rng), rng)
    begin = wrist[0] + (wrist[1] - wrist[0]) * rng.uniform(0.08, 0.5)
    drawn.capsule(begin, wrist[1], radius_px, radius_px * 1.3, 0.0, 0.3)
    layer.colour += (drawn.colour - layer.colour) * drawn.alpha[..., None]
    np.maximum(layer.alpha, drawn.alpha, out=layer.alpha)


def _crease(colour: F32, a: F64, b: F64, radius_px: float) -> None:
    along = (b - a) / max(float(np.hypot(*(b - a))), 1e-6)
    across = np.array([-along[1], along[0]]) * radius_px * 0.7
    colour *= (1.0 - 0.18 * stroke([a - across, a + across], 1.0))[..., None]


def _nail(colour: F32, at: F64, radius_px: float, angle_rad: float, nail: F32) -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    size = (max(int(radius_px * 16), 8), max(int(radius_px * 1.3 * 16), 8))
    centre = (int(np.rint((at[0] - 0.5) * 16)), int(np.rint((at[1] - 0.5) * 16)))
    cv2.ellipse(mask, centre, size, float(np.degrees(angle_rad)), 0, 360, (255,), -1, cv2.LINE_AA, 4)
    share = mask.astype(np.float32)[..., None] / np.float32(255.0)
    colour += (nail.clip(0, 1) - colour) * share * np.float32(0.8)
