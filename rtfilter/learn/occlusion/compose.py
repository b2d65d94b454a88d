"""Composed pictures: a face of the footage, things drawn over it with the truth known, and a camera.

What is drawn depends on the seed alone. Called by `occlusion.pool`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.face.model import MorphableModel
from rtfilter.learn.occlusion import flat, hands, things, worn
from rtfilter.learn.occlusion.camera import light, recorded
from rtfilter.learn.occlusion.footage import Footage, View
from rtfilter.learn.occlusion.glasses import Frame, any_frame, reflections, rims
from rtfilter.learn.occlusion.marks import mark
from rtfilter.learn.occlusion.rooms import replace_room
from rtfilter.learn.occlusion.scene import Drawing, Layer, Scene
from rtfilter.occlusion.appearance import Appearance
from rtfilter.occlusion.square import SIDE_PX
from rtfilter.tracking.roi import Roi

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

# How often each kind is drawn, as weights.
KINDS: Final[Mapping[str, tuple[float, Drawing]]] = {
    "hand": (4.0, hands.hand),
    "arm": (0.7, hands.arm),
    "phone": (1.0, things.phone),
    "mug": (1.0, things.mug),
    "microphone": (1.0, things.microphone),
    "headset": (0.8, things.headset),
    "stick": (0.5, things.stick),
    "mask": (0.8, worn.mask),
    "scarf": (0.3, worn.scarf),
    "hair": (1.2, worn.hair),
    "paper": (0.6, flat.paper),
    "text": (0.9, flat.text),
    "bar": (0.8, flat.bar),
    "spoon": (0.5, things.spoon),
    "ball": (0.5, things.ball),
}
NOTHING, PIECE, SUNGLASSES = "nothing", "piece", "sunglasses"
NAMES: Final = (NOTHING, *KINDS, PIECE, SUNGLASSES)
_PIECE_WEIGHT = 1.6
_WHOLE = Roi(SIDE_PX / 2, SIDE_PX / 2, float(SIDE_PX), 0.0)


@dataclass(frozen=True)
class Sample:
    """One picture for the network; all uint8, 0..255.

    pixels: [7, 96, 96], as its input. held: [3, 96, 96], the truth. sure: [3, 96, 96], its weight. kind:
    index into NAMES of what was drawn first.
    """

    pixels: U8
    held: U8
    sure: U8
    kind: int


class Composer:
    """Samples of some footage. kinds: of occluders that may be drawn. unknown: share without appearance."""

    def __init__(self, footage: Footage, kinds: Sequence[str], unknown: float, bare: float = 0.3) -> None:
        self._footage, self._unknown, self._bare = footage, unknown, bare
        self._kinds = list(kinds)
        weights = np.array([KINDS[one][0] if one in KINDS else _PIECE_WEIGHT for one in self._kinds])
        self._chances = weights / weights.sum()
        self._appearance = Appearance(MorphableModel.builtin().triangles)

    def sample(self, seed: Sequence[int]) -> Sample:
        """One picture, of the seed alone."""
        rng = np.random.default_rng(list(seed))
        footage = self._footage
        who = int(rng.integers(len(footage)))
        which = int(rng.integers(footage.count(who)))
        mirrored = bool(rng.random() < 0.5)
        scene = footage.scene(who, which, View.any(rng, mirrored))
        frame = any_frame(rng) if rng.random() < 0.4 and not footage.spectacled(who) else None
        if rng.random() < 0.5:
            replace_room(rng, scene, footage.other)
        if rng.random() < 0.45:
            mark(rng, scene)
        kind = self._covered(rng, scene, frame)
        rgb = recorded(rng, light(rng, scene.rgb), SIDE_PX)
        square = np.ascontiguousarray(rgb.transpose(2, 0, 1), np.float32) / np.float32(255.0)
        look = np.zeros((4, SIDE_PX, SIDE_PX), np.float32)
        if rng.random() >= self._unknown:
            others = footage.beside(rng, who, which, int(rng.integers(1, 5)))
            worn_then = frame if rng.random() < 0.85 else None
            for other in others:
                self._learn(rng, who, other, mirrored, worn_then)
            covered = _small(scene.occluder)
            points = _wobbled(rng, scene.points / 2, 1.2 if covered.mean() > 0.02 else 0.4)
            if rng.random() < 0.12:  # learned in part what it should not have
                self._appearance.see(
                    square, points, _WHOLE, 1.0 - np.float32(rng.uniform(0.2, 0.9)) * covered
                )
            look = self._appearance.draw(points, _WHOLE, square)
            self._appearance.reset()
        held = np.stack([_small(one) for one in (scene.occluder, scene.background, scene.rims)])
        sure = np.stack([_small(one) for one in scene.sure])
        return Sample(
            np.concatenate([_bytes(square), _bytes(look)]), _bytes(held), _bytes(sure), NAMES.index(kind)
        )

    def _covered(self, rng: np.random.Generator, scene: Scene, frame: Frame | None) -> str:
        """Draw glasses and occluders; the name of the first occluder."""
        kind = NOTHING
        if frame is not None:
            if rng.random() < 0.2:
                _lay(rng, scene, worn.dark_lenses(rng, scene, frame), still=True)
                kind = SUNGLASSES
            else:
                reflections(rng, scene, frame)
            layer = rims(rng, scene, frame)
            if rng.random() < 0.5:
                scene.shade(layer.alpha, (rng.normal(0, 1.5), rng.uniform(0, 4)), rng.uniform(0.5, 2), 0.25)
            scene.paste(layer, occludes=False)
        if rng.random() < self._bare:
            return kind
        for number in range(2 if rng.random() < 0.2 else 1):
            name = str(rng.choice(self._kinds, p=self._chances))
            drawn = (
                flat.piece(rng, scene, self._footage.other) if name == PIECE else KINDS[name][1](rng, scene)
            )
            _lay(rng, scene, drawn, still=name in ("mask", "hair", "scarf"))
            kind = name if number == 0 else kind
        return kind

    def _learn(
        self, rng: np.random.Generator, who: int, which: int, mirrored: bool, frame: Frame | None
    ) -> None:
        if frame is None:
            rgb, points = self._footage.square(who, which, mirrored, SIDE_PX)
        else:
            scene = self._footage.scene(who, which, View(mirrored=mirrored))
            scene.paste(rims(rng, scene, frame), occludes=False)
            rgb, points = (
                np.stack([_small(one) for one in scene.rgb.transpose(2, 0, 1)], axis=2),
                scene.points / 2,
            )
        rgb = light(rng, rgb) + rng.normal(0.0, rng.uniform(0.0, 0.03), rgb.shape).astype(np.float32)
        square = np.ascontiguousarray(np.clip(rgb, 0.0, 1.0).transpose(2, 0, 1), np.float32)
        self._appearance.see(
            square, _wobbled(rng, points, 0.3), _WHOLE, np.ones((SIDE_PX, SIDE_PX), np.float32)
        )


def _lay(rng: np.random.Generator, scene: Scene, layer: Layer, still: bool) -> None:
    """Lay an occluder over the scene: lit alike or not, sharp, soft or smeared, with a shadow or without."""
    usual = float(scene.rgb.mean())
    layer.colour *= np.float32((usual / 0.45) ** rng.uniform(0.0, 1.0) * rng.uniform(0.8, 1.2))
    np.clip(layer.colour, 0.0, 1.0, out=layer.colour)
    chance = rng.random()
    if chance < 0.25 and not still:
        layer = layer.moving(rng.uniform(0, np.pi), rng.uniform(3.0, 24.0))
    elif chance < 0.45:
        layer = layer.softened(rng.uniform(0.5, 3.0))
    if rng.random() < 0.5:
        shift = (rng.normal(0, 6), rng.normal(2, 5))
        scene.shade(layer.alpha, shift, rng.uniform(1, 8), rng.uniform(0.1, 0.6))
    np.maximum(scene.sure[0], layer.alpha > 0.02, out=scene.sure[0])
    scene.paste(layer)


def _wobbled(rng: np.random.Generator, points: F32, sigma_px: float) -> F32:
    """Landmarks in pixels of the network's square, off as a tracker's are."""
    found = points.astype(np.float32)
    found[:, :2] += rng.normal(0.0, sigma_px, 2).astype(np.float32)
    middle = found[:, :2].mean(0)
    found[:, :2] = middle + (found[:, :2] - middle) * np.float32(np.exp(rng.normal(0, 0.01 * sigma_px)))
    return found


def _small(plane: F32) -> F32:
    return np.asarray(cv2.resize(plane, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.float32)


def _bytes(values: F32) -> U8:
    return np.asarray(np.rint(np.clip(values, 0.0, 1.0) * 255.0), np.uint8)
