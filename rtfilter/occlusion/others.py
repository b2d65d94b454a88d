"""The faces of other people near an edit, which it must leave alone. Called by the lanes of several faces.

The mask of `watch` is a network's. That a pixel lies on somebody else's tracked face is known better.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.face.deform import Room
from rtfilter.face.landmarks import FACE_OVAL
from rtfilter.occlusion.mask import FAR_PX
from rtfilter.occlusion.square import SIDE_PX, square_from_picture
from rtfilter.tracking.crossing import place_of
from rtfilter.tracking.roi import Roi

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

NEAR = 1.6  # in face sizes, of the larger: others farther from a face's middle are out of its edit's reach


def beside_others(room: Room | None, points_px: F32, others: Sequence[F32]) -> Room | None:
    """The room of an edit of one face beside those of others; `room` itself where none is near.

    room: of the face; None: all is free. points_px, others: float32 [478, 3], landmarks in one picture. Of
    two faces that overlap the larger is the nearer one: it keeps all of its own.
    """
    given = room
    near = [other for other in others if _is_near(points_px, other)]
    if not near:
        return room
    if room is None:
        roi = Roi.of_landmarks(points_px)
        free = np.full((SIDE_PX, SIDE_PX), FAR_PX, np.float32)
        room = Room(free, square_from_picture(roi))
    side = len(room.distance)
    held = np.zeros((side, side), np.uint8)
    size = place_of(points_px).size
    for other in sorted(near, key=lambda one: place_of(one).size):
        if place_of(other).size < size:
            _fill(held, room, other, 1)
    _fill(held, room, points_px, 0)
    for other in near:
        if place_of(other).size >= size:
            _fill(held, room, other, 1)
    if not held.any():  # theirs lie beyond the square, or behind this face
        return given
    pixel_px = 1.0 / float(np.hypot(*room.room_from_picture[:, 0]))
    away = cv2.distanceTransform(1 - held, cv2.DIST_L2, cv2.DIST_MASK_5) * np.float32(pixel_px)
    # A pixel of the square that is half held counts as held: distances begin at its edge.
    distance = np.minimum(room.distance, np.maximum(away - np.float32(pixel_px), 0.0))
    return Room(np.asarray(distance, np.float32), room.room_from_picture)


def _is_near(points_px: F32, other: F32) -> bool:
    here, there = place_of(points_px), place_of(other)
    apart = float(np.hypot(here.x - there.x, here.y - there.y))
    return apart < NEAR * max(here.size, there.size)


def _fill(held: U8, room: Room, points_px: F32, value: int) -> None:
    """Draw the outline of a face, filled, in the room's pixels."""
    matrix = room.room_from_picture
    outline = points_px[list(FACE_OVAL), :2] @ matrix[:, :2].T + matrix[:, 2]
    whole = np.clip(np.rint(16.0 * (outline - 0.5)), -(1 << 20), 1 << 20).astype(np.int32)
    cv2.fillPoly(held, [whole], [value], shift=4)
