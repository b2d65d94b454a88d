"""A face for the CPU renderer's first frame, which nobody sees: every kernel is compiled for it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rtfilter.colour import YuvSpec
from rtfilter.face import landmarks as lm
from rtfilter.face.deform import Displacement, Room
from rtfilter.face.uv import skin_uv
from rtfilter.frame import Frame
from rtfilter.planes import Planes

SIDE_PX = 128
IOD_PX = 64.0
IRIS_PX = 2.5  # eyes of the layout are narrow: a larger iris shows too little to be completed
_AROUND = np.array([(1, 0), (0, -1), (-1, 0), (0, 1)], np.float32)


def displaced_face() -> Displacement:
    """A face as the texture layout has it, with room: it moves, it is lit, and its upper lids uncover the
    irises."""
    points = np.zeros((lm.LANDMARK_COUNT, 3), np.float32)
    points[:, :2] = SIDE_PX * skin_uv()
    offset = np.ones((lm.LANDMARK_COUNT, 2), np.float32)
    for iris, lid in ((lm.IRIS_RIGHT, lm.EYE_RIGHT_UPPER), (lm.IRIS_LEFT, lm.EYE_LEFT_UPPER)):
        points[list(iris[1:]), :2] += IRIS_PX * _AROUND
        offset[list(lid), 1] -= 1.5 * IRIS_PX
    light = np.full(lm.LANDMARK_COUNT, 0.1, np.float32)
    room = Room(np.full((2, 2), 1e4, np.float32), np.eye(2, 3))
    return Displacement(points, offset, IOD_PX, gain_log=light, room=room)


def pictures() -> Iterator[Frame]:
    """One in RGB, one in planes."""
    yield Frame(np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8))
    chroma = np.zeros((SIDE_PX // 2, SIDE_PX // 2), np.uint8)
    spec = YuvSpec("bt709", full_range=False)
    yield Frame(Planes(np.zeros((SIDE_PX, SIDE_PX), np.uint8), chroma, chroma, (1, 1), spec))
