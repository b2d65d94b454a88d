"""What the followed person looks like: a texture of their skin, learned while they are seen.

A robust running mean in the layout of `face.uv`, apart from the light, so that what lies over the face can be
told from it: the occlusion network compares the picture with it. A few dozen kilobytes; nothing is stored.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.face.uv import outwards, skin_uv
from rtfilter.kernels.cpu.appearance import draw_texels, fit_light, learn_texels, place_texels, read_texels
from rtfilter.kernels.cpu.rasterise import rasterise_flow
from rtfilter.occlusion.square import SIDE_PX, points_in_square
from rtfilter.render.unwrap import Unwrapper
from rtfilter.tracking.roi import Roi

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]

SIZE: Final = 48  # texels a side: the face is about 60 pixels wide in the square
DARK: Final = 0.06  # of white, added before colours are divided, so that noise in the dark counts little
KNOWN_AFTER: Final = 3.0  # sightings after which a texel counts as known
MEMORY: Final = 60.0  # sightings that the mean goes back over
STEP_MAX: Final = 0.2  # of the mean: the most that one sighting is taken to differ from it
LEAST_SEEN: Final = 60  # texels from which on a light is estimated
# Of the square; less is seen from the side. From the front a texel covers (96 / MARGIN / SIZE) ** 2 = 1.8.
_LEAST_PX = 0.27
_RIDGE = 8.0  # of the light's slopes, in texels
_STEEP = 0.15  # differences beyond it hardly count for the slopes
_NEUTRAL = ((1.0, 0.0, 0.0),) * 3


class Appearance:
    """The learned look of one person; `triangles`: int32 [T, 3], the skin, as landmark indices."""

    def __init__(self, triangles: I32) -> None:
        unwrapper = Unwrapper(SIZE, triangles)
        self._triangles = outwards(triangles)
        self._kinds = np.ones(len(triangles), np.uint8)
        self._mask = unwrapper.mask
        self._corners, self._shares = unwrapper.texels()
        self._uv = skin_uv()
        square, texture = (SIDE_PX, SIDE_PX), (SIZE, SIZE)
        self._place, self._shown = np.empty((*square, 2), np.float32), np.empty(square, np.int32)
        self._label, self._depth = np.empty(square, np.uint8), np.empty(square, np.float32)
        self._places, self._look = np.empty((*texture, 2), np.float32), np.empty((*texture, 3), np.float32)
        self._seen, self._all = np.empty((*texture, 2), np.float32), np.ones(square, np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget the person."""
        self._mean = np.full((SIZE, SIZE, 3), DARK, np.float32)
        self._count = np.zeros((SIZE, SIZE), np.float32)
        self._light = np.array(_NEUTRAL, np.float32)
        self._empty = True

    @property
    def known(self) -> float:
        """The share of the skin that is known, 0..1."""
        seen = np.minimum(self._count / KNOWN_AFTER, 1.0) * self._mask
        return float(seen.sum() / self._mask.sum())

    def see(self, square: F32, points_px: F32, roi: Roi, free: F32) -> None:
        """Learn from a frame.

        square: float32 [3, 96, 96], RGB 0..1. points_px: float32 [478, 3], of the picture. free: float32
        [96, 96], 0..1, how surely a pixel of the square shows this person's own skin.
        """
        self._read(points_in_square(points_px, roi), square, free)
        if not self._empty:
            self._relight()
        learn_texels(
            self._look, self._seen, self._light, STEP_MAX, KNOWN_AFTER, MEMORY, self._mean, self._count
        )
        self._empty = self._empty and not self._count.any()

    def draw(self, points_px: F32, roi: Roi, square: F32 | None = None) -> F32:
        """The learned look where the face is now, float32 [4, 96, 96]: RGB 0..1, 0 where unknown; known 0..1.

        square: float32 [3, 96, 96], of this frame: its light is taken over. Without it, that of the frame
        seen last.
        """
        out = np.zeros((4, SIDE_PX, SIDE_PX), np.float32)
        if self._empty:
            return out
        points = points_in_square(points_px, roi)
        if square is not None:
            self._read(points, square, self._all)
            self._relight()
        rasterise_flow(
            points, self._uv, self._triangles, self._kinds, self._place, self._label, self._depth, self._shown
        )
        known = np.minimum(self._count * np.float32(1.0 / KNOWN_AFTER), np.float32(1.0)) * self._mask
        draw_texels(self._mean, known, self._light, DARK, self._place, self._label, out)
        return out

    def _read(self, points: F32, square: F32, free: F32) -> None:
        """Colours of the texels, with DARK added, into `_look`, and how far they count, into `_seen`."""
        place_texels(points, self._corners, self._shares, self._places)
        read_texels(square, free, self._places, self._mask, _LEAST_PX, self._look, self._seen)
        self._look += np.float32(DARK)

    def _relight(self) -> None:
        """Take over the light of what was read; where too little is seen, the one before stays."""
        fit_light(self._look, self._mean, self._seen, self._count, _STEEP, _RIDGE, LEAST_SEEN, self._light)
