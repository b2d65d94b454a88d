"""Several followed people, each with a `Follower`. Called by `EngineTracker.track_all`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from rtfilter.tracking.base import Landmarks
from rtfilter.tracking.crossing import Spot
from rtfilter.tracking.detect import Detection
from rtfilter.tracking.follow import LOOK_EVERY_ALONE, Follower, place_of
from rtfilter.tracking.roi import Roi

F32 = npt.NDArray[np.float32]

# All faces of the picture; and, for each square, landmarks in pixels of the picture and presence.
Detect = Callable[[], Sequence[Detection]]
Mesh = Callable[[Sequence[Roi]], Sequence[tuple[F32, float]]]

SAME_FACE = 0.4  # in face sizes: centres nearer than this are one face's
SAME_DETECTION = 0.7  # the same of a detector's box, which lies elsewhere on the face


class Crowd:
    """Follows several people; a followed one keeps their place when others come."""

    def __init__(self) -> None:
        self._people: dict[int, Follower] = {}
        self._next = 1
        self._looked = 0  # pictures since the last detection

    def step(
        self, limit: int, size: tuple[int, int], time_s: float, detect: Detect, mesh: Mesh
    ) -> list[Landmarks]:
        """The faces of one picture, at most `limit`, longest followed first.

        size: width and height of the picture. time_s: presentation time.
        """
        self._forget(limit, time_s)
        for follower in self._people.values():
            follower.picture(*size)
        following = [person for person, follower in self._people.items() if follower.roi is not None]
        found = self._observe(following, time_s, mesh)
        self._looked += 1
        if self._detection_due(limit, following, found):
            self._looked = 0
            found = self._look_around(limit, found, detect(), time_s, mesh)
        return [found[person] for person in sorted(found)]

    def reset(self) -> None:
        """Forget everybody; numbers go on."""
        self._people.clear()

    def _forget(self, limit: int, time_s: float) -> None:
        for person, follower in list(self._people.items()):
            if not follower.remembers(time_s):
                del self._people[person]
        for person in sorted(self._people)[limit:]:
            del self._people[person]

    def _detection_due(self, limit: int, following: list[int], found: dict[int, Landmarks]) -> bool:
        lost = len(found) < len(following) or len(following) < len(self._people) or not found
        room = len(found) < limit and self._looked >= LOOK_EVERY_ALONE
        return lost or room or any(self._people[person].look_due for person in found)

    def _look_around(
        self, limit: int, found: dict[int, Landmarks], faces: Sequence[Detection], time_s: float, mesh: Mesh
    ) -> dict[int, Landmarks]:
        """Correct identities by all detected faces, and start followers for those that have none."""
        started = [person for person in found if self._people[person].look(faces, time_s) is not None]
        for person in started:
            del found[person]
        taken = [place_of(landmarks.points_px) for landmarks in found.values()]
        taken += [Spot(roi.x, roi.y, roi.side / 1.5) for roi in self._rois(started)]
        free = [face for face in faces if not any(_is_at(face, place) for place in taken)]
        for person, follower in self._people.items():
            if follower.roi is None and (roi := follower.start(free, time_s)) is not None:
                free = [face for face in free if (face.x, face.y) != (roi.x, roi.y)]
                started.append(person)
        for face in sorted(free, key=lambda face: -face.spot.size):
            if len(found) + len(started) >= limit:
                break
            self._people[self._next] = Follower()
            self._people[self._next].start([face], time_s)
            started.append(self._next)
            self._next += 1
        return self._observe(started, time_s, mesh, found)

    def _rois(self, people: Sequence[int]) -> list[Roi]:
        rois = (self._people[person].roi for person in people)
        return [roi for roi in rois if roi is not None]

    def _observe(
        self, people: Sequence[int], time_s: float, mesh: Mesh, found: dict[int, Landmarks] | None = None
    ) -> dict[int, Landmarks]:
        """`found`, and those of `people` in whose squares the mesh finds a face that no other one has."""
        found = dict(found or {})
        rough = []
        expected = {person: self._people[person].expected(time_s) for person in self._people}
        answers = mesh(self._rois(people)) if people else ()
        for person, (points_px, presence) in zip(people, answers, strict=True):
            if self._people[person].observed(points_px, presence, time_s):
                found[person] = Landmarks(points_px, presence, person)
                rough += [person] if self._people[person].rough else []
        for person in sorted(found):
            for other in sorted(found):
                if person < other and person in found and other in found:
                    wrong = _intruder(found[person], found[other], expected)
                    if wrong is not None:
                        self._people[wrong].let_go()
                        del found[wrong]
        again = [person for person in rough if found.pop(person, None) is not None]
        return self._observe(again, time_s, mesh, found) if again else found


def _intruder(
    one: Landmarks, other: Landmarks, expected: dict[int, tuple[float, float] | None]
) -> int | None:
    """The one of two on a single face who was expected farther from it; None for two faces."""
    here, there = place_of(one.points_px), place_of(other.points_px)
    if math.dist((here.x, here.y), (there.x, there.y)) > SAME_FACE * max(here.size, there.size):
        return None

    def off(person: int) -> float:
        place = expected.get(person)
        return math.inf if place is None else math.dist(place, (here.x, here.y))

    return one.person if off(one.person) > off(other.person) else other.person


def _is_at(face: Detection, place: Spot) -> bool:
    return math.dist((face.x, face.y), (place.x, place.y)) <= SAME_DETECTION * place.size
