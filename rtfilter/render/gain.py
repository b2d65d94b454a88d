"""The skin's gain of one frame: whether it can be seen, and its texture. For `render.cpu`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtfilter.face.deform import Displacement
from rtfilter.face.skin import GAIN_MAX, SkinMaps
from rtfilter.kernels.cpu.gain import add_maps, quiet_gain, take_light, take_weights

F32 = npt.NDArray[np.float32]

# Weights beyond this are a fault of whoever made them; GAIN_MAX limits what they paint.
WEIGHT_MAX = 100.0


class SkinGain:
    """The gain of one person's skin.

    Attributes:
        colour: float32 [4], each channel's share of the change, and 0.
        quiet: a gain that changes no pixel by half a level.
        uv, light: float32 [478, 2] and [478], of the landmarks. texture: float32 [S, S], log gain.
    """

    def __init__(self, skin: SkinMaps, uv: F32) -> None:
        """uv: float32 [478, 2], of the landmarks."""
        self._skin, self.uv = skin, uv
        self._flat = np.ascontiguousarray(skin.maps.reshape(skin.count, skin.side**2))
        self._all_weights = np.zeros(skin.count, np.float32)
        self._weights = self._all_weights[:0]
        self.light = np.zeros(len(uv), np.float32)
        self.texture = np.zeros((skin.side, skin.side), np.float32)
        self.colour = np.append(skin.colour, 0.0).astype(np.float32)
        self.quiet = quiet_gain(skin.colour)

    def take(self, displacement: Displacement) -> bool:
        """Whether a displacement can change a pixel's brightness. ValueError for weights of other maps.

        `light` is of that displacement from now on; and `texture`, once `add_up` has run.
        """
        weights, light = displacement.skin_weights, displacement.gain_log
        if len(weights) not in (0, self._skin.count):
            expected = f"0 or {self._skin.count}, of this renderer's maps"
            raise ValueError(f"skin_weights: expected {expected}, got {len(weights)}")
        self._weights = self._all_weights[: len(weights)]
        most = take_weights(weights, self._skin.peaks, WEIGHT_MAX, self._weights)
        return bool(most + take_light(light, GAIN_MAX, self.light) >= self.quiet / 2)

    def add_up(self) -> None:
        """Make the texture of what was taken."""
        add_maps(self._flat[: len(self._weights)], self._weights, self.texture.reshape(-1))
