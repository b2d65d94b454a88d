"""Doubt about a followed face: a pattern that only looks like one, a picture of one, somebody far behind.

Called by `tracking.follow`. Who is followed stays followed; only where there is doubt does a better face take
their place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.tracking.crossing import Spot
from rtfilter.tracking.detect import Detection

F32 = npt.NDArray[np.float32]

SURE: Final = 0.7  # the detector's score of a face; chairs that it took for one had 0.50 to 0.62
# A face lives once its lids or lips have moved by so much of an IOD, and so many pixels. Measured over 2 s,
# in noise of 4 grey levels: printed faces 0.007 at rest, 0.016 in a hand that tilts them; people who talk or
# blink 0.03 to 0.4.
ALIVE_IOD, ALIVE_PX = 0.035, 0.6
SETTLED_S = 0.5  # landmarks of a face just found come to rest
# After so long without life a face gives way to another, and to one so much larger sooner.
LIFELESS_S, LIFELESS_SOON_S, LARGER = 12.0, 2.0, 1.5
# A face smaller than this share of the picture gives way to one so many times larger: somebody at the camera.
FAR_SHARE, NEARER = 0.1, 2.0
SAME_PLACE = 0.7  # in face sizes: a detector's box lies elsewhere on the face than its landmarks
MOVED = 0.3  # in face sizes: a picture that was given up and has moved since is none
_LIDS, _LIPS, _CORNERS = ((159, 145), (386, 374)), (13, 14), (33, 263)


class LifeWatch:
    """How far lids and lips of one face have moved since it settled."""

    def __init__(self) -> None:
        self._first_s = math.inf
        self._low, self._high = [math.inf, math.inf], [-math.inf, -math.inf]
        self.alive = False

    def see(self, points_px: F32, time_s: float) -> None:
        """Take in float32 [478, 3] landmarks."""
        if self.alive:
            return
        self._first_s = min(self._first_s, time_s)
        if time_s - self._first_s < SETTLED_S:
            return
        iod_px = _between(points_px, *_CORNERS)
        if iod_px <= 0.0:
            return
        lids = sum(_between(points_px, *pair) for pair in _LIDS) / 2
        for number, gap_px in enumerate((lids, _between(points_px, *_LIPS))):
            gap = gap_px / iod_px
            self._low[number], self._high[number] = min(self._low[number], gap), max(self._high[number], gap)
            self.alive |= self._high[number] - self._low[number] > ALIVE_IOD + ALIVE_PX / iod_px

    def still_s(self, time_s: float) -> float:
        """For how long no life was seen; 0 of one that lives."""
        return 0.0 if self.alive or self._first_s == math.inf else max(time_s - self._first_s, 0.0)


class Doubt:
    """Of one follower. Lengths are in pixels of the picture, times in seconds of presentation time."""

    def __init__(self) -> None:
        self._sure = self._chosen = False
        self._life = LifeWatch()
        self._given_up: list[Spot] = []

    @property
    def unsure(self) -> bool:
        """Whether the face was never detected surely, so that a surer one is worth looking for."""
        return not self._sure and not self._chosen

    def begin(self, score: float) -> None:
        """Somebody else is followed from now on, detected with this score."""
        self._sure, self._chosen, self._life = score >= SURE, False, LifeWatch()

    def insist(self) -> None:
        """The face was chosen by the user: there is none better."""
        self._chosen = True

    def confirm(self, here: Spot, faces: Sequence[Detection]) -> None:
        """Take note of how surely the face at `here` is detected."""
        self._sure |= any(face.score >= SURE for face in faces if is_at(face, here))

    def see(self, points_px: F32, time_s: float) -> None:
        """The landmarks of the followed face."""
        self._life.see(points_px, time_s)

    def preferred(self, faces: Sequence[Detection]) -> Sequence[Detection]:
        """Those to choose from at a start: all but pictures that were given up, if there are others."""
        return [face for face in faces if not any(is_at(face, place) for place in self._given_up)] or faces

    def better(self, here: Spot, faces: Sequence[Detection], time_s: float, longest: int) -> Detection | None:
        """The face to follow instead of the one at `here`; None to stay.

        faces: of the whole picture or a part of it. longest: the picture's longer side.
        """
        self._forget_moved(faces)
        self.confirm(here, faces)
        others = [face for face in faces if face.score >= SURE and not is_at(face, here)]
        others = [face for face in others if not any(is_at(face, place) for place in self._given_up)]
        if not others or self._chosen:
            return None
        best = max(others, key=lambda face: face.spot.size)
        times = best.spot.size / here.size
        still_s = self._life.still_s(time_s)
        lifeless = still_s >= LIFELESS_S or (still_s >= LIFELESS_SOON_S and times >= LARGER)
        far = here.size < FAR_SHARE * longest and times >= NEARER
        if lifeless:
            self._given_up.append(here)
        return best if lifeless or far or not self._sure else None

    def resized(self, share_x: float, share_y: float) -> None:
        """The picture has another size: what was given up is scaled along."""
        self._given_up = [place.scaled(share_x, share_y) for place in self._given_up]

    def _forget_moved(self, faces: Sequence[Detection]) -> None:
        """A picture that moves by itself is a person after all."""
        for face in faces:
            for place in [place for place in self._given_up if is_at(face, place)]:
                if math.dist((face.x, face.y), (place.x, place.y)) > MOVED * place.size:
                    self._given_up.remove(place)


def is_at(face: Detection, place: Spot) -> bool:
    """Whether a detection is of the face at a place."""
    return math.dist((face.x, face.y), (place.x, place.y)) <= SAME_PLACE * place.size


def _between(points_px: F32, one: int, other: int) -> float:
    return math.dist(points_px[one, :2].tolist(), points_px[other, :2].tolist())
