"""The skin's gain of one frame: whether it can be seen, and where, on the flow's grid. For `render.cpu`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtfilter.face.deform import Displacement
from rtfilter.face.skin import GAIN_MAX, SkinMaps
from rtfilter.kernels.cpu.gain import add_maps, draw_gain, quiet_gain, soften_gain

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]

# Weights beyond this are a fault of whoever made them; GAIN_MAX limits what they paint.
WEIGHT_MAX = 100.0


@dataclass(frozen=True, slots=True)
class Grid:
    """What was drawn on the grid of the flow: its vertices, triangles, and of each cell the nearest one."""

    vertices: F32
    triangles: I32
    shown: I32
    label: U8


class SkinGain:
    """The gain of one person's skin.

    Attributes:
        colour: float32 [4], each channel's share of the change, and 0.
        quiet: a gain that changes no pixel by half a level.
    """

    def __init__(self, skin: SkinMaps, uv: F32) -> None:
        """uv: float32 [478, 2], of the landmarks."""
        self._skin, self._uv = skin, uv
        self._flat = np.ascontiguousarray(skin.maps.reshape(skin.count, skin.side**2))
        self._texture = np.zeros((skin.side, skin.side), np.float32)
        self.colour = np.append(skin.colour, 0.0).astype(np.float32)
        self.quiet = quiet_gain(skin.colour)

    def shows(self, displacement: Displacement) -> bool:
        """Whether a displacement can change a pixel's brightness. ValueError for weights of other maps."""
        weights, light = self._numbers(displacement)
        most = float(np.abs(weights) @ self._skin.peaks) if len(weights) else 0.0
        return most + float(np.abs(light).max(initial=0.0)) >= self.quiet / 2

    def draw(self, displacement: Displacement, grid: Grid, scratch: F32, out: F32) -> None:
        """The gain exp(L) - 1 of each cell, float32 [H, W]; scratch: of the same shape."""
        weights, light = self._numbers(displacement)
        add_maps(self._flat[: len(weights)], weights, self._texture.reshape(-1))
        at = (grid.shown, grid.label)
        draw_gain(grid.vertices, self._uv, light, grid.triangles, *at, self._texture, scratch)
        soften_gain(scratch, grid.label, GAIN_MAX, out)

    def _numbers(self, displacement: Displacement) -> tuple[F32, F32]:
        """Weights and light, without what is no number."""
        weights, light = displacement.skin_weights, displacement.gain_log
        if len(weights) not in (0, self._skin.count):
            expected = f"0 or {self._skin.count}, of this renderer's maps"
            raise ValueError(f"skin_weights: expected {expected}, got {len(weights)}")
        return _finite(weights, WEIGHT_MAX), _finite(light, GAIN_MAX)


def _finite(numbers: F32, most: float) -> F32:
    return np.asarray(np.where(np.isfinite(numbers), np.clip(numbers, -most, most), 0.0), np.float32)
