"""Rooms behind people: shelves, windows, lines, pictures on the wall, other footage."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.learn.occlusion.flat import Other, textured
from rtfilter.learn.occlusion.scene import SIDE, Scene, any_colour, noise, plain, polygon, stroke
from rtfilter.learn.occlusion.things import box

F32 = npt.NDArray[np.float32]


def room(rng: np.random.Generator, other: Other) -> F32:
    """A background, float32 [S, S, 3]."""
    kind = rng.choice(["wall", "shelf", "lines", "window", "other", "spots"])
    canvas = plain(any_colour(rng)) * (1.0 + 0.3 * noise(rng, rng.uniform(40, 150))[..., None])
    if kind == "shelf":
        for _ in range(int(rng.integers(15, 50))):
            half = rng.uniform([2, 6], [10, 30])
            canvas = _laid(
                canvas, box(rng.uniform(0, SIDE, 2), half, rng.normal(0, 0.03), 0.05), any_colour(rng)
            )
        for row in rng.uniform(0, SIDE, 4):
            canvas = _laid(canvas, stroke([[-5, row], [SIDE + 5, row]], rng.uniform(1, 6)), any_colour(rng))
    elif kind == "lines":
        angle, gap = rng.uniform(0, np.pi), rng.uniform(8, 40)
        along = np.array([np.cos(angle), np.sin(angle)]) * SIDE
        across = np.array([-along[1], along[0]]) / SIDE
        colour = any_colour(rng)
        for k in np.arange(-SIDE, SIDE, gap):
            at = np.full(2, SIDE / 2) + across * k
            canvas = _laid(canvas, stroke([at - along, at + along], rng.uniform(1, 3)), colour)
    elif kind == "window":
        inside = box(rng.uniform(0, SIDE, 2), rng.uniform(25, 90, 2), 0.0, 0.0)
        canvas = _laid(canvas, inside, np.float32(rng.uniform(0.8, 1.0)))
    elif kind == "other":
        canvas = textured(rng, other)
    elif kind == "spots":
        for _ in range(int(rng.integers(4, 20))):
            corners = rng.uniform(0, SIDE, 2) + rng.normal(0, 25, (int(rng.integers(3, 7)), 2))
            canvas = _laid(canvas, polygon(corners), any_colour(rng))
    if rng.random() < 0.25:  # somebody on a poster, a screen, or behind
        face = other(rng).astype(np.float32) / np.float32(255.0)
        scale = rng.uniform(0.2, 0.8)
        move = np.array(
            [[scale, 0, rng.uniform(-0.3, 0.9) * SIDE], [0, scale, rng.uniform(-0.3, 0.9) * SIDE]]
        )
        inside = np.asarray(cv2.warpAffine(np.ones((SIDE, SIDE)), move, (SIDE, SIDE)), np.float32)
        canvas = _laid(canvas, inside, cv2.warpAffine(face, move, (SIDE, SIDE)))
    if rng.random() < 0.5:
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.5, 5.0))
    return np.asarray(np.clip(canvas, 0, 1), np.float32)


def replace_room(rng: np.random.Generator, scene: Scene, other: Other) -> None:
    """Put the person before another background. `scene.background` is the matte, its opposite."""
    behind = scene.background
    new = room(rng, other) * rng.uniform(0.4, 1.1)
    # The old background's colour shines through half-transparent hair: the new one's brightness dims it.
    scene.rgb += (new - scene.rgb) * behind[..., None]
    edge = cv2.GaussianBlur(behind, (0, 0), 1.0) * (1.0 - behind)
    scene.rgb *= (1.0 - 0.3 * edge)[..., None]


def _laid(canvas: F32, alpha: F32, colour: npt.ArrayLike) -> F32:
    return np.asarray(canvas + (np.asarray(colour, np.float32) - canvas) * alpha[..., None], np.float32)
