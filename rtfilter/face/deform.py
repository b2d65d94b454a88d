"""Displacement of landmarks in the picture: from `face.edit` to the renderers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from rtfilter.face.landmarks import LANDMARK_COUNT

F32 = npt.NDArray[np.float32]


def _no_weights() -> F32:
    return np.zeros(0, np.float32)


def _no_light() -> F32:
    return np.zeros(LANDMARK_COUNT, np.float32)


@dataclass(frozen=True, slots=True)
class Displacement:
    """The displacement of every landmark in the image, and how the skin's brightness changes with it.

    points_px: float32 [478, 3], the landmarks; z smaller is nearer.
    offset_px: float32 [478, 2], added to them.
    iod_px: pixels of one frontal inter-ocular distance, the scale of the mesh around the face.
    skin_weights: float32 [K], of the renderer's skin maps (`face.skin.SkinMaps`); empty is none.
    gain_log: float32 [478], log gain of the skin at the landmarks: the change of light.

    All zero means untouched pixels. Both gains are faded like the offset.
    """

    points_px: F32
    offset_px: F32
    iod_px: float
    skin_weights: F32 = field(default_factory=_no_weights)
    gain_log: F32 = field(default_factory=_no_light)
