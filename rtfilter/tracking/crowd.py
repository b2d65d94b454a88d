"""Several followed people, each with a `Follower`. Called by `EngineTracker.track_all`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rtfilter.tracking.base import Landmarks
from rtfilter.tracking.crossing import place_of
from rtfilter.tracking.detect import TILE_SCORE_MIN, Detection, faces_in
from rtfilter.tracking.doubt import SURE, is_at
from rtfilter.tracking.find import faces_now
from rtfilter.tracking.follow import LOOK_EVERY_ALONE, Follower
from rtfilter.tracking.lookout import Lookout
from rtfilter.tracking.roi import Roi
from rtfilter.tracking.tiles import Search, Tile, round_of, whole

F32 = npt.NDArray[np.float32]

# For the square of each person, landmarks in pixels of the picture, None for none, and presence.
Mesh = Callable[[Mapping[int, Roi]], Sequence[tuple[F32 | None, float]]]

# Pictures between two looks for small faces, while somebody is followed and more people are asked for.
SEARCH_EVERY = 3
SAME_FACE = 0.4  # in face sizes: centres nearer than this are one face's


class Crowd:
    """Follows several people; a followed one keeps their place when others come."""

    def __init__(self) -> None:
        self._people: dict[int, Follower] = {}
        self._next = 1
        self._looked = 0  # pictures since the last look at the whole picture
        self._size = (0, 0)
        self._looking: tuple[Tile, float] | None = None  # where the last picture was looked at, and its time
        self._search = Search()

    def step(
        self, limit: int, size: tuple[int, int], time_s: float, lookout: Lookout, mesh: Mesh
    ) -> list[Landmarks]:
        """The faces of one picture, at most `limit`, longest followed first.

        size: width and height of the picture. time_s: presentation time.
        """
        is_first = self._size == (0, 0)
        if size != self._size:
            self._size, self._looking = size, None
            self._search.restart()
        self._forget(limit, time_s)
        for follower in self._people.values():
            follower.picture(*size)
        seen = lookout.looked()
        if seen is not None:
            self._saw(limit, seen)
        self._look(limit, time_s, lookout)
        following = [person for person, follower in self._people.items() if follower.roi is not None]
        found = self._observe(following, time_s, mesh)
        if len(found) < len(self._people) or not found:
            # Somebody was lost, or nobody is there: detect in the same picture.
            started = self._start(limit, faces_now(lookout), time_s)
            found = self._observe(started, time_s, mesh, found)
        for tile in round_of(*size, None) if is_first else ():
            # All of the first picture at once: it may be the only one.
            faces = faces_in(tile, lookout.detect(tile), *size) if len(found) < limit else ()
            found = self._observe(self._start(limit, faces, time_s), time_s, mesh, found)
        return [found[person] for person in sorted(found)]

    def reset(self) -> None:
        """Forget everybody; numbers go on."""
        self._people.clear()
        self._looked, self._looking, self._size = 0, None, (0, 0)
        self._search.restart()

    def _forget(self, limit: int, time_s: float) -> None:
        for person, follower in list(self._people.items()):
            if not follower.remembers(time_s):
                del self._people[person]
        for person in sorted(self._people)[limit:]:
            del self._people[person]

    def _look(self, limit: int, time_s: float, lookout: Lookout) -> None:
        """Look at the whole picture, or in a part of it for small faces, where either is due."""
        self._looked += 1
        followed = [follower for follower in self._people.values() if follower.roi is not None]
        room = len(followed) < limit
        tile: Tile | None = None
        if any(follower.look_due for follower in followed) or (room and self._looked >= LOOK_EVERY_ALONE):
            self._looked, tile = 0, whole(*self._size)
        elif room and (not followed or self._looked % SEARCH_EVERY == 0):
            missing = [follower for follower in self._people.values() if follower.roi is None]
            tile = self._search.next(*self._size, missing[0].place if missing else None)
        if tile is not None:
            self._looking = tile, time_s
            lookout.look(tile)

    def _saw(self, limit: int, faces: Sequence[Detection]) -> None:
        """Take in the faces of the last look: identities after a crossing, and people who came."""
        looking, self._looking = self._looking, None
        if looking is None:
            return
        tile, time_s = looking
        everywhere = tile == whole(*self._size)
        if everywhere:
            self._unswap(faces, time_s)
        else:
            faces = faces_in(tile, faces, *self._size)
        for follower in self._people.values():
            follower.confirm(faces)
        surely = [face for face in faces if face.score >= (SURE if everywhere else TILE_SCORE_MIN)]
        self._start(limit, surely, time_s, everywhere)

    def _unswap(self, faces: Sequence[Detection], time_s: float) -> None:
        """Put people back who were taken for each other: to a free face, or both of them."""
        ours = {person: each.look(faces, time_s) for person, each in self._people.items()}
        moves = {person: face for person, face in ours.items() if face is not None}
        spots = {person: each.spot for person, each in self._people.items()}

        def at(face: Detection) -> int | None:
            found = (person for person, spot in spots.items() if spot is not None and is_at(face, spot))
            return next(found, None)

        for person, face in moves.items():
            there = at(face)
            if there is None or (there in moves and at(moves[there]) == person):
                self._people[person].go_to(face)

    def _start(
        self, limit: int, faces: Sequence[Detection], time_s: float, everywhere: bool = True
    ) -> list[int]:
        """Start followers of faces that have none; who they are. everywhere: in all of the picture."""
        taken = [spot for follower in self._people.values() if (spot := follower.spot) is not None]
        free = [face for face in faces if not any(is_at(face, place) for place in taken)]
        started = []
        missing = {person: each for person, each in self._people.items() if each.roi is None}
        if everywhere and len(missing) == len(self._people):
            # A cut, perhaps: everybody is somewhere else.
            pairs = [(person, face) for person in missing for face in free]
        else:
            pairs = [
                (who, face) for who, each in missing.items() for face in free if each.may_be(face, time_s)
            ]

        def apart(pair: tuple[int, Detection]) -> float:
            there = missing[pair[0]].expected(time_s)
            return math.inf if there is None else math.dist(there, (pair[1].x, pair[1].y))

        for person, face in sorted(pairs, key=apart):
            if missing[person].roi is None and face in free:
                missing[person].start([face], time_s)
                free.remove(face)
                started.append(person)
        for face in sorted(free, key=lambda face: -face.spot.size):
            if len(self._people) >= limit:
                break
            self._people[self._next] = Follower()
            self._people[self._next].start([face], time_s)
            started.append(self._next)
            self._next += 1
        return started

    def _observe(
        self, people: Sequence[int], time_s: float, mesh: Mesh, found: dict[int, Landmarks] | None = None
    ) -> dict[int, Landmarks]:
        """`found`, and those of `people` in whose squares the mesh finds a face that no other one has."""
        found = dict(found or {})
        rough = []
        expected = {person: self._people[person].expected(time_s) for person in self._people}
        squares = {person: roi for person in people if (roi := self._people[person].roi) is not None}
        answers = mesh(squares) if squares else ()
        for person, (points_px, presence) in zip(squares, answers, strict=True):
            if self._people[person].observed(points_px, presence, time_s) and points_px is not None:
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
