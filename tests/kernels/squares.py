"""Pictures of noise, and squares in and around them, for tests of crops."""

from __future__ import annotations

import numpy as np

# Side of the crop; of the square in the picture: its middle, its side in pixels, its turn in degrees.
SQUARES = {
    "inside": (32, (20.0, 17.0), 24.0, 0.0),
    "turned, larger than the picture": (24, (20.0, 15.0), 90.0, 33.0),
    "beyond a corner": (17, (-3.0, 31.0), 20.0, -71.0),
    "far away": (8, (5000.0, -9000.0), 20.0, 10.0),
    "a point": (9, (11.3, 12.9), 0.0, 0.0),
    "one to one": (31, (15.5, 15.5), 31.0, 0.0),
}


def picture(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def affine(side: int, middle: tuple[float, float], size: float, turn_deg: float) -> np.ndarray:
    """Picture from crop of a square around `middle`, `size` pixels wide."""
    angle, scale = np.radians(turn_deg), size / side
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([rotation, np.array(middle) - rotation @ np.full(2, side / 2)])
