"""`OcclusionWatch`: what an edit of one person must leave alone, frame by frame. Made by the lanes.

The face's square goes through the network together with what the person looks like; between two looks, what
was found moves with the head.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.engines.runner import Network
from rtfilter.face.deform import Room
from rtfilter.face.visibility import ALL_PARTS, PARTS, part_weights, smooth_step
from rtfilter.frame import Frame
from rtfilter.occlusion.appearance import Appearance
from rtfilter.occlusion.carry import after, inverse, moved, rigid_points
from rtfilter.occlusion.glance import Glance
from rtfilter.occlusion.glasses import Glasses
from rtfilter.occlusion.mask import RIMS, HeldMask
from rtfilter.occlusion.square import (
    SIDE_PX,
    look,
    picture_from_square,
    points_in_square,
    square_from_picture,
)
from rtfilter.occlusion.trust import believed
from rtfilter.tracking.base import Landmarks
from rtfilter.tracking.roi import Roi

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]

FRAMES_HZ = 30.0
LOOK_EVERY: Final = 3  # frames, while nothing over the face changes
ALERT_LOOKS: Final = 12  # in a row, after a change
CHANGED: Final = 0.0025  # share of the square, 23 pixels: more than a still outline trembles
# A face that only trembles, as a fringe's outline does at each look, is looked at in so many frames in a row;
# each look that waited its turn gives a part of one back. Without it the demo was looked at in every frame.
PATIENCE, GIVEN_BACK = 24.0, 0.25
MOVED_PX: Final = 1.5  # of the square: a head that moves on is looked at anew
FORGET_S: Final = 1.0  # a face that was away for longer may be another one
LEARN_EVERY: Final = 5  # looks, once the face is known
KNOWN: Final = 0.75  # of the skin
PART_FREE: Final = (0.35, 0.75)  # free share of a part at which it begins to keep its edit, and keeps all
COVERED: Final = (0.3, 0.6)  # probability of an occluder from which a landmark counts as covered, and wholly
PART_STEP: Final = 0.25  # by which a part's share changes in a frame
# Of their way, behind rims: hair would be stretched between rims that are held and a forehead that moves.
BROWS_BEHIND_RIMS: Final = 0.45
_BROWS: Final = [PARTS.index(name) for name in ("brow_right", "brow_left")]
STRANGE: Final = 0.7  # covered share of the landmarks that, for long, means another face or another light
STRANGE_LOOKS: Final = 60


class Occlusion(NamedTuple):
    """What an edit leaves alone.

    room: how far everything is from it. parts: float32 [P], 0..1, what each part of the face keeps of its
    edit, see `face.visibility.PARTS`.
    """

    room: Room
    parts: F32


class _Look(NamedTuple):
    """When and where the network last looked; rigid: of `rigid_points`."""

    rigid: F64
    time_s: float
    roi: Roi


class OcclusionWatch:
    """One person's; deterministic: the same frames give the same answers.

    network: of `engines.networks.OCCLUSION`, for one face; may be shared by several people in one thread.
    triangles: int32 [T, 3], the skin, as landmark indices. glasses: this person's; None: no rims are held.
    """

    def __init__(self, network: Network, triangles: I32, glasses: Glasses | None = None) -> None:
        self._network, self._appearance, self._mask = network, Appearance(triangles), HeldMask()
        self._glasses = glasses
        self._weights = part_weights() / part_weights().sum(0)
        self._glance = Glance()
        self._pixels = np.zeros((1, 7, SIDE_PX, SIDE_PX), np.float32)
        self._distance = np.zeros((SIDE_PX, SIDE_PX), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget the person."""
        self._forget()
        self._person: int | None = None
        self._seen_s = 0.0
        self._start()

    def see(self, frame: Frame, landmarks: Landmarks, time_s: float, learn: bool = True) -> Occlusion:
        """What to leave alone in a frame.

        landmarks: of this frame; or, with `learn` False, where the face was last seen.
        """
        away_s = time_s - self._seen_s
        if landmarks.person != self._person or not 0.0 <= away_s <= FORGET_S:
            self._forget()
            self._start()
        self._person, self._seen_s = landmarks.person, time_s
        rigid = rigid_points(landmarks.points_px)
        self._unseen += 1
        last, now_from_look = self._last, np.eye(2, 3)
        if last is not None:
            now_from_look = moved(last.rigid, rigid)
        if last is None or self._due(frame, last, rigid, now_from_look):
            last = self._look(frame, landmarks.points_px, rigid, time_s, now_from_look, learn)
            now_from_look = np.eye(2, 3)
        scale = float(np.hypot(*now_from_look[:, 0]))
        matrix = after(square_from_picture(last.roi), inverse(now_from_look))
        self._parts += np.clip(self._parts_seen - self._parts, -PART_STEP, PART_STEP)
        distance = self._distance if self._unseen == 0 else self._distance * np.float32(scale)
        return Occlusion(Room(distance, matrix), self._parts.copy())

    def _forget(self) -> None:
        """What was learned of the person."""
        self._appearance.reset()
        if self._glasses is not None:
            self._glasses.reset()

    def _start(self) -> None:
        self._mask.reset()
        self._last: _Look | None = None
        self._parts, self._parts_seen = ALL_PARTS.copy(), ALL_PARTS
        self._alert = self._looks = self._strange = self._unseen = 0
        self._patience = PATIENCE

    def _due(self, frame: Frame, last: _Look, rigid: F64, now_from_look: F64) -> bool:
        if self._alert > 0 or self._unseen >= LOOK_EVERY:
            return True
        if float(np.abs(rigid - last.rigid).max()) > MOVED_PX * last.roi.side / SIDE_PX:
            return True
        in_picture = after(now_from_look, picture_from_square(last.roi))
        if not self._glance.differs(frame.pixels, in_picture, SIDE_PX):
            return False
        self._patience = PATIENCE
        return True

    def _look(
        self, frame: Frame, points_px: F32, rigid: F64, time_s: float, now_from_look: F64, learn: bool
    ) -> _Look:
        """Run the network, and measure the room. now_from_look: float64 [2, 3], from the look before."""
        roi = Roi.of_landmarks(points_px)
        square = self._pixels[0, :3]
        look(frame.pixels, roi, square)
        self._glance.keep(frame.pixels, picture_from_square(roi), SIDE_PX)
        self._pixels[0, 3:] = self._appearance.draw(points_px, roi, square)
        seen = self._network.run(pixels=self._pixels)["held"][0]
        before_from_now, frames = np.eye(2, 3), 1.0
        last = self._last
        if last is not None:
            in_picture = after(inverse(now_from_look), picture_from_square(roi))
            before_from_now = after(square_from_picture(last.roi), in_picture)
            frames = min(max((time_s - last.time_s) * FRAMES_HZ, 1.0), 2.0 * LOOK_EVERY)
        points = points_in_square(points_px, roi)
        self._mask.carry(before_from_now)
        held = believed(seen, points, self._mask.occluder, self._appearance.known)
        held[RIMS] = 0.0  # those of one look are not believed
        if self._glasses is not None:
            if learn:
                self._glasses.see(frame.pixels, points_px)
            held[RIMS] = self._glasses.held(roi, points_px)
        self._mask.take(held, frames)
        self._last, self._unseen = _Look(rigid, time_s, roi), 0
        self._distance = self._mask.distances(roi.side / SIDE_PX)
        self._patience = min(self._patience + (-1.0 if self._alert else GIVEN_BACK), PATIENCE)
        alert = ALERT_LOOKS if self._mask.changed >= CHANGED else max(self._alert - 1, 0)
        self._alert = alert if self._patience >= 1.0 else 0
        free = self._free_at(points)
        self._parts_seen = smooth_step(np.einsum("np,n->p", self._weights, free), PART_FREE).astype(
            np.float32
        )
        if self._glasses is not None and self._glasses.worn:
            self._parts_seen[_BROWS] *= BROWS_BEHIND_RIMS
        if last is None:
            self._parts[:] = self._parts_seen
        self._looks += 1
        self._strange = self._strange + 1 if float(free.mean()) < 1.0 - STRANGE else 0
        if self._strange >= STRANGE_LOOKS:
            self._appearance.reset()
            self._strange = 0
        elif learn and (self._looks % LEARN_EVERY == 1 or self._appearance.known < KNOWN):
            self._learn(square, points_px, roi)
        return self._last

    def _learn(self, square: F32, points_px: F32, roi: Roi) -> None:
        """Take in what is surely the person's own skin."""
        free = np.clip(1.0 - 2.0 * self._mask.level, 0.0, 1.0)
        self._appearance.see(square, points_px, roi, np.asarray(cv2.erode(free, np.ones((3, 3))), np.float32))

    def _free_at(self, points: F32) -> F32:
        """How free of occluders each landmark is, float32 [478], 0..1; points: in the square's pixels."""
        at = np.clip(points[:, :2], 0, SIDE_PX - 1).astype(np.int32)
        covered = smooth_step(self._mask.occluder[at[:, 1], at[:, 0]], COVERED)
        return np.asarray(1.0 - covered, np.float32)
