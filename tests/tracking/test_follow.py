"""Following one person in a world of known people: what a network would see is computed, the rest is real."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rtfilter.tracking.crossing import Spot, place_of
from rtfilter.tracking.find import find_person
from rtfilter.tracking.follow import LOOK_EVERY_ALONE, LOOK_EVERY_IN_COMPANY, Follower
from rtfilter.tracking.roi import Roi
from tests.tracking.worlds import FPS, Path, WorldLookout, detected, landmarks_at, seen_in, walking


class World:
    """People at known places; the first of the list stands in front."""

    def __init__(self) -> None:
        self.follower = Follower()
        self.lookout = WorldLookout(1000, 500)
        self.seq = 0

    @property
    def detections(self) -> int:
        return self.lookout.detections

    def show(self, people: list[Spot]) -> Spot | None:
        """One picture, as a tracker would go about it; the place of the face that is reported."""
        seen: list[np.ndarray] = []

        def mesh(roi: Roi) -> tuple[np.ndarray, float]:
            points_px, presence = seen_in(roi, people)
            seen.append(points_px)
            return points_px, presence

        self.lookout.people = people
        self.follower.picture(*self.lookout.size)
        time_s = self.seq / FPS
        self.seq += 1
        found = find_person(self.follower, time_s, self.lookout, mesh)
        return None if found is None else place_of(seen[-1])


@pytest.fixture
def world() -> World:
    return World()


def near(found: Spot | None, person: Spot) -> bool:
    assert found is not None
    return math.dist((found.x, found.y), (person.x, person.y)) < 0.05 * person.size


ME, OTHER = Spot(300, 200, 120), Spot(800, 200, 90)


def test_the_largest_is_taken_and_detected_once(world: World) -> None:
    for _ in range(LOOK_EVERY_ALONE):
        assert near(world.show([OTHER, ME]), ME)
    assert world.detections == 1


def test_it_looks_around_now_and_then_and_more_often_in_company(world: World) -> None:
    for _ in range(1 + 4 * LOOK_EVERY_ALONE):
        world.show([ME])
    assert world.detections == 1 + 4
    company = World()
    for _ in range(1 + LOOK_EVERY_ALONE + 4 * LOOK_EVERY_IN_COMPANY):
        company.show([ME, OTHER])
    assert company.detections == 1 + 1 + 4


def test_it_stays_when_another_grows_larger(world: World) -> None:
    for size in np.linspace(60, 200, 60):
        assert near(world.show([ME, Spot(OTHER.x, OTHER.y, size)]), ME)


def test_across_a_cut_it_is_found_in_the_same_picture(world: World) -> None:
    for place in [ME] * 3 + [OTHER] * 3 + [ME] * 3:
        assert near(world.show([place]), place)


def test_nothing_is_found_where_nobody_is(world: World) -> None:
    assert world.show([]) is None
    assert near(world.show([ME]), ME)
    assert world.show([]) is None
    assert world.follower.roi is None
    assert world.detections == 3


def test_who_comes_back_within_a_second_is_the_same_one(world: World) -> None:
    for _ in range(3):
        world.show([ME])
    for _ in range(20):
        assert world.show([]) is None
    assert near(world.show([ME, Spot(800, 200, 200)]), ME)


def test_after_more_than_a_second_the_largest_is_taken(world: World) -> None:
    world.show([ME])
    for _ in range(40):
        world.show([])
    larger = Spot(800, 200, 200)
    assert near(world.show([ME, larger]), larger)


def test_a_face_that_slides_onto_another_is_let_go_and_ours_found_again(world: World) -> None:
    """The network's answer jumps to somebody who came close: not near, so not ours."""
    world.show([ME])
    roi = world.follower.roi
    assert roi is not None
    stranger = Spot(ME.x + 0.7 * ME.size, ME.y, ME.size)
    assert not world.follower.observed(landmarks_at(stranger), 0.99, world.seq / FPS)
    assert world.follower.roi is None
    assert near(world.show([ME, stranger]), ME)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (walking(100, 200, 110), walking(900, -200)),
        (walking(500, 0, 110), walking(100, 220)),
        (walking(100, 220, 110), walking(500, 0)),
    ],
    ids=["both walk", "they pass", "we pass"],
)
def test_after_a_crossing_it_is_us_again(world: World, mine: Path, theirs: Path) -> None:
    """While they overlap only the other is to be seen, and the square goes along with them."""
    seen = []
    for seq in range(120):
        me, they = mine(seq / FPS), theirs(seq / FPS)
        hidden = abs(me.x - they.x) < 80
        found = world.show([they] if hidden else [me, they])
        seen.append(found is not None and abs(found.x - me.x) < abs(found.x - they.x))
    assert all(seen[:20])
    assert all(seen[-30:])


def test_a_picture_of_another_size_shows_the_same_person_elsewhere(world: World) -> None:
    world.show([ME, OTHER])
    world.lookout.size = (500, 250)
    world.follower.picture(500, 250)
    halved = [Spot(p.x / 2, p.y / 2, p.size / 2) for p in (ME, Spot(OTHER.x, OTHER.y, 180))]
    assert world.follower.roi is None
    assert near(world.show(halved), halved[0])
    world.follower.picture(500, 250)
    assert world.follower.roi is not None, "the same size is no news"


def test_a_reset_forgets_the_person(world: World) -> None:
    world.show([ME])
    world.follower.reset()
    assert world.follower.roi is None
    assert world.follower.place is None
    larger = Spot(800, 200, 200)
    assert near(world.show([ME, larger]), larger)


@pytest.mark.parametrize("presence", [0.0, 0.49, math.nan])
def test_without_presence_there_is_no_face(world: World, presence: float) -> None:
    world.show([ME])
    assert not world.follower.observed(landmarks_at(ME), presence, 1.0)
    assert world.follower.roi is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_landmarks_that_are_no_numbers_are_no_face(world: World, value: float) -> None:
    world.show([ME])
    points = landmarks_at(ME)
    points[200, 1] = value
    assert not world.follower.observed(points, 0.99, 1.0)
    assert world.follower.roi is None


def test_a_step_back_in_time_is_a_new_start(world: World) -> None:
    world.seq = 100
    world.show([ME])
    world.follower.observed(None, 0.0, 100 / FPS)
    larger = Spot(800, 200, 200)
    world.seq = 0
    assert near(world.show([ME, larger]), larger)


def test_landmarks_out_of_a_detectors_square_are_rough_once() -> None:
    follower = Follower()
    for start in range(2):
        first = follower.start([detected(ME)], start)
        assert follower.observed(landmarks_at(ME), 0.99, start)
        assert follower.rough
        assert follower.roi == Roi.of_landmarks(landmarks_at(ME)) != first
        assert follower.observed(landmarks_at(ME), 0.99, start)
        assert not follower.rough
    follower.start([detected(ME)], 3.0)
    assert not follower.observed(None, 0.0, 3.0)
    assert not follower.rough


def test_the_square_rests_while_landmarks_shake_and_comes_along_when_the_face_moves() -> None:
    """Shake of 0.2 % of an IOD: twice that of a resting face in footage."""
    rng = np.random.default_rng(3)
    follower = Follower()
    follower.start([detected(ME)], 0.0)
    still = landmarks_at(ME)
    iod = float(np.linalg.norm(still[33, :2] - still[263, :2]))
    assert follower.observed(still, 0.99, 0.0)
    resting = follower.roi
    assert resting is not None
    moved_px = []
    for seq in range(1, 300):
        shaken = still + rng.normal(0, 0.002 * iod, still.shape).astype(np.float32)
        assert follower.observed(shaken, 0.99, seq / FPS)
        roi = follower.roi
        assert roi is not None
        moved_px.append(math.dist((roi.x, roi.y), (resting.x, resting.y)))
        resting = roi
    assert np.mean(np.array(moved_px) == 0.0) > 0.9
    for seq in range(300, 360):
        moving = still + np.array([2.0 * (seq - 299), 0, 0], np.float32)
        assert follower.observed(moving, 0.99, seq / FPS)
    roi, wanted = follower.roi, Roi.of_landmarks(moving)
    assert roi is not None
    assert math.dist((roi.x, roi.y), (wanted.x, wanted.y)) < 0.02 * roi.side


def test_small_people_are_searched_for_while_there_is_no_other(world: World) -> None:
    """Of a twenty-fifth of the picture's width: the whole picture is too coarse for them."""
    small = Spot(150, 400, 45)
    assert world.show([]) is None
    found = [world.show([small]) for _ in range(25)]
    first = next(seq for seq, spot in enumerate(found) if spot is not None)
    assert first < 20
    assert all(near(spot, small) for spot in found[first:]), "followed from then on"
    searched = len(world.lookout.tiles)
    for _ in range(30):
        world.show([small])
    assert len(world.lookout.tiles) == searched, "nobody is searched for while one is followed"


def test_the_first_picture_is_searched_at_once_for_it_may_be_the_only_one(world: World) -> None:
    small = Spot(150, 400, 45)
    assert near(world.show([small]), small)
    world.follower.reset()
    assert near(world.show([small, ME]), ME), "the largest all the same"


def test_who_was_small_is_looked_for_where_they_were(world: World) -> None:
    small = Spot(150, 400, 45)
    while world.show([small]) is None:
        pass
    for _ in range(5):
        assert world.show([]) is None
    gone = len(world.lookout.tiles)
    for _ in range(60):
        world.show([])
    again = [world.show([small]) for _ in range(25)]
    assert near(again[-1], small)
    first = world.lookout.tiles[gone - 5]
    assert first.x < small.x < first.x + first.side
    assert first.side == pytest.approx(180, abs=25), "a quarter of it is the face"


def test_somebody_far_away_is_not_taken_for_who_was_just_lost(world: World) -> None:
    """A hand over the face, and a person far behind: no jump to them while ours may come back."""
    behind = Spot(850, 100, 45)
    for _ in range(20):
        world.show([ME, behind])
    hidden = [world.show([behind]) for _ in range(25)]
    assert hidden == [None] * 25
    assert near(world.show([ME, behind]), ME)
    assert world.follower.person == 1
    for _ in range(80):
        found = world.show([behind])
    assert near(found, behind), "after more than a second it is whoever is there"
    assert world.follower.person == 2


def test_who_comes_after_somebody_left_is_another_person(world: World) -> None:
    world.show([ME])
    assert world.follower.person == 1
    for _ in range(20):
        world.show([])
    world.show([ME])
    assert world.follower.person == 1
    for _ in range(40):
        world.show([])
    world.show([ME])
    assert world.follower.person == 2
