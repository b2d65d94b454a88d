"""What belongs to a face and covers nothing: shadows, strong light, make-up, beards, moles, freckles."""

from __future__ import annotations

import cv2
import numpy as np

from rtfilter.face import landmarks as lm
from rtfilter.learn.occlusion.scene import FACE, SIDE, Scene, any_colour, noise, polygon, stroke
from rtfilter.learn.occlusion.things import disc

_OUTER_LIP = (
    lm.MOUTH_CORNER_RIGHT, *lm.LIPS_OUTER_UPPER, lm.MOUTH_CORNER_LEFT, *lm.LIPS_OUTER_LOWER[::-1],
)  # fmt: skip
_INNER_LIP = (
    lm.INNER_CORNER_RIGHT, *lm.LIPS_INNER_UPPER, lm.INNER_CORNER_LEFT, *lm.LIPS_INNER_LOWER[::-1],
)  # fmt: skip
_JAW = (
    177, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 401, 425, 410, 287, 405,
    17, 181, 57, 186, 205,
)  # fmt: skip
_MOUSTACHE = (
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 391, 327, 2, 98, 165,
)  # fmt: skip
# Along the upper lid, and back below the brow.
_LIDS = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 221, 222, 223, 224, 225),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 441, 442, 443, 444, 445),
)
_SPOTS = (50, 280, 205, 425, 151, 9, 152, 4, 117, 346, 36, 266)


def mark(rng: np.random.Generator, scene: Scene) -> None:
    """One or two of them, on the face as it is."""
    kinds = (shadow, side_light, lips, eye_shadow, beard, spots)
    for number in rng.choice(len(kinds), int(rng.integers(1, 3)), replace=False):
        kinds[number](rng, scene)


def shadow(rng: np.random.Generator, scene: Scene) -> None:
    """Of something that is not in the picture: straight or round, soft or hard."""
    corners = rng.uniform(0, SIDE, 2) + rng.normal(0, 70, (int(rng.integers(3, 6)), 2))
    soft = cv2.GaussianBlur(polygon(corners), (0, 0), rng.uniform(0.6, 10.0))
    tint = rng.uniform(0.3, 0.8) * rng.normal(1.0, 0.03, 3)
    scene.rgb *= (1.0 + (tint - 1.0) * soft[..., None]).astype(np.float32)


def side_light(rng: np.random.Generator, scene: Scene) -> None:
    """From one side, and coloured; the other half nearly dark."""
    angle, width = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.5) * FACE
    ys, xs = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    nose = scene.points[4, :2] + rng.normal(0, 8, 2)
    away = ((xs - nose[0]) * np.cos(angle) + (ys - nose[1]) * np.sin(angle)) / width
    share = 1.0 / (1.0 + np.exp(-away))
    dark, lit = rng.uniform(0.15, 0.8), rng.uniform(1.0, 1.7) * rng.normal(1.0, 0.08, 3)
    scene.rgb *= (dark + (lit - dark) * share[..., None]).astype(np.float32)


def lips(rng: np.random.Generator, scene: Scene) -> None:
    """Lipstick."""
    area = polygon(scene.points[list(_OUTER_LIP), :2]) * (1.0 - polygon(scene.points[list(_INNER_LIP), :2]))
    soft = cv2.GaussianBlur(area, (0, 0), 1.0)
    red = np.array([rng.uniform(0.3, 0.9), rng.uniform(0.0, 0.3), rng.uniform(0.05, 0.35)])
    tone = scene.rgb.mean(2, keepdims=True) * 1.6
    tint = (red if rng.random() < 0.8 else any_colour(rng)) * tone
    scene.rgb += ((tint - scene.rgb) * (soft * rng.uniform(0.3, 0.9))[..., None]).astype(np.float32)


def eye_shadow(rng: np.random.Generator, scene: Scene) -> None:
    """On both lids, with a line; or blush on the cheeks."""
    for lid in _LIDS:
        area = cv2.GaussianBlur(polygon(scene.points[list(lid), :2]), (0, 0), rng.uniform(1.0, 4.0))
        tint = (
            any_colour(np.random.default_rng(int(scene.points[0, 0] * 97)))
            * scene.rgb.mean(2, keepdims=True)
            * 1.4
        )
        scene.rgb += ((tint - scene.rgb) * (area * 0.45)[..., None]).astype(np.float32)
        line = stroke(scene.points[list(lid[:9]), :2], rng.uniform(0.5, 2.0))
        scene.rgb *= (1.0 - rng.uniform(0.0, 0.8) * line)[..., None].astype(np.float32)


def beard(rng: np.random.Generator, scene: Scene) -> None:
    """Stubble or a beard on jaw and lip, of short strokes."""
    area = polygon(scene.points[list(_JAW), :2])
    if rng.random() < 0.7:
        area = np.maximum(area, polygon(scene.points[list(_MOUSTACHE), :2]))
    mouth = polygon(scene.points[list(_OUTER_LIP), :2])
    soft = cv2.GaussianBlur(area * (1.0 - mouth), (0, 0), rng.uniform(1.0, 5.0))
    grain = np.clip(rng.uniform(0.4, 1.0) + 0.8 * noise(rng, rng.uniform(1.5, 5.0)), 0.0, 1.0)
    colour = np.array([0.08, 0.06, 0.05]) * rng.uniform(0.5, 4.0)
    amount = soft * grain * rng.uniform(0.25, 0.9)
    scene.rgb += ((colour - scene.rgb) * amount[..., None]).astype(np.float32)


def spots(rng: np.random.Generator, scene: Scene) -> None:
    """Moles, freckles, scars, a bright spot of light."""
    for _ in range(int(rng.integers(1, 14))):
        at = scene.points[int(rng.choice(_SPOTS)), :2] + rng.normal(0, 10, 2)
        dot = cv2.GaussianBlur(disc(at, rng.uniform(0.6, 3.0)), (0, 0), rng.uniform(0.4, 1.5))
        factor = rng.uniform(0.4, 0.85) if rng.random() < 0.8 else rng.uniform(1.1, 1.4)
        scene.rgb *= (1.0 + (factor - 1.0) * dot)[..., None].astype(np.float32)
