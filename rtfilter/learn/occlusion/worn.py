"""What people wear over a face: surgical masks, scarves, sunglasses, hair that falls over the forehead."""

from __future__ import annotations

import numpy as np

from rtfilter.learn.occlusion.glasses import Frame, lens_outline
from rtfilter.learn.occlusion.hands import cloth
from rtfilter.learn.occlusion.scene import (
    FACE,
    Layer,
    Scene,
    any_colour,
    curve,
    noise,
    plain,
    polygon,
    stroke,
)
from rtfilter.learn.occlusion.skins import hair_colour
from rtfilter.learn.occlusion.things import glossy

# Around the lower face: over the nose, along the cheek, the jaw, the chin, and back up.
_UPPER = (227, 117, 118, 100, 6, 329, 347, 346, 447)
_LOWER = (366, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 137)
_NOSE_STEPS = (6, 197, 195, 5, 4)
_HAIRLINE = (127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356)
_BROWS = (46, 53, 52, 65, 55, 285, 295, 282, 283, 276)


def mask(rng: np.random.Generator, scene: Scene) -> Layer:
    """A surgical mask or one of cloth, over nose and mouth, or slipped below the nose."""
    points = scene.points[:, :2].astype(float)
    upper = points[list(_UPPER)].copy()
    upper[4] = points[int(rng.choice(_NOSE_STEPS))]
    slip = (points[152] - points[10]) * rng.uniform(-0.03, 0.1)
    lower = points[list(_LOWER)] + (points[152] - points[6]) * rng.uniform(0.0, 0.12)
    body = polygon(np.vstack([upper + slip, lower]))
    colours = [[0.55, 0.75, 0.85], [0.92, 0.93, 0.94], [0.06, 0.06, 0.07], [0.5, 0.7, 0.6]]
    tint = np.array(colours[int(rng.integers(4))]) if rng.random() < 0.7 else any_colour(rng)
    colour = cloth(rng) if rng.random() < 0.25 else plain(tint * rng.uniform(0.6, 1.05))
    down = (points[152] - points[6]) / max(float(np.hypot(*(points[152] - points[6]))), 1e-6)
    left, right = points[227], points[447]
    for k in range(int(rng.integers(0, 5))):
        shift = (points[152] - points[6]) * (0.25 + 0.15 * k)
        pleat = curve([left + shift, (left + right) / 2 + shift + down * 6, right + shift])
        colour *= (1.0 - 0.3 * stroke(pleat, 1.5))[..., None]
    colour *= (1.0 + 0.15 * noise(rng, 40))[..., None]
    loops = np.zeros_like(body)
    for corner, ear in ((upper[0], points[127]), (upper[-1], points[356])):
        loops = np.maximum(loops, stroke([corner + slip, ear], rng.uniform(1.0, 3.0)))
    xs = np.arange(len(body))[None, :]
    away = ((xs - (left + right)[0] / 2) / max(abs(right - left).max(), 1.0)) ** 2
    colour *= (1.0 - rng.uniform(0.0, 1.2) * away)[..., None]
    alpha = np.maximum(body, loops)
    return Layer(np.asarray(np.clip(colour, 0, 1), np.float32), np.asarray(alpha, np.float32))


def scarf(rng: np.random.Generator, scene: Scene) -> Layer:
    """A scarf or a collar over the lower face."""
    points = scene.points[:, :2].astype(float)
    up = points[int(rng.choice([13, 17, 18, 200, 2]))]
    left, right = (
        points[132] + (points[132] - points[361]) * 0.4,
        points[361] + (points[361] - points[132]) * 0.4,
    )
    top = curve([left + rng.normal(0, 8, 2), up + rng.normal(0, 5, 2), right + rng.normal(0, 8, 2)])
    down = (points[152] - points[10]) * 1.2
    alpha = polygon(np.vstack([top, right + down, left + down]))
    return Layer(cloth(rng), alpha)


def hair(rng: np.random.Generator, scene: Scene) -> Layer:
    """Hair across the forehead or the cheeks: single strands, a lock, or a whole fringe."""
    points = scene.points[:, :2].astype(float)
    up = points[10] - points[152]
    base = hair_colour(rng, scene)
    kind = rng.choice(["strands", "lock", "fringe"])
    count = {
        "strands": int(rng.integers(1, 8)),
        "lock": int(rng.integers(12, 30)),
        "fringe": int(rng.integers(50, 110)),
    }[str(kind)]
    middle = rng.integers(len(_HAIRLINE))
    reach = rng.uniform(0.15, 0.4) if kind == "fringe" else rng.uniform(0.2, 0.8)
    drift = rng.normal(0.0, 0.25) * up[[1, 0]] * [-1, 1]
    alpha = np.zeros(scene.occluder.shape, np.float32)
    shade = np.zeros_like(alpha)
    for number in range(count):
        root = rng.uniform(0, len(_HAIRLINE) - 1) if kind != "lock" else middle + rng.normal(0, 0.8)
        low = int(np.clip(root, 0, len(_HAIRLINE) - 2))
        share = np.clip(root - low, 0.0, 1.0)
        begin = (
            points[_HAIRLINE[low]] * (1 - share)
            + points[_HAIRLINE[low + 1]] * share
            + up * rng.uniform(0.0, 0.25)
        )
        end = begin - up * reach * rng.uniform(0.8, 1.2) + drift + rng.normal(0, 5, 2)
        if kind != "strands":
            end = end + (points[_BROWS[low * len(_BROWS) // len(_HAIRLINE)]] - end) * (
                0.3 if kind == "fringe" else 0.0
            )
        bend = (begin + end) / 2 + rng.normal(0, 8, 2)
        width = rng.uniform(0.6, 2.0) if kind == "strands" else rng.uniform(1.5, 4.0)
        line = stroke(curve([begin, bend, end]), width)
        alpha = np.maximum(alpha, line)
        shade += (rng.normal(0.0, 0.35) - shade) * line
        if number % 3 == 0 and kind != "strands":
            shade *= 0.9
    colour = plain(base) * (1.0 + shade[..., None])
    return Layer(np.asarray(np.clip(colour, 0, 1), np.float32), alpha)


def dark_lenses(rng: np.random.Generator, scene: Scene, frame: Frame) -> Layer:
    """The lenses of sunglasses, from which on nothing of the eyes is to be seen."""
    alpha = np.zeros(scene.occluder.shape, np.float32)
    for side in (0, 1):
        alpha = np.maximum(alpha, polygon(lens_outline(scene.points, frame, side)))
    tint = any_colour(rng) * rng.uniform(0.03, 0.35)
    ys = np.mgrid[: len(alpha), : len(alpha)][0].astype(np.float32)
    fade = 1.0 + rng.uniform(-0.5, 1.0) * (ys - scene.points[6, 1]) / FACE
    colour = glossy(rng, np.asarray(plain(tint) * fade[..., None], np.float32))
    return Layer(np.clip(colour, 0, 1), np.asarray(alpha * rng.uniform(0.85, 1.0), np.float32))
