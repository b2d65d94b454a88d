"""Mouth and eyes as openings of the mesh: their landmarks, and the triangles of band and core.

See `kernels.cpu.parts` for what these are.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm
from rtfilter.kernels.cpu.rasterise import EYE_LEFT, EYE_RIGHT, MOUTH
from rtfilter.kernels.topology import Opening

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]

# The band along the rim in IODs (a cell of the flow's grid is 0.021), and the most of the way across.
BAND_IOD, BAND_SHARE = 0.012, 0.25
# Down the core, where its upper part ends and its lower part begins; what is between stretches.
ROWS = (0.35, 0.7)
DESIGN = np.array([BAND_IOD, BAND_SHARE, *ROWS], np.float32)
# Depth of a core behind the farthest landmark, in IODs; the ring lies at 1.
BEHIND_IOD = 0.5

# Teeth belong to skull and jaw, and would rest. But a full smile of the face model lifts the whole mouth by
# 0.1 IOD: teeth at rest would have to show 9 mm of gum, which no frame shows; extended, it was streaks. So
# lips carry the teeth along, all alike: they move, and do not stretch. The lower lip does so with its sides,
# since its middle moves further down, and would push the lower teeth behind it.
LOWER_CARRIERS = (*lm.LIPS_INNER_LOWER[1:3], *lm.LIPS_INNER_LOWER[6:8])
# Beyond them lie the dark corners of the mouth; and a tracker may take lip for opening there.
END = 0.25


def opening_triangles(rim: I32, first: int) -> I32:
    """int32 [T, 3], with the band's vertices from `first` on, and the core's behind them.

    From the rim to the band, from there to the core, and the core in quadrilaterals across: a fan would
    leave an opening that is bent like a banana.
    """
    count, half = len(rim), len(rim) // 2
    band, core = first + np.arange(count), first + count + np.arange(count)
    faces = []
    for outer, inner in ((rim, band), (band, core)):
        for k in range(count):
            n = (k + 1) % count
            faces += [(outer[k], outer[n], inner[k]), (outer[n], inner[n], inner[k])]
    inner = first + 2 * count + np.arange(count - 2).reshape(2, half - 1)
    rows = np.concatenate([core[None, 1:half], inner, core[None, :half:-1]])
    for upper, lower in pairwise(rows):
        faces += [(core[0], upper[0], lower[0]), (core[half], upper[-1], lower[-1])]
        for k in range(half - 2):
            faces += [(upper[k], upper[k + 1], lower[k]), (upper[k + 1], lower[k + 1], lower[k])]
    return np.array(faces, np.int32)


def _opening(
    label: int,
    corners: tuple[int, int],
    upper: tuple[int, ...],
    lower: tuple[int, ...],
    carried_by: tuple[tuple[int, ...], tuple[int, ...]],
    end: float = 0.0,
) -> Opening:
    """Both edges run from the first corner, the subject's right one, to the second."""
    rim = np.array((corners[0], *upper, corners[1], *lower[::-1]), np.int32)
    above, below = (np.array(part, np.int32) for part in carried_by)
    return Opening(label, rim, above, below, end, label in (EYE_RIGHT, EYE_LEFT))


# An eyeball turns with the landmarks of its iris.
OPENINGS = (
    _opening(
        MOUTH,
        (lm.INNER_CORNER_RIGHT, lm.INNER_CORNER_LEFT),
        lm.LIPS_INNER_UPPER,
        lm.LIPS_INNER_LOWER,
        (lm.LIPS_INNER_UPPER[2:7], LOWER_CARRIERS),
        END,
    ),
    _opening(
        EYE_RIGHT,
        lm.EYE_RIGHT_CORNERS,
        lm.EYE_RIGHT_UPPER,
        lm.EYE_RIGHT_LOWER,
        (lm.IRIS_RIGHT, lm.IRIS_RIGHT),
    ),
    _opening(
        EYE_LEFT,
        (lm.EYE_LEFT_CORNERS[1], lm.EYE_LEFT_CORNERS[0]),
        lm.EYE_LEFT_UPPER[::-1],
        lm.EYE_LEFT_LOWER[::-1],
        (lm.IRIS_LEFT, lm.IRIS_LEFT),
    ),
)
