"""The face at a place that a user pointed at is followed from then on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rtfilter.tracking.crossing import Spot, place_of
from rtfilter.tracking.engine import EngineTracker
from rtfilter.tracking.find import find_person
from rtfilter.tracking.follow import Follower
from rtfilter.tracking.roi import Roi
from tests.tracking.scenes import LEFT, RIGHT, is_at, scene, track
from tests.tracking.worlds import FPS, WorldLookout, seen_in

ANNA, BEN = Spot(300, 200, 160), Spot(700, 200, 120)
FAR = Spot(900, 100, 45)  # too small for a look at the whole picture


class World:
    def __init__(self) -> None:
        self.follower, self.lookout, self.seq = Follower(), WorldLookout(1000, 500), 0

    def show(self, *people: Spot) -> tuple[Spot | None, int]:
        """One picture: where the followed face is, and their number."""
        seen: list[np.ndarray] = []

        def mesh(roi: Roi) -> tuple[np.ndarray, float]:
            points_px, presence = seen_in(roi, people)
            seen.append(points_px)
            return points_px, presence

        self.lookout.people = people
        self.follower.picture(1000, 500)
        self.seq += 1
        found = find_person(self.follower, self.seq / FPS, self.lookout, mesh)
        return None if found is None else place_of(seen[-1]), self.follower.person


def at(found: Spot | None, person: Spot) -> bool:
    return found is not None and math.dist((found.x, found.y), (person.x, person.y)) < 0.05 * person.size


def test_the_chosen_face_is_followed_from_then_on_as_somebody_else() -> None:
    world = World()
    for _ in range(5):
        place, number = world.show(ANNA, BEN)
    assert at(place, ANNA), "the largest at first"
    world.follower.chosen = (0.7, 0.38)
    for _ in range(40):
        place, chosen = world.show(ANNA, BEN)
        assert at(place, BEN)
        assert chosen == number + 1


@pytest.mark.parametrize("place", [(0.3, 0.4), (0.05, 0.95)], ids=["the same face", "nobody"])
def test_a_choice_that_changes_nothing(place: tuple[float, float]) -> None:
    world = World()
    for _ in range(5):
        before = world.show(ANNA, BEN)
    world.follower.chosen = place
    for _ in range(5):
        assert world.show(ANNA, BEN) == before


def test_a_small_face_can_be_chosen() -> None:
    world = World()
    for _ in range(5):
        world.show(ANNA, FAR)
    world.follower.chosen = (0.9, 0.2)
    for _ in range(5):
        place, _ = world.show(ANNA, FAR)
        assert at(place, FAR)


def test_numbers_go_on_after_a_reset() -> None:
    world = World()
    assert world.show(ANNA)[1] == 1
    world.follower.reset()
    assert world.show(ANNA)[1] == 2


def test_the_tracker_turns_to_the_chosen_face(engine: EngineTracker) -> None:
    left, right = (LEFT, 250), (RIGHT, 310)
    rgb = scene(left, right)
    first = track(engine, rgb, 0)
    assert is_at(first, right)
    engine.choose(LEFT[0] / rgb.shape[1], LEFT[1] / rgb.shape[0])
    for seq in range(1, 4):
        found = track(engine, rgb, seq)
        assert is_at(found, left)
        assert first is not None
        assert found is not None
        assert found.person == first.person + 1
