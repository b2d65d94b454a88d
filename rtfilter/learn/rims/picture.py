"""One picture to learn from: a band, moved a little, with glasses or without, as a camera might show it."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.learn.rims.draw import with_glasses, with_lines
from rtfilter.occlusion.band import COLUMNS, ROWS

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

WORN: Final = 0.6  # share with glasses


def composed(rgb: U8, rng: np.random.Generator) -> tuple[F32, F32, float]:
    """pixels [3, ROWS, COLUMNS], RGB 0..1; rims [ROWS / 2, COLUMNS / 2], 0..1; worn, 0 or 1."""
    band = _moved(rgb, rng).astype(np.float32) / np.float32(255.0)
    lined = rng.random() < 0.35
    if lined and rng.random() < 0.6:  # below the glasses
        band, lined = with_lines(band, rng), False
    rims, worn = np.zeros((ROWS, COLUMNS), np.float32), 0.0
    if rng.random() < WORN:
        band, rims = with_glasses(band, rng)
        worn = 1.0
    if lined:
        band = with_lines(band, rng)
    small = cv2.resize(rims, (COLUMNS // 2, ROWS // 2), interpolation=cv2.INTER_AREA)
    shown = _camera(np.clip(band, 0.0, 1.0), rng)
    return shown.transpose(2, 0, 1), np.asarray(np.clip(2.0 * small, 0.0, 1.0), np.float32), worn


def _moved(rgb: U8, rng: np.random.Generator) -> U8:
    """Mirrored, shifted, turned and scaled, as a person's shape and the tracker's error do."""
    if rng.random() < 0.5:
        rgb = rgb[:, ::-1]
    angle, scale = rng.normal(0.0, 1.5), np.exp(rng.normal(0.0, 0.035))
    matrix = np.asarray(cv2.getRotationMatrix2D((COLUMNS / 2, ROWS / 2), angle, scale), np.float64)
    matrix[:, 2] += rng.normal(0.0, 2.0, 2)
    return np.asarray(
        cv2.warpAffine(np.ascontiguousarray(rgb), matrix, (COLUMNS, ROWS), borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def _camera(band: F32, rng: np.random.Generator) -> F32:
    """Light, sharpness, noise and compression."""
    if rng.random() < 0.5:
        sigma = rng.uniform(0.2, 1.3)
        band = np.asarray(cv2.GaussianBlur(band, (0, 0), sigma), np.float32)
    if rng.random() < 0.25:  # a face further away
        side = rng.uniform(0.4, 0.8)
        small = cv2.resize(band, None, fx=side, fy=side, interpolation=cv2.INTER_AREA)
        band = np.asarray(cv2.resize(small, (COLUMNS, ROWS), interpolation=cv2.INTER_LINEAR), np.float32)
    tint = np.exp(rng.normal(0.0, 0.06, 3)) * np.exp(rng.normal(0.0, 0.25))
    lit = np.clip(band * tint.astype(np.float32), 0.0, 1.0)
    band = lit ** np.float32(np.exp(rng.normal(0.0, 0.2)))
    noise = rng.standard_normal(band.shape, np.float32)
    band = band + np.float32(rng.uniform(0.0, 0.025)) * noise
    if rng.random() < 0.4:
        quality = int(rng.integers(25, 90))
        bytes_ = np.rint(255.0 * np.clip(band, 0.0, 1.0)).astype(np.uint8)
        _, coded = cv2.imencode(".jpg", bytes_, [cv2.IMWRITE_JPEG_QUALITY, quality])
        band = cv2.imdecode(coded, cv2.IMREAD_COLOR).astype(np.float32) / 255.0
    return np.asarray(np.clip(band, 0.0, 1.0), np.float32)
