"""A sheet of texture to draw on, for `bench.occlusion_shapes` and `bench.occlusion_rims`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
Colour = tuple[float, float, float]

PX: Final = 160  # of a texture, an inter-ocular distance
_LIGHT: Final = np.array([-0.45, -0.6, 0.66], np.float32)
_GRAIN: Final = 3.0  # levels; without any grain a shift of a plain surface would not show


@dataclass(frozen=True, slots=True)
class Texture:
    """A drawn thing. rgba: float32 [h, w, 4], RGB 0..255 and alpha 0..1. anchor: x, y of its pixel that is
    placed."""

    rgba: F32
    anchor: tuple[float, float]


class Sheet:
    """What is drawn on. Lengths in IODs from the anchor, x right, y down."""

    def __init__(self, left: float, top: float, right: float, bottom: float, seed: int) -> None:
        self._low = (left, top)
        size = (round((bottom - top) * PX), round((right - left) * PX))
        self._rgb = np.zeros((*size, 3), np.float32)
        self._alpha = np.zeros(size, np.float32)
        self._noise = np.random.default_rng(seed)

    def at(self, points: Sequence[tuple[float, float]]) -> npt.NDArray[np.int32]:
        """Points as OpenCV's fixed-point pixel indices with four binary places."""
        places = (np.array(points, np.float64) - self._low) * PX - 0.5
        return np.asarray(np.round(places * 16), np.int32)

    def polygon(self, points: Sequence[tuple[float, float]]) -> F32:
        mask = np.zeros(self._alpha.shape, np.uint8)
        cv2.fillPoly(mask, [self.at(points)], (255,), cv2.LINE_AA, shift=4)
        return mask.astype(np.float32) / 255.0

    def line(self, points: Sequence[tuple[float, float]], width: float, closed: bool = False) -> F32:
        """A line with round ends."""
        mask = np.zeros(self._alpha.shape, np.uint8)
        thick = max(1, round(width * PX))
        cv2.polylines(mask, [self.at(points)], closed, (255,), thick, cv2.LINE_AA, shift=4)
        return mask.astype(np.float32) / 255.0

    def ellipse(self, x: float, y: float, rx: float, ry: float) -> F32:
        turn = np.linspace(0.0, 2 * np.pi, 90, endpoint=False)
        return self.polygon([(x + rx * np.cos(a), y + ry * np.sin(a)) for a in turn])

    def box(self, left: float, top: float, right: float, bottom: float, corner: float) -> F32:
        points: list[tuple[float, float]] = []
        middles = [(right, bottom, 0), (left, bottom, 1), (left, top, 2), (right, top, 3)]
        for x, y, quarter in middles:
            inward = (-1 if x == right else 1, -1 if y == bottom else 1)
            for a in np.linspace(quarter, quarter + 1, 8) * np.pi / 2:
                points.append((x + corner * (inward[0] + np.cos(a)), y + corner * (inward[1] + np.sin(a))))
        return self.polygon(points)

    def words(self, text: str, x: float, y: float, height: float) -> F32:
        mask = np.zeros(self._alpha.shape, np.uint8)
        place = self.at([(x, y)])[0] // 16
        font = cv2.FONT_HERSHEY_SIMPLEX
        size = height * PX / 22.0
        cv2.putText(
            mask,
            text,
            (int(place[0]), int(place[1])),
            font,
            size,
            (255,),
            max(2, round(2 * size)),
            cv2.LINE_AA,
        )
        return mask.astype(np.float32) / 255.0

    def lay(self, mask: F32, colour: Colour, depth: float = 0.0, strength: float = 1.0) -> None:
        """Paint a colour where `mask` is; depth: how far from its rim, in IODs, it is rounded and shaded."""
        paint = np.array(colour, np.float32) * np.ones((*mask.shape, 1), np.float32)
        if depth > 0.0:
            paint *= _shade(mask, depth * PX)[..., None]
        over = (mask * np.float32(strength))[..., None]
        self._rgb += over * (paint - self._rgb)
        self._alpha = np.maximum(self._alpha, mask * np.float32(strength))

    def texture(self, blotches: float = 0.03) -> Texture:
        """With patches (share of the brightness) and grain, so that every shift of it shows."""
        height, width = self._alpha.shape
        small = self._noise.normal(0.0, 1.0, (height // 16 + 2, width // 16 + 2)).astype(np.float32)
        patches = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
        grain = cv2.GaussianBlur(self._noise.normal(0, 1, self._rgb.shape).astype(np.float32), (0, 0), 1.2)
        rgb = self._rgb * (1.0 + np.float32(blotches) * patches[..., None])
        rgb = rgb + np.float32(_GRAIN / 0.25) * grain * np.float32(0.5)
        rgba = np.concatenate([np.clip(rgb, 0, 255), self._alpha[..., None]], axis=2).astype(np.float32)
        return Texture(rgba, (-self._low[0] * PX, -self._low[1] * PX))


def _shade(mask: F32, depth_px: float) -> F32:
    """Brightness of a thing with a rounded rim under light from above left, about 0.4 to 1.1."""
    inside = np.pad((mask > 0.5).astype(np.uint8), 1)
    far = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1]
    share = np.clip(far / depth_px, 0.0, 1.0)
    height = cv2.GaussianBlur(np.sqrt(share * (2.0 - share)) * np.float32(depth_px), (0, 0), 2.0)
    dx, dy = (cv2.Sobel(height, cv2.CV_32F, x, 1 - x) / 8.0 for x in (1, 0))
    lit = (-_LIGHT[0] * dx - _LIGHT[1] * dy + _LIGHT[2]) / np.sqrt(dx * dx + dy * dy + 1.0)
    return np.asarray(0.45 + 0.75 * np.clip(lit, 0.0, 1.0), np.float32)
