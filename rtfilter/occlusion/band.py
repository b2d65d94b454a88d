"""The band over the eyes, held still in the head's frame: a plane a little before the eyes, as glasses lie.

Two lenses, bridge and the beginnings of the temples lie in it, and turn with the head. It is found by
landmarks that no expression moves. For `occlusion.glasses` and `learn.rims`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.engines.networks import BAND_PX
from rtfilter.face import landmarks as lm
from rtfilter.face.model import MorphableModel
from rtfilter.face.pose import Pose, align
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8
from rtfilter.tracking.detect import sample

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

ROWS, COLUMNS = BAND_PX
STEP_IOD: Final = 1.0 / 96.0  # a pixel of the band
ABOVE_IOD: Final = 0.42  # of the band, over the eyes
DEEP_IOD: Final = -0.05  # of the plane: a centimetre or two before the outer corners of the eyes
# Corners of the eyes, the bridge of the nose, forehead and temples.
RIGID: Final = (*lm.EYE_RIGHT_CORNERS, *lm.EYE_LEFT_CORNERS, 168, 6, 197, 195, 10, 127, 356, 234, 454)


class Band:
    """Where the band lies on the heads of a face model."""

    def __init__(self, model: MorphableModel) -> None:
        self._mean = model.mean_iod[list(RIGID)].astype(np.float64)
        self._weights = np.ones(len(RIGID))
        corners = [*lm.EYE_RIGHT_CORNERS, *lm.EYE_LEFT_CORNERS]
        self.eyes_iod = float(model.mean_iod[corners, 1].mean())  # height of the eyes, in the head's frame
        self._corner = np.array([-0.5 * COLUMNS * STEP_IOD, self.eyes_iod - ABOVE_IOD, DEEP_IOD])

    def pose(self, points_px: F32) -> Pose:
        """The head's, by RIGID alone. points_px: float32 [478, 3]."""
        return align(self._mean, points_px[list(RIGID)], self._weights)

    def picture_from_band(self, pose: Pose) -> F64:
        """The affine matrix [2, 3] from the band's pixels to the picture's, centres at + 0.5."""
        axes = pose.project_vectors(STEP_IOD * np.eye(3)[:2])
        return np.column_stack([axes.T, pose.project(self._corner)[:2]])

    def see(self, pixels: U8 | Planes, pose: Pose) -> F32:
        """The band's colours, float32 [3, ROWS, COLUMNS], RGB 0..1."""
        out = np.empty((3, ROWS, COLUMNS), np.float32)
        matrix = self.picture_from_band(pose)
        matrix[:, 2] += 0.5 * matrix[:, :2].sum(1) - 0.5  # between pixel indices
        sample(pixels, matrix, out)
        return out
