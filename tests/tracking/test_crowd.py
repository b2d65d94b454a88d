"""Several people at once, in a world of known people: everybody keeps their own number."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from rtfilter.tracking.base import Landmarks
from rtfilter.tracking.crossing import Spot, place_of
from rtfilter.tracking.crowd import Crowd
from rtfilter.tracking.follow import LOOK_EVERY_ALONE
from rtfilter.tracking.roi import Roi
from tests.tracking.worlds import FPS, Path, WorldLookout, seen_in, walking

ANNA, BEN, CARL = Spot(200, 200, 120), Spot(500, 220, 100), Spot(800, 200, 90)


class World:
    def __init__(self, limit: int) -> None:
        self.crowd, self.limit, self.seq = Crowd(), limit, 0
        self.lookout = WorldLookout(1000, 500)
        self.meshes = 0

    def show(self, people: list[Spot]) -> dict[int, Spot]:
        """One picture; the places of the faces that are reported, by the person's number."""

        def mesh(squares: Mapping[int, Roi]) -> list[tuple[np.ndarray, float]]:
            self.meshes += 1
            return [seen_in(roi, people) for roi in squares.values()]

        time_s = self.seq / FPS
        self.seq += 1
        self.lookout.people = people
        found = self.crowd.step(self.limit, (1000, 500), time_s, self.lookout, mesh)
        assert len(found) <= self.limit
        return {landmarks.person: self.place(landmarks) for landmarks in found}

    @staticmethod
    def place(landmarks: Landmarks) -> Spot:
        assert landmarks.score > 0.5
        return place_of(landmarks.points_px)


def who(found: dict[int, Spot], people: dict[str, Spot]) -> dict[int, str]:
    """The name of whoever is nearest to each place that was reported."""
    return {
        number: min(people, key=lambda name: math.dist((people[name].x, people[name].y), (spot.x, spot.y)))
        for number, spot in found.items()
    }


def test_everybody_gets_a_number_and_keeps_it() -> None:
    world = World(limit=4)
    people = {"anna": ANNA, "ben": BEN, "carl": CARL}
    first = who(world.show(list(people.values())), people)
    assert sorted(first.values()) == ["anna", "ben", "carl"]
    assert list(first) == [1, 2, 3], "the largest first"
    assert first[1] == "anna"
    for seq in range(60):
        people = {
            "anna": Spot(ANNA.x + 2 * seq, ANNA.y, ANNA.size + seq / 4),
            "ben": Spot(BEN.x, BEN.y + seq, BEN.size),
            "carl": Spot(CARL.x + seq, CARL.y, CARL.size - seq / 4),
        }
        assert who(world.show(list(people.values())), people) == first


def test_the_networks_are_asked_once_a_picture_for_all_together() -> None:
    world = World(limit=3)
    world.show([ANNA, BEN, CARL])
    world.lookout.detections = world.meshes = 0
    for _ in range(5):
        world.show([ANNA, BEN, CARL])
    assert (world.lookout.detections, world.meshes) == (0, 5)


def test_no_more_than_the_limit_are_followed_the_largest_at_first() -> None:
    world = World(limit=2)
    people = {"anna": ANNA, "ben": BEN, "carl": CARL}
    for _ in range(40):
        assert sorted(who(world.show([CARL, BEN, ANNA]), people).values()) == ["anna", "ben"]
    grown = {**people, "carl": Spot(CARL.x, CARL.y, 180)}
    for _ in range(40):
        assert sorted(who(world.show(list(grown.values())), grown).values()) == ["anna", "ben"]


def test_a_lower_limit_keeps_those_who_were_there_first() -> None:
    world = World(limit=3)
    world.show([ANNA, BEN, CARL])
    world.limit = 1
    assert list(world.show([ANNA, BEN, CARL])) == [1]


def test_who_comes_later_is_found_and_gets_a_number_of_their_own() -> None:
    world = World(limit=3)
    for _ in range(3):
        assert list(world.show([ANNA])) == [1]
    found = [world.show([ANNA, BEN]) for _ in range(LOOK_EVERY_ALONE + 1)]
    assert list(found[-1]) == [1, 2]
    assert who(found[-1], {"anna": ANNA, "ben": BEN}) == {1: "anna", 2: "ben"}


def test_who_leaves_is_gone_and_who_comes_back_soon_is_the_same() -> None:
    world = World(limit=2)
    people = {"anna": ANNA, "ben": BEN}
    for _ in range(10):
        world.show([ANNA, BEN])
    for _ in range(10):
        assert who(world.show([ANNA]), people) == {1: "anna"}
    assert who(world.show([ANNA, BEN]), people) == {1: "anna", 2: "ben"}
    for _ in range(40):
        world.show([ANNA])
    found = [world.show([ANNA, BEN]) for _ in range(LOOK_EVERY_ALONE + 1)]
    assert who(found[-1], people) == {1: "anna", 3: "ben"}, "numbers are not used again"


def test_nobody_is_there_twice() -> None:
    """Two who become one to be seen: one number remains, and both are there again afterwards."""
    world = World(limit=2)
    for _ in range(10):
        world.show([ANNA, Spot(330, 200, 120)])
    for _ in range(10):
        assert len(world.show([ANNA])) == 1
    found = world.show([ANNA, Spot(330, 200, 120)])
    assert list(found) == [1, 2]


@pytest.mark.parametrize(
    ("anna", "ben"),
    [(walking(100, 200, 110), walking(900, -200)), (walking(500, 0, 110), walking(100, 220))],
    ids=["both walk", "one passes"],
)
def test_after_a_crossing_everybody_has_their_own_number_again(anna: Path, ben: Path) -> None:
    """While they overlap only Ben is to be seen."""
    world, seen = World(limit=2), []
    for seq in range(120):
        a, b = anna(seq / FPS), ben(seq / FPS)
        hidden = abs(a.x - b.x) < 80
        seen.append(who(world.show([b] if hidden else [a, b]), {"anna": a, "ben": b}))
    assert all(each == {1: "anna", 2: "ben"} for each in seen[:20])
    assert all(each == {1: "anna", 2: "ben"} for each in seen[-30:])


def test_a_reset_forgets_everybody() -> None:
    world = World(limit=2)
    world.show([ANNA, BEN])
    world.crowd.reset()
    assert list(world.show([ANNA])) == [3]


def test_of_an_empty_picture_nothing_is_said() -> None:
    world = World(limit=2)
    assert world.show([]) == {}
    assert world.meshes == 0
    world.show([ANNA])
    assert world.show([]) == {}


def test_near_and_far_people_are_followed_together() -> None:
    world = World(limit=3)
    people = {"anna": ANNA, "far": Spot(850, 100, 45), "farther": Spot(600, 420, 42)}
    assert len(world.show([ANNA])) == 1
    for _ in range(120):
        found = world.show(list(people.values()))
    assert sorted(who(found, people).values()) == sorted(people)
    assert who(found, people)[1] == "anna"
    searched = len(world.lookout.tiles)
    for _ in range(30):
        world.show(list(people.values()))
    assert len(world.lookout.tiles) == searched, "as many as were asked for"


def test_the_first_picture_is_searched_at_once_for_it_may_be_the_only_one() -> None:
    world = World(limit=4)
    people = {"anna": ANNA, "far": Spot(850, 100, 45), "farther": Spot(600, 420, 42)}
    assert sorted(who(world.show(list(people.values())), people).values()) == sorted(people)


def test_a_person_in_two_squares_of_the_search_is_one() -> None:
    world = World(limit=4)
    people = {"far": Spot(500, 250, 48), "other": Spot(560, 250, 48)}
    for _ in range(120):
        found = world.show(list(people.values()))
    assert sorted(who(found, people).values()) == ["far", "other"]


def test_the_search_for_more_people_costs_a_third_of_the_pictures() -> None:
    world = World(limit=2)
    for _ in range(60):
        world.show([ANNA])
    assert 10 < len(world.lookout.tiles) <= 20


@pytest.mark.parametrize("pairs", [1, 2, 3])
def test_at_a_brisk_pace_nobody_is_taken_for_who_passed_them(pairs: int) -> None:
    """They stand, walk faster and faster past each other, slow down and stand; who is in front hides whom.

    Looks every sixth picture saw a third of the speed, and took right numbers for swapped ones afterwards.
    """
    world, width = World(limit=2 * pairs), 1000 / pairs
    everybody: list[dict[int, str]] = []
    for seq in range(90):
        share = 0.5 - 0.5 * math.cos(math.pi * min(max((seq - 21) / 42, 0.0), 1.0))
        people: dict[str, Spot] = {}
        for pair in range(pairs):
            left, right = (pair + 0.25) * width, (pair + 0.75) * width
            size = 0.18 * width
            people[f"back {pair}"] = Spot(left + share * (right - left), 200, size)
            people[f"front {pair}"] = Spot(right - share * (right - left), 200, 1.1 * size)
        hidden = {
            f"back {pair}"
            for pair in range(pairs)
            if abs(people[f"back {pair}"].x - people[f"front {pair}"].x) < 0.8 * 0.18 * width
        }
        everybody.append(who(world.show([p for name, p in people.items() if name not in hidden]), people))
    assert len(everybody[20]) == 2 * pairs
    assert all(each.items() <= everybody[20].items() for each in everybody[46:]), "somebody is another"
    assert all(each == everybody[20] for each in everybody[70:])
