"""Room of the lids: how far an edit may lower the lids of this person. Called by `face.edit`.

A squint is a distance in the model. On eyes that are narrow by nature it would shut them, so it is scaled by
the opening of the person's neutral eyes over the mean face's. `engines.expression` has the same as a graph.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX
from rtfilter.face import landmarks as lm

F64 = npt.NDArray[np.float64]

LEAST_ROOM: Final = 0.3
# Of the mean face's eyes: a model of one's own may have them shut.
LEAST_OPENING_IOD: Final = 1e-3
# The middle of each lid: upper and lower landmarks, left eye and right eye.
LEFT_UPPER, LEFT_LOWER = np.array(lm.EYE_LEFT_UPPER)[2:5], np.array(lm.EYE_LEFT_LOWER)[2:5]
RIGHT_UPPER, RIGHT_LOWER = np.array(lm.EYE_RIGHT_UPPER)[2:5], np.array(lm.EYE_RIGHT_LOWER)[2:5]
_UPPER, _LOWER = np.stack([LEFT_UPPER, RIGHT_UPPER]), np.stack([LEFT_LOWER, RIGHT_LOWER])
# Masks [52] of what lowers the lids of either side.
LEFT: Final = np.zeros(BLENDSHAPE_COUNT)
RIGHT: Final = np.zeros(BLENDSHAPE_COUNT)
for _name in ("eyeSquint", "eyeBlink"):
    LEFT[BLENDSHAPE_INDEX[_name + "Left"]] = 1.0
    RIGHT[BLENDSHAPE_INDEX[_name + "Right"]] = 1.0


def opening_iod(shape_iod: F64) -> F64:
    """Mean openings of the left and the right eye in a head-frame shape [478, 3], [2], in IODs."""
    across = shape_iod[_LOWER, 1] - shape_iod[_UPPER, 1]
    return np.asarray(across.sum(1) / across.shape[1])


def room(neutral_iod: F64, mean_iod: F64) -> F64:
    """The factor on an offset, [52]: 1 but for what lowers a lid, where it is LEAST_ROOM..1.

    neutral_iod: float64 [478, 3], the person's; mean_iod: the model's.
    """
    (left, right), (usual_left, usual_right) = (
        opening_iod(neutral_iod).tolist(),
        opening_iod(mean_iod).tolist(),
    )
    left = min(max(left / max(usual_left, LEAST_OPENING_IOD), LEAST_ROOM), 1.0)
    right = min(max(right / max(usual_right, LEAST_OPENING_IOD), LEAST_ROOM), 1.0)
    return np.asarray(1.0 - (1.0 - left) * LEFT - (1.0 - right) * RIGHT)
