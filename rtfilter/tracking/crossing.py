"""Identity of two people who cross, decided by their motion before. Called by `tracking.follow`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

FORGET_S = 2.0  # a motion seen longer ago predicts nothing
VELOCITY_SHARE = 0.8  # of the newest of an occasional look's; people speed up and slow down
TRAIL_S = 0.12  # over which the followed face's own velocity is taken
SPEED_MAX = 3.0  # of a face that was lost, in its sizes a second
_OUTLINE = np.array([10, 152, 234, 454])  # top of the forehead, chin, both sides of the face
APART = 2.0  # in face sizes: farther from the other one, the followed face is no other's
REACH = 1.5  # in face sizes: somebody farther from where the followed one is expected is not they
FAR = 3.0  # in face sizes: so far away the other one has not met the followed face
MARGIN = 0.5  # in face sizes: how much better swapped identities have to fit


@dataclass(frozen=True, slots=True)
class Spot:
    """A face's centre and size in pixels."""

    x: float
    y: float
    size: float

    def scaled(self, share_x: float, share_y: float) -> Spot:
        """The same in a picture so many times as wide and as high."""
        return Spot(self.x * share_x, self.y * share_y, self.size * math.sqrt(share_x * share_y))

    def is_near(self, other: Spot) -> bool:
        """Whether one person could have moved from there to here within a frame or two."""
        step = math.hypot(self.x - other.x, self.y - other.y) / max(self.size, other.size, 1e-6)
        return step < 0.6 and 0.6 < self.size / max(other.size, 1e-6) < 1.67

    def may_come_from(self, other: Spot, elapsed_s: float) -> bool:
        """Whether one person could have gone from there to here while they were not seen."""
        apart = math.hypot(self.x - other.x, self.y - other.y)
        reach = (1.0 + SPEED_MAX * elapsed_s) * max(self.size, other.size)
        return apart < reach and 0.5 < self.size / max(other.size, 1e-6) < 2.0


@dataclass(frozen=True, slots=True)
class Walker:
    """A person's last spot, velocity in pixels a second, its time, and the number of sightings."""

    spot: Spot
    velocity_x: float = 0.0
    velocity_y: float = 0.0
    time_s: float = 0.0
    looks: int = 1

    def predicted(self, time_s: float) -> tuple[float, float]:
        """The centre at `time_s`, at constant velocity."""
        elapsed_s = time_s - self.time_s
        return self.spot.x + self.velocity_x * elapsed_s, self.spot.y + self.velocity_y * elapsed_s

    def seen(self, spot: Spot, time_s: float) -> Walker:
        """The same person, seen again."""
        elapsed_s = max(time_s - self.time_s, 1e-3)
        vx, vy = (spot.x - self.spot.x) / elapsed_s, (spot.y - self.spot.y) / elapsed_s
        keep = 1.0 - VELOCITY_SHARE if self.looks > 1 else 0.0
        velocity_x = keep * self.velocity_x + (1.0 - keep) * vx
        return Walker(spot, velocity_x, keep * self.velocity_y + (1.0 - keep) * vy, time_s, self.looks + 1)


class CrossingWatch:
    """The motions of the followed person and of the nearest other one, from occasional detections.

    While only one face is detected, both are extrapolated.
    """

    def __init__(self) -> None:
        self._mine: Walker | None = None
        self._other: Walker | None = None
        self._trail: list[tuple[float, Spot]] = []

    @property
    def company(self) -> bool:
        """Whether another person was seen lately."""
        return self._other is not None

    def forget(self) -> None:
        self._mine = self._other = None
        self._trail.clear()

    def moved(self, followed: Spot, time_s: float) -> None:
        """Where the tracker's face is in this picture: what it does until the two meet is its own motion.

        Looks are too rare for that: at a brisk pace they saw a third of the speed.
        """
        if self._trail and not 0.0 < time_s - self._trail[-1][0] <= TRAIL_S:
            self._trail.clear()
        self._trail = [(then, spot) for then, spot in self._trail if time_s - then <= TRAIL_S]
        self._trail.append((time_s, followed))
        first_s, first = self._trail[0]
        if self._mine is None or time_s - first_s < TRAIL_S / 2:
            return
        if (
            self._other is not None
            and _apart(followed, *self._other.predicted(time_s)) < APART * followed.size
        ):
            return
        vx, vy = (followed.x - first.x) / (time_s - first_s), (followed.y - first.y) / (time_s - first_s)
        self._mine = Walker(followed, vx, vy, time_s, self._mine.looks)

    def expected(self, time_s: float) -> tuple[float, float] | None:
        """The expected centre of the followed person, where another one was about to pass; None otherwise."""
        if self._mine is None or self._other is None or self._mine.looks < 2:
            return None
        return self._mine.predicted(time_s) if time_s - self._other.time_s <= FORGET_S else None

    def look(self, followed: Spot, faces: list[Spot], time_s: float) -> Spot | None:
        """The face to follow instead; None when the followed one fits best.

        followed: the tracker's face. faces: all detected ones, the followed one among them.
        """
        if self._other is not None and not 0.0 <= time_s - self._other.time_s <= FORGET_S:
            self._other = None
        same = min(faces, key=lambda face: _apart(face, followed.x, followed.y), default=None)
        if same is None or _apart(same, followed.x, followed.y) > 0.7 * followed.size:
            return None
        others = [face for face in faces if face is not same]
        self._turn_to_nearest(same, others, time_s)
        # A single face where the two meet may be either.
        meeting = self._other is not None and _apart(same, *self._other.predicted(time_s)) <= 1.5 * same.size
        if self._mine is None or self._other is None or not others:
            if self._mine is None:
                self._mine = Walker(same, time_s=time_s)
            elif others or not meeting:
                self._mine = self._mine.seen(same, time_s)
            if others:
                nearest = min(others, key=lambda face: _apart(face, same.x, same.y))
                self._other = Walker(nearest, time_s=time_s)
            return None
        here, there = self._mine.predicted(time_s), self._other.predicted(time_s)
        other = min(others, key=lambda face: min(_apart(face, *here), _apart(face, *there)))
        straight = _apart(same, *here) + _apart(other, *there)
        swapped = _apart(same, *there) + _apart(other, *here)
        known = min(self._mine.looks, self._other.looks) > 1 and _apart(other, *here) <= REACH * other.size
        if known and swapped + MARGIN * same.size < straight:
            self._mine, self._other = self._mine.seen(other, time_s), self._other.seen(same, time_s)
            return other
        self._mine, self._other = self._mine.seen(same, time_s), self._other.seen(other, time_s)
        return None

    def _turn_to_nearest(self, same: Spot, others: list[Spot], time_s: float) -> None:
        """Of several others, the one that may be about to pass is watched."""
        if self._other is None or not others:
            return
        apart = _apart(same, *self._other.predicted(time_s))
        nearest = min(_apart(face, same.x, same.y) for face in others)
        if apart > FAR * same.size and nearest < 0.6 * apart:
            self._other = None


def _apart(face: Spot, x: float, y: float) -> float:
    return math.hypot(face.x - x, face.y - y)


def place_of(points_px: F32) -> Spot:
    """Centre and size of float32 [478, 3] landmarks, from forehead, chin and both sides."""
    top, chin, right, left = points_px[_OUTLINE, :2].tolist()
    x = (top[0] + chin[0] + right[0] + left[0]) / 4
    y = (top[1] + chin[1] + right[1] + left[1]) / 4
    return Spot(x, y, max(math.dist(top, chin), math.dist(right, left)))
