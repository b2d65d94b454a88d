"""What of the network's answer is believed: a wrong hold spoils a face, so unsure things hold nothing.

Called by `watch`, between the network and `mask`.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm
from rtfilter.kernels.cpu.held import HALF
from rtfilter.occlusion.mask import BACKGROUND, OCCLUDER
from rtfilter.occlusion.square import SIDE_PX

F32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

# What an occluder must be to be one: of the face's area, and in mean probability. Measured on 20 clips of
# free faces: one thing in all had 1.6 % and 0.59, all others less. Of a face that is not known yet, UNKNOWN
# times the area.
LARGE: Final = (0.025, 0.58)
SMALL: Final = (0.01, 0.7)
UNKNOWN: Final = 1.6
# One that comes in from beside the face needs less: pixels of the square outside, and the same two.
OUTSIDE_PX: Final = 10
FROM_OUTSIDE: Final = (0.012, 0.57)
JOIN_PX: Final = 2  # parts that lie so near each other are one
KNOWN: Final = 0.4  # of the skin, from which on a face counts as known
STAYS: Final = 0.3  # share of an occluder that was held before: it is the same one
UNSURE: Final = 0.3  # the most that the probability of anything else is
# Open mouths and eyes look like no skin: an occluder there is larger than they are.
LARGER: Final = 1.6
EDGE_PX: Final = 2.0  # of the face's outline within which background may still be

_OVAL: Final = np.array(lm.FACE_OVAL)
_LIPS: Final = (
    lm.LIPS_CORNER_RIGHT[0], *lm.LIPS_OUTER_UPPER, lm.LIPS_CORNER_LEFT[0], *lm.LIPS_OUTER_LOWER[::-1]
)  # fmt: skip
_OPENINGS: Final = tuple(np.array(rim) for rim in (_LIPS, lm.EYE_RIGHT_OUTLINE, lm.EYE_LEFT_OUTLINE))


def believed(seen: F32, points: F32, before: F32, known: float) -> F32:
    """The network's answer without what is not believed; float32 [3, 96, 96].

    seen: float32 [3, 96, 96], 0..1. points: float32 [478, 3], landmarks in pixels of the square. before:
    float32 [96, 96], 0..1, how sure occluders were before. known: how far the person's look is known, 0..1.
    """
    out = seen.copy()
    inside = _filled(points[_OVAL, :2])
    out[BACKGROUND][_within(inside)] = 0.0
    bold = out[OCCLUDER] >= HALF
    if not bold.any():
        return out
    side = 2 * JOIN_PX + 1
    count, labels = cv2.connectedComponents(
        cv2.dilate(bold.astype(np.uint8), np.ones((side, side), np.uint8))
    )
    labels *= bold
    flat = labels.ravel()

    def summed(values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        return np.asarray(np.bincount(flat, values.ravel().astype(np.float64), count), np.float64)

    area = np.maximum(summed(bold), 1.0)
    sure = summed(out[OCCLUDER]) / area
    beside, stays = area - summed(inside), summed(before >= HALF) / area
    face = max(float(inside.sum()), 1.0) * (1.0 if known >= KNOWN else UNKNOWN)
    keep = (stays >= STAYS) | (_is(LARGE, area / face, sure)) | (_is(SMALL, area / face, sure))
    keep |= (beside >= OUTSIDE_PX) & _is(FROM_OUTSIDE, area / face, sure)
    for rim in _OPENINGS:
        opening = _filled(points[rim, :2])
        keep &= ~((summed(opening) > 0.5 * area) & (area < LARGER * opening.sum()))
    keep[0] = True
    out[OCCLUDER][~keep[labels]] = UNSURE
    return out


def _is(least: tuple[float, float], share: npt.NDArray[np.float64], sure: npt.NDArray[np.float64]) -> Bools:
    return np.asarray((share >= least[0]) & (sure >= least[1]))


def _filled(outline: F32) -> npt.NDArray[np.uint8]:
    """0 or 1, uint8 [96, 96], within a polygon [N, 2] in pixels of the square."""
    mask = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    # OpenCV goes through every row of a polygon, also far outside.
    corners = np.clip(np.nan_to_num(np.round(outline - 0.5)), -SIDE_PX, 2 * SIDE_PX).astype(np.int32)
    cv2.fillPoly(mask, [corners], (1,))
    return mask


def _within(inside: npt.NDArray[np.uint8]) -> Bools:
    side = 2 * round(EDGE_PX) + 1
    return np.asarray(cv2.erode(inside, np.ones((side, side), np.uint8)) > 0)
