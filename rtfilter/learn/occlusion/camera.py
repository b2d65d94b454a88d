"""What cameras and calls do to a picture: light, colour, blur, few pixels, noise, compression."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]


def light(rng: np.random.Generator, rgb: F32) -> F32:
    """Exposure, gamma, tint and contrast, of float32 [H, W, 3], 0..1."""
    gain = np.exp(rng.normal(0.0, 0.25)) * np.exp(rng.normal(0.0, 0.08, 3))
    lit = np.clip(rgb * gain.astype(np.float32), 0.0, 1.0)
    np.power(lit, np.float32(np.exp(rng.normal(0.0, 0.2))), out=lit)
    rest = np.float32(1.0 - rng.uniform(0.4, 1.3))  # towards grey, or away from it
    mixed = (1.0 - rest) * np.eye(3, dtype=np.float32) + rest / np.float32(3.0)
    return np.asarray(np.clip(lit @ mixed, 0.0, 1.0), np.float32)


def recorded(rng: np.random.Generator, rgb: F32, side: int) -> U8:
    """A picture of `side` pixels, uint8, as a camera and a call give it; float32 [H, H, 3], 0..1."""
    whole = len(rgb)
    seen: npt.NDArray[Any] = rgb
    if rng.random() < 0.3:
        seen = cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.4, 2.5))
    if rng.random() < 0.35:  # a face of few pixels
        small = int(rng.uniform(0.25, 0.8) * whole)
        seen = cv2.resize(seen, (small, small), interpolation=cv2.INTER_AREA)
        seen = cv2.resize(seen, (whole, whole), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.6:
        sigma = rng.uniform(0.003, 0.05)
        size = whole if rng.random() < 0.5 else whole // 2
        grain = rng.normal(0.0, sigma, (size, size, 3)).astype(np.float32)
        seen = seen + cv2.resize(grain, (whole, whole), interpolation=cv2.INTER_LINEAR)
    picture = np.rint(np.clip(seen, 0.0, 1.0) * 255.0).astype(np.uint8)
    if rng.random() < 0.5:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 90))]
        picture = cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR)
    # Half of the runs read the picture without averaging, as a smaller square is read.
    how = cv2.INTER_AREA if rng.random() < 0.8 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (side, side), interpolation=how), np.uint8)
