"""Colours of skin and hair, and skin as a texture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtfilter.learn.occlusion.scene import Scene, noise, plain

F32 = npt.NDArray[np.float32]

# Light to dark, and hair black to white, as cameras show them.
_SKINS = np.array(
    [[0.93, 0.78, 0.70], [0.87, 0.69, 0.58], [0.78, 0.58, 0.45], [0.66, 0.46, 0.34], [0.50, 0.33, 0.24],
     [0.34, 0.22, 0.16], [0.20, 0.13, 0.10]], np.float32
)  # fmt: skip
_HAIRS = np.array(
    [[0.04, 0.035, 0.035], [0.12, 0.08, 0.06], [0.26, 0.17, 0.11], [0.45, 0.30, 0.17], [0.70, 0.55, 0.35],
     [0.50, 0.22, 0.10], [0.55, 0.54, 0.53], [0.85, 0.84, 0.82]], np.float32
)  # fmt: skip


def skin_colour(rng: np.random.Generator, scene: Scene) -> F32:
    """The face's own, a little lighter or redder, as often as another's."""
    if rng.random() < 0.55:
        base = scene.skin(rng) * rng.uniform(0.85, 1.2)
    else:
        place = rng.uniform(0, len(_SKINS) - 1)
        low = int(place)
        base = _SKINS[low] + (_SKINS[min(low + 1, len(_SKINS) - 1)] - _SKINS[low]) * (place - low)
        base = base * rng.uniform(0.7, 1.15)
    return np.asarray(base * rng.normal(1.0, 0.04, 3), np.float32).clip(0.02, 1.0)


def skin_texture(rng: np.random.Generator, colour: F32) -> F32:
    """A canvas of skin: blotches, redness, fine grain."""
    canvas = plain(colour)
    canvas *= 1.0 + 0.08 * noise(rng, rng.uniform(8, 40))[..., None]
    red = noise(rng, rng.uniform(10, 30)) * rng.uniform(0.0, 0.08)
    canvas[..., 0] *= 1.0 + red
    canvas[..., 1:] *= (1.0 - 0.5 * red)[..., None]
    canvas *= 1.0 + rng.uniform(0.0, 0.05) * noise(rng, 2.0)[..., None]
    return np.asarray(canvas, np.float32)


def hair_colour(rng: np.random.Generator, scene: Scene) -> F32:
    """The person's own, read above the forehead, or another's."""
    if rng.random() < 0.6:
        top, chin = scene.points[10, :2], scene.points[152, :2]
        at = top + (top - chin) * 0.12
        x, y = np.clip(np.rint(at).astype(int), 4, len(scene.rgb) - 5)
        return np.asarray(
            np.median(scene.rgb[y - 4 : y + 4, x - 4 : x + 4].reshape(-1, 3), axis=0), np.float32
        )
    return np.asarray(_HAIRS[int(rng.integers(len(_HAIRS)))] * rng.uniform(0.7, 1.3), np.float32).clip(0, 1)
