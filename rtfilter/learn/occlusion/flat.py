"""Flat things over a face: paper, text, bars, and torn pieces of other pictures."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.learn.occlusion.hands import TARGETS, cloth
from rtfilter.learn.occlusion.scene import FACE, SIDE, Layer, Scene, any_colour, noise, plain, polygon
from rtfilter.learn.occlusion.things import box, held

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Other = Callable[[np.random.Generator], U8]  # a picture [S, S, 3] of somebody else

_WORDS = (
    "live", "on", "air", "no", "yes", "ok", "hello", "team", "meeting", "note", "2024", "guest", "camera",
    "quiet", "mute", "rec", "name", "menu", "news",
)  # fmt: skip
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_PLAIN)


def paper(rng: np.random.Generator, scene: Scene) -> Layer:
    """A sheet or a book with lines of text, often held."""
    at = scene.points[int(rng.choice(TARGETS)), :2] + rng.normal(0.0, 20.0, 2)
    half = FACE * rng.uniform([0.2, 0.2], [0.7, 0.7])
    angle = rng.normal(0.0, 0.4)
    ground = np.full(3, rng.uniform(0.7, 1.0)) if rng.random() < 0.7 else any_colour(rng)
    colour = plain(ground) * (1.0 + 0.12 * noise(rng, 50)[..., None])
    text = np.zeros((SIDE, SIDE), np.uint8)
    high = rng.uniform(0.25, 0.7)
    for row in range(4, SIDE, int(10 + 22 * high)):
        cv2.putText(
            text,
            " ".join(rng.choice(_WORDS, 9)),
            (int(rng.integers(-20, 10)), row),
            int(rng.choice(_FONTS)),
            high,
            (255,),
            1,
            cv2.LINE_AA,
        )
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), -float(np.degrees(angle)), 1.0)
    ink = cv2.warpAffine(text, turn, (SIDE, SIDE)).astype(np.float32)[..., None] / 255.0
    colour = colour + (any_colour(rng) * 0.3 - colour) * ink * rng.uniform(0.5, 1.0)
    layer = Layer(np.asarray(np.clip(colour, 0, 1), np.float32), box(at, half, angle, 0.02))
    return held(rng, scene, layer, at, half, angle) if rng.random() < 0.6 else layer


def text(rng: np.random.Generator, scene: Scene) -> Layer:
    """A caption, a label or a logo: letters alone, or on a bar."""
    at = scene.points[int(rng.choice(TARGETS)), :2] + rng.normal(0.0, 15.0, 2)
    words = " ".join(rng.choice(_WORDS, int(rng.integers(1, 4))))
    words = words.upper() if rng.random() < 0.5 else words
    font, size, thick = int(rng.choice(_FONTS)), rng.uniform(0.5, 2.0), int(rng.integers(1, 5))
    (wide, high), _ = cv2.getTextSize(words, font, size, thick)
    place = (int(at[0] - wide * rng.uniform(0.2, 0.8)), int(at[1] + high / 2))
    letters = np.zeros((SIDE, SIDE), np.uint8)
    cv2.putText(letters, words, place, font, size, (255,), thick, cv2.LINE_AA)
    ink = letters.astype(np.float32) / np.float32(255.0)
    colour, alpha = plain(any_colour(rng)), ink
    if rng.random() < 0.65:
        middle = np.array([place[0] + wide / 2, place[1] - high / 2])
        label = box(middle, np.array([wide, high]) / 2 + rng.uniform(3, 12), 0.0, rng.choice([0.0, 0.5]))
        ground = plain(any_colour(rng))
        colour = ground + (colour - ground) * ink[..., None]
        alpha = np.maximum(label, ink)
    elif rng.random() < 0.6:
        edge = plain(1.0 - colour[0, 0])
        colour = edge + (colour - edge) * ink[..., None]
        alpha = np.asarray(cv2.dilate(ink, np.ones((3, 3))), np.float32)
    return Layer(np.asarray(colour, np.float32), np.asarray(alpha, np.float32))


def bar(rng: np.random.Generator, scene: Scene) -> Layer:
    """A straight bar of any colour and texture, through the face or ending on it."""
    at = scene.points[int(rng.choice(TARGETS)), :2] + rng.normal(0.0, 10.0, 2)
    half = np.array([SIDE * rng.uniform(0.15, 1.0), FACE * rng.uniform(0.02, 0.2)])
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)]) + rng.normal(0, 0.05)
    if rng.random() < 0.4:
        at = at + half[0] * np.array([np.cos(angle), np.sin(angle)])
    colour = (
        cloth(rng) if rng.random() < 0.4 else plain(any_colour(rng)) * (1 + 0.2 * noise(rng, 40)[..., None])
    )
    return Layer(
        np.asarray(np.clip(colour, 0, 1), np.float32), box(at, half, float(angle), rng.uniform(0, 0.9))
    )


def piece(rng: np.random.Generator, scene: Scene, other: Other) -> Layer:
    """A polygon or a blob of another picture, of cloth, or of one colour."""
    at = scene.points[int(rng.choice(TARGETS)), :2] + rng.normal(0.0, 15.0, 2)
    count, size = int(rng.integers(3, 10)), FACE * rng.uniform(0.1, 0.5)
    around = np.sort(rng.uniform(0, 2 * np.pi, count))
    reach = size * rng.uniform(0.5, 1.2, count)
    corners = at + reach[:, None] * np.stack([np.cos(around), np.sin(around)], 1)
    if rng.random() < 0.4:
        alpha = np.clip((noise(rng, rng.uniform(20, 60)) + rng.uniform(-0.3, 0.1)) * 8, 0, 1)
        ys, xs = np.mgrid[:SIDE, :SIDE]
        alpha = alpha * np.clip((size * 1.4 - np.hypot(xs - at[0], ys - at[1])) / 4, 0, 1)
    else:
        alpha = polygon(corners)
    colour = textured(rng, other)
    return Layer(colour, np.asarray(alpha, np.float32))


def textured(rng: np.random.Generator, other: Other) -> F32:
    """A canvas of another picture, moved and turned; of cloth; or of one colour."""
    kind = rng.random()
    if kind < 0.5:
        turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), rng.uniform(0, 360), rng.uniform(0.8, 2.5))
        shift = np.zeros((2, 3))
        shift[:, 2] = rng.uniform(-SIDE / 2, SIDE / 2, 2)
        moved = cv2.warpAffine(other(rng), turn + shift, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)
        canvas = moved.astype(np.float32) / np.float32(255.0)
        return np.asarray(np.clip(canvas * rng.uniform(0.6, 1.4, 3), 0, 1), np.float32)
    return cloth(rng) if kind < 0.8 else plain(any_colour(rng))
