"""Things that people hold before a face or have beside it: phones, mugs, microphones, headsets, sticks."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.learn.occlusion.hands import TARGETS, Shaded, cloth, hand_at
from rtfilter.learn.occlusion.scene import (
    FACE,
    SIDE,
    Layer,
    Scene,
    any_colour,
    curve,
    noise,
    plain,
    polygon,
    stroke,
    turned,
)  # fmt: skip

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
MOUTH, CHIN, NOSE = 13, 152, 4
EARS = (234, 454)


def phone(rng: np.random.Generator, scene: Scene) -> Layer:
    """A phone or a tablet: its screen, or its back with a camera; often held."""
    at = scene.points[int(rng.choice(TARGETS)), :2] + rng.normal(0.0, 18.0, 2)
    wide = FACE * rng.uniform(0.35, 0.9)
    half = np.array([wide / 2, wide * rng.uniform(0.8, 1.1)])
    angle = rng.normal(0.0, 0.5) + rng.choice([0.0, np.pi / 2])
    body, colour = (
        box(at, half, angle, rng.uniform(0.05, 0.25)),
        plain(any_colour(rng) * rng.uniform(0.2, 1.0)),
    )
    inner = box(at, half - rng.uniform(1.5, 5.0), angle, 0.1)
    if rng.random() < 0.6:
        screen = plain(any_colour(rng)) * (
            1.0 + rng.uniform(0, 0.6) * noise(rng, rng.uniform(10, 90))[..., None]
        )
        colour += (np.clip(screen, 0, 1) - colour) * inner[..., None]
    else:
        for k in range(int(rng.integers(1, 4))):
            spot = turned([[half[0] * -0.55, half[1] * (-0.75 + 0.25 * k)]], angle, at)[0]
            ring = disc(spot, wide * 0.09)
            colour += (np.float32(0.05) - colour) * ring[..., None]
    layer = Layer(glossy(rng, colour), body)
    return held(rng, scene, layer, at, half, angle) if rng.random() < 0.6 else layer


def mug(rng: np.random.Generator, scene: Scene) -> Layer:
    """A mug, a glass bottle or a paper cup at the mouth: round, shaded, with a handle or a lid."""
    at = scene.points[MOUTH, :2] + rng.normal(0.0, [14.0, 12.0]) + np.array([0.0, FACE * 0.18])
    wide, high = FACE * rng.uniform(0.16, 0.32), FACE * rng.uniform(0.18, 0.45)
    angle, taper = rng.normal(0.0, 0.3), rng.uniform(0.7, 1.05)
    oval = wide * rng.uniform(0.1, 0.5)
    turn = np.linspace(0, np.pi, 16)
    top = np.stack([np.cos(turn + np.pi) * wide, -high - np.sin(turn + np.pi) * -oval], 1)
    low = np.stack([np.cos(turn) * wide * taper, high + np.sin(turn) * oval], 1)
    body = polygon(turned(np.vstack([top, low]), angle, at))
    canvas = cloth(rng) if rng.random() < 0.3 else plain(any_colour(rng))
    ys, xs = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    across = ((xs - at[0]) * np.cos(angle) + (ys - at[1]) * np.sin(angle)) / wide
    canvas = (
        canvas
        * (1.0 - rng.uniform(0.2, 0.7) * np.clip(np.abs(across - rng.normal(0, 0.3)), 0, 1.3) ** 2)[..., None]
    )
    alpha = body
    if rng.random() < 0.6:
        side = rng.choice([-1.0, 1.0])
        ring = np.stack(
            [np.cos(turn - np.pi / 2) * wide * 0.6 + wide * 0.95, np.sin(turn - np.pi / 2) * high * 0.6], 1
        )
        alpha = np.maximum(alpha, stroke(turned(ring * [side, 1.0], angle, at), wide * 0.2))
    if rng.random() < 0.6:
        around = np.linspace(0, 2 * np.pi, 28)
        rim = np.stack([np.cos(around) * wide, -high + np.sin(around) * oval], 1)
        inside = polygon(turned(rim, angle, at))
        dark = any_colour(rng) * rng.uniform(0.1, 0.8)
        canvas = canvas + (dark - canvas) * inside[..., None]
        alpha = np.maximum(alpha, inside)
        canvas = canvas * (1.0 + 0.2 * stroke(turned(rim, angle, at), 1.5)[..., None])
    layer = Layer(np.asarray(np.clip(canvas, 0, 1), np.float32), np.asarray(alpha, np.float32))
    return held(rng, scene, layer, at, np.array([wide, high]), angle) if rng.random() < 0.7 else layer


def microphone(rng: np.random.Generator, scene: Scene) -> Layer:
    """A microphone before the mouth: a head of mesh or foam, a body or a stand, perhaps a pop filter."""
    at = scene.points[MOUTH, :2] + rng.normal(0.0, 16.0, 2) + np.array([0.0, FACE * rng.uniform(0.0, 0.35)])
    radius = FACE * rng.uniform(0.08, 0.2)
    angle = rng.normal(0.0, 0.7)
    texture = plain(any_colour(rng) * rng.uniform(0.1, 0.9))
    ys, xs = np.mgrid[:SIDE, :SIDE]
    mesh = np.sin(xs * rng.uniform(1.2, 3)) * np.sin(ys * rng.uniform(1.2, 3)) * rng.uniform(0.0, 0.4)
    texture = np.asarray(texture * (1.0 + mesh[..., None]), np.float32).clip(0, 1)
    drawn = Shaded.empty(texture, rng)
    down = turned([[0.0, SIDE * 1.2]], angle, at)[0]
    near = turned([[0.0, radius * rng.uniform(0.2, 1.5)]], angle, at)[0]
    if rng.random() < 0.8:
        stand = Shaded.empty(plain(any_colour(rng) * rng.uniform(0.1, 0.7)), rng)
        thin = radius * rng.uniform(0.25, 0.9)
        stand.capsule(near, down, thin, thin * rng.uniform(0.5, 1.0), 0.0, 0.5)
        drawn.colour, drawn.alpha = stand.colour, stand.alpha
    drawn.capsule(at, near, radius, radius * 0.95, 0.0, rng.uniform(0.2, 0.7))
    layer = drawn.layer()
    if rng.random() < 0.35:
        wide = FACE * rng.uniform(0.22, 0.4)
        middle = at + rng.normal(0.0, 8.0, 2)
        sieve = disc(middle, wide) * rng.uniform(0.6, 0.97)
        colour = layer.colour + (any_colour(rng) * 0.25 - layer.colour) * sieve[..., None]
        around = np.linspace(0, 2 * np.pi, 40)[:, None]
        ring = stroke(middle + wide * np.hstack([np.cos(around), np.sin(around)]), rng.uniform(2, 5), True)
        colour += (any_colour(rng) * 0.4 - colour) * ring[..., None]
        alpha = np.maximum(np.maximum(layer.alpha, sieve), ring)
        layer = Layer(np.asarray(colour, np.float32), np.asarray(alpha, np.float32))
    return layer


def headset(rng: np.random.Generator, scene: Scene) -> Layer:
    """A headset: cups over the ears, a band, and a boom to the mouth."""
    side = int(rng.integers(2))
    ear, other = scene.points[EARS[side], :2].astype(float), scene.points[EARS[1 - side], :2].astype(float)
    mouth = (
        scene.points[(61, 291)[side], :2] + rng.normal(0.0, 6.0, 2) + (ear - other) * rng.uniform(0.0, 0.12)
    )
    middle = (ear + mouth) / 2 + np.array([0.0, FACE * rng.uniform(0.0, 0.15)])
    boom = curve([ear, middle, mouth])
    thick = rng.uniform(1.2, 5.0)
    alpha = np.maximum(stroke(boom, thick), disc(mouth, rng.uniform(0.02, 0.06) * FACE))
    cups = (ear, other) if rng.random() < 0.8 else (ear,)
    for cup in cups:
        outwards = (cup - (ear + other) / 2) * rng.uniform(0.0, 0.15)
        size = FACE * np.array([rng.uniform(0.06, 0.14), rng.uniform(0.12, 0.24)])
        alpha = np.maximum(alpha, box(cup + outwards, size, rng.normal(0, 0.1), 0.9))
    if rng.random() < 0.7:
        top = scene.points[10, :2] + (scene.points[10, :2] - scene.points[152, :2]) * rng.uniform(0.1, 0.35)
        up = 2 * top - (ear + other) / 2
        alpha = np.maximum(
            alpha,
            stroke(
                curve(
                    [
                        ear,
                        ear + (up - (ear + other) / 2) * 0.6,
                        up,
                        other + (up - (ear + other) / 2) * 0.6,
                        other,
                    ]
                ),
                rng.uniform(3, 9),
            ),
        )
    colour = plain(any_colour(rng) * rng.uniform(0.1, 1.0)) * (1.0 + 0.2 * noise(rng, 20)[..., None])
    return Layer(np.asarray(np.clip(colour, 0, 1), np.float32), np.asarray(alpha, np.float32))


def stick(rng: np.random.Generator, scene: Scene) -> Layer:
    """A pen, a straw, a cigarette or a brush."""
    at = scene.points[int(rng.choice(TARGETS)), :2] + rng.normal(0.0, 10.0, 2)
    angle, length = rng.uniform(0, 2 * np.pi), FACE * rng.uniform(0.3, 1.2)
    drawn = Shaded.empty(plain(any_colour(rng)), rng)
    end = at + length * np.array([np.cos(angle), np.sin(angle)])
    thin = rng.uniform(1.2, 5.0)
    drawn.capsule(at, end, thin, thin * rng.uniform(0.6, 1.3), 0.0, rng.uniform(0.1, 0.6))
    layer = drawn.layer()
    if rng.random() < 0.4:
        return over(layer, hand_at(rng, scene, end, FACE * rng.uniform(0.8, 1.2), rng.normal(0, 0.8), -0.3))
    return layer


def spoon(rng: np.random.Generator, scene: Scene) -> Layer:
    """A spoon or a fork at the mouth."""
    at = scene.points[MOUTH, :2] + rng.normal(0.0, 6.0, 2)
    angle = rng.uniform(0.0, np.pi)
    end = at + FACE * rng.uniform(0.6, 1.1) * np.array([np.cos(angle), np.sin(angle)])
    bowl = box(at, FACE * np.array([rng.uniform(0.08, 0.14), rng.uniform(0.05, 0.08)]), angle, 0.95)
    alpha = np.maximum(bowl, stroke([at, end], rng.uniform(2.0, 5.0)))
    colour = glossy(rng, plain(np.full(3, rng.uniform(0.4, 0.8)) * rng.normal(1, 0.03, 3)))
    return Layer(colour, np.asarray(alpha, np.float32))


def ball(rng: np.random.Generator, scene: Scene) -> Layer:
    """A ball, a fruit or a soft toy before the face."""
    at = scene.points[int(rng.choice(TARGETS)), :2] + rng.normal(0.0, 12.0, 2)
    drawn = Shaded.empty(cloth(rng), rng)
    radius = FACE * rng.uniform(0.12, 0.35)
    drawn.capsule(at, at + rng.normal(0, 6, 2), radius, radius, 0.1, rng.uniform(0.2, 0.6))
    return drawn.layer()


def held(
    rng: np.random.Generator, scene: Scene, thing: Layer, at: F64 | F32, half: F64, angle: float
) -> Layer:
    """The thing with a hand over its side."""
    side = rng.choice([-1.0, 1.0])
    grip = turned([[side * half[0], half[1] * rng.uniform(-0.2, 0.9)]], angle, at)[0]
    length = FACE * rng.uniform(0.75, 1.2)
    return over(
        thing, hand_at(rng, scene, grip, length, -side * rng.uniform(0.3, 1.3), rng.uniform(-0.4, -0.1))
    )


def over(below: Layer, above: Layer) -> Layer:
    """Both, the second one over the first."""
    colour = below.colour + (above.colour - below.colour) * above.alpha[..., None]
    return Layer(np.asarray(colour, np.float32), np.maximum(below.alpha, above.alpha))


def box(at: npt.ArrayLike, half: npt.ArrayLike, angle_rad: float, round_share: float) -> F32:
    """A turned rectangle with rounded corners, float32 [S, S]. round_share: of the shorter side's half."""
    wide, high = (float(v) for v in np.asarray(half))
    radius = round_share * min(wide, high)
    turn = np.linspace(0, np.pi / 2, 8)
    corner = np.stack([np.cos(turn), np.sin(turn)], 1) * radius
    inner = np.array([wide - radius, high - radius])
    parts = [
        np.array([[c, -s], [s, c]]) @ corner.T + (inner * sign)[:, None]
        for c, s, sign in ((1, 0, (1, 1)), (0, 1, (-1, 1)), (-1, 0, (-1, -1)), (0, -1, (1, -1)))
    ]
    return polygon(turned(np.hstack(parts).T, angle_rad, at))


def disc(at: npt.ArrayLike, radius_px: float) -> F32:
    """A disc, float32 [S, S]."""
    around = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    return polygon(np.asarray(at) + radius_px * np.stack([np.cos(around), np.sin(around)], 1))


def glossy(rng: np.random.Generator, colour: F32) -> F32:
    """A canvas with a reflection across it."""
    angle, offset = rng.uniform(0, np.pi), rng.uniform(-SIDE / 3, SIDE / 3)
    ys, xs = np.mgrid[:SIDE, :SIDE].astype(np.float32) - SIDE / 2
    away = (xs * np.cos(angle) + ys * np.sin(angle) - offset) / rng.uniform(8, 60)
    shine = np.exp(-(away**2)) * rng.uniform(0.0, 0.6)
    shine = cv2.GaussianBlur(shine.astype(np.float32), (0, 0), 1.0)
    return np.asarray(np.clip(colour + (1.0 - colour) * shine[..., None], 0.0, 1.0), np.float32)
