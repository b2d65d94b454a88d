"""Displacement of landmarks in the picture: from `face.edit` to the renderers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Displacement:
    """The displacement of every landmark in the image.

    points_px: float32 [478, 3], the landmarks; z smaller is nearer.
    offset_px: float32 [478, 2], added to them; all zero means untouched pixels.
    iod_px: pixels of one frontal inter-ocular distance, the scale of the mesh around the face.
    """

    points_px: F32
    offset_px: F32
    iod_px: float
