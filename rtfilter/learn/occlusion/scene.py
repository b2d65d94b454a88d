"""A picture that occluders are drawn into: colours, what each pixel is, landmarks; and its layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

SIDE: Final = 192  # twice the network's: what is drawn is averaged
FACE: Final = SIDE / 1.5  # height of a face from the front, roughly
_BITS: Final = 4
CHEEKS: Final = (50, 280, 205, 425, 101, 330)


@dataclass
class Scene:
    """One composed square of SIDE pixels; changed in place.

    rgb: float32 [S, S, 3], 0..1. occluder, background, rims: float32 [S, S], the truth. sure: float32 [3, S,
    S], how far each of the three is known. points: float32 [478, 3], pixels.
    """

    rgb: F32
    occluder: F32
    background: F32
    rims: F32
    sure: F32
    points: F32

    def paste(self, layer: Layer, occludes: bool = True) -> None:
        """Lay something over all. occludes: whether it hides the person, or is worn as glasses are."""
        alpha = layer.alpha
        self.rgb += (layer.colour - self.rgb) * alpha[..., None]
        if occludes:
            self.rims *= 1.0 - alpha
            self.background *= 1.0 - alpha
            self.occluder += alpha * (1.0 - self.occluder)
            self.sure[1] *= 1.0 - alpha  # over the background it may count as either
        else:
            self.rims += alpha * (1.0 - self.rims)

    def shade(self, alpha: F32, shift: tuple[float, float], blur_px: float, strength: float) -> None:
        """Darken what lies below a layer, beside it."""
        move = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]])
        cast = cv2.GaussianBlur(cv2.warpAffine(alpha, move, (SIDE, SIDE)), (0, 0), max(blur_px, 0.3))
        self.rgb *= (1.0 - strength * cast)[..., None]

    def skin(self, rng: np.random.Generator) -> F32:
        """A colour of the face's own skin."""
        spot = self.points[int(rng.choice(CHEEKS)), :2]
        x, y = np.clip(np.rint(spot).astype(int), 3, SIDE - 4)
        return np.asarray(
            np.median(self.rgb[y - 3 : y + 4, x - 3 : x + 4].reshape(-1, 3), axis=0), np.float32
        )


@dataclass
class Layer:
    """Something drawn: colour float32 [S, S, 3], 0..1, and alpha float32 [S, S]."""

    colour: F32
    alpha: F32

    def moving(self, angle_rad: float, length_px: float) -> Layer:
        """Smeared by motion."""
        size = 2 * int(length_px / 2) + 3
        kernel = np.zeros((size, size), np.float32)
        middle = size // 2
        reach = length_px / 2 * np.array([np.cos(angle_rad), np.sin(angle_rad)])
        ends = [tuple(int(v) for v in np.rint((middle + sign * reach) * 16)) for sign in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], (1.0,), 1, cv2.LINE_AA, 4)
        kernel[middle, middle] = max(kernel[middle, middle], 1e-3)
        kernel /= kernel.sum()
        alpha = cv2.filter2D(self.alpha, -1, kernel)
        colour = cv2.filter2D(self.colour * self.alpha[..., None], -1, kernel)
        return Layer(
            np.asarray(colour / np.maximum(alpha, 1e-3)[..., None], np.float32), np.asarray(alpha, np.float32)
        )

    def softened(self, blur_px: float) -> Layer:
        """With a softer border, as out of focus."""
        alpha = cv2.GaussianBlur(self.alpha, (0, 0), blur_px)
        colour = cv2.GaussianBlur(self.colour * self.alpha[..., None], (0, 0), blur_px)
        return Layer(
            np.asarray(colour / np.maximum(alpha, 1e-3)[..., None], np.float32), np.asarray(alpha, np.float32)
        )


Drawing = Callable[[np.random.Generator, Scene], Layer]


def polygon(corners: npt.ArrayLike) -> F32:
    """The share of each pixel inside corners [N, 2], float32 [S, S]."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(mask, [fixed(corners)], (255,), cv2.LINE_AA, _BITS)
    return mask.astype(np.float32) / np.float32(255.0)


def stroke(points: npt.ArrayLike, width_px: float, closed: bool = False) -> F32:
    """The share of each pixel below a line through points [N, 2], float32 [S, S]; thin ones are fainter."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    thick = max(round(width_px), 1)
    cv2.polylines(mask, [fixed(points)], closed, (255,), thick, cv2.LINE_AA, _BITS)
    return mask.astype(np.float32) * np.float32(min(width_px, 1.0) / 255.0)


def fixed(points: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """Points as OpenCV takes them with fractions of a pixel; it counts pixels at their middles."""
    return np.asarray(np.rint((np.asarray(points, np.float64) - 0.5) * (1 << _BITS)), np.int32)


def curve(points: npt.ArrayLike, count: int = 24) -> F64:
    """A Bezier curve, float64 [count, 2], of control points [N, 2]."""
    at = np.linspace(0.0, 1.0, count)[:, None, None]
    left = np.repeat(np.asarray(points, np.float64)[None], count, axis=0)
    while left.shape[1] > 1:
        left = left[:, :-1] * (1.0 - at) + left[:, 1:] * at
    return left[:, 0]


def turned(points: npt.ArrayLike, angle_rad: float, centre: npt.ArrayLike) -> F64:
    """Points [N, 2] about the origin, turned and moved to `centre`."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.asarray(np.asarray(points, float) @ np.array([[cos, sin], [-sin, cos]]) + np.asarray(centre))


def noise(rng: np.random.Generator, cell_px: float) -> F32:
    """Smooth noise, float32 [S, S], about -1..1. cell_px: size of its spots."""
    cells = max(int(SIDE / max(cell_px, 1.0)), 2)
    coarse = rng.standard_normal((cells + 1, cells + 1)).astype(np.float32)
    return np.asarray(
        np.clip(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) / 2, -1, 1), np.float32
    )


def plain(colour: npt.ArrayLike) -> F32:
    """A canvas of one colour."""
    return np.broadcast_to(np.asarray(colour, np.float32), (SIDE, SIDE, 3)).copy()


def any_colour(rng: np.random.Generator) -> F32:
    """Any colour; greys and darks as often as bright ones."""
    base = rng.uniform(0.02, 0.98, 3)
    grey = base.mean()
    return np.asarray(grey + (base - grey) * rng.choice([0.0, 0.3, 1.0, 1.4]), np.float32).clip(0.0, 1.0)
