"""`Displacement`: where the picture of the face has to go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Displacement:
    """How far every landmark moves in the image.

    points_px: float32 [478, 3], where the landmarks are (z smaller is nearer).
    offset_px: float32 [478, 2], where they go from there; all zero means untouched pixels.
    iod_px: pixels of one frontal inter-ocular distance, the scale of everything around the face.
    """

    points_px: F32
    offset_px: F32
    iod_px: float
