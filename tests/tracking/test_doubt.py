"""Faces that are none: a pattern, a print, a picture in a hand; and the person who is really there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rtfilter.tracking.crossing import Spot
from rtfilter.tracking.detect import Detection
from rtfilter.tracking.doubt import LIFELESS_S, LIFELESS_SOON_S, Doubt, LifeWatch
from rtfilter.tracking.follow import Follower
from tests.faces import coefficients, face_px
from tests.tracking.worlds import detected

LONGEST = 1280
HERE = Spot(300, 200, 160)


def at(spot: Spot, score: float = 0.9) -> Detection:
    return replace(detected(spot), score=score)


def shown(doubt: Doubt, seconds: float, *, talks: bool = False) -> float:
    """Show the mean face at rest, in noise, or talking, and return the time."""
    rng = np.random.default_rng(0)
    faces = [face_px(), face_px(expression=coefficients(jawOpen=0.4)) if talks else face_px()]
    for seq in range(int(seconds * 30)):
        points = faces[seq // 5 % 2]
        doubt.see(points + rng.normal(0, 0.15, points.shape).astype(np.float32), seq / 30)
    return seconds


def test_who_talks_or_blinks_lives_and_a_picture_does_not() -> None:
    rng = np.random.default_rng(1)
    still, moved = face_px(), face_px(expression=coefficients(eyeBlink=0.8))
    print_, person = LifeWatch(), LifeWatch()
    for seq in range(300):
        noise = rng.normal(0, 0.15, still.shape).astype(np.float32)
        print_.see(still + noise, seq / 30)
        person.see((moved if seq == 100 else still) + noise, seq / 30)
    assert person.alive
    assert person.still_s(10.0) == 0.0
    assert not print_.alive
    assert print_.still_s(10.0) == pytest.approx(10.0)


def test_a_pattern_gives_way_to_a_face() -> None:
    doubt, pattern = Doubt(), at(HERE, 0.55)
    doubt.begin(pattern.score)
    assert doubt.unsure
    other = at(Spot(900, 300, 60))
    assert doubt.better(HERE, [pattern], 0.1, LONGEST) is None
    assert doubt.better(HERE, [at(Spot(900, 300, 60), 0.6)], 0.1, LONGEST) is None, "as unsure"
    assert doubt.better(HERE, [pattern, other], 0.1, LONGEST) is other


def test_a_face_that_became_sure_stays() -> None:
    doubt = Doubt()
    doubt.begin(0.55)
    assert doubt.better(HERE, [at(HERE, 0.8)], 0.1, LONGEST) is None
    assert not doubt.unsure
    shown(doubt, 1.0, talks=True)
    assert doubt.better(HERE, [at(Spot(900, 300, 300))], 30.0, LONGEST) is None


def test_a_print_gives_way_to_the_person_who_sits_down_and_is_not_taken_again() -> None:
    doubt, poster, person = Doubt(), at(HERE), at(Spot(800, 300, 300))
    doubt.begin(poster.score)
    time_s = shown(doubt, LIFELESS_SOON_S + 0.2)
    assert doubt.better(HERE, [poster, at(Spot(800, 300, 150))], time_s, LONGEST) is None, "no larger one"
    assert doubt.better(HERE, [poster, person], time_s, LONGEST) is person
    doubt.begin(person.score)
    there = Spot(800, 300, 300)
    time_s = shown(doubt, LIFELESS_S + 1.0)
    assert doubt.better(there, [poster, person], time_s, LONGEST) is None, "nobody goes back to a print"
    assert list(doubt.preferred([poster, person])) == [person]
    assert list(doubt.preferred([poster])) == [poster]


def test_a_print_is_known_again_in_a_picture_of_another_size() -> None:
    follower, person = Follower(), at(Spot(400, 150, 60))
    follower.picture(1280, 720)
    follower._doubt._given_up.append(HERE)
    follower.picture(640, 360)
    poster = at(Spot(HERE.x / 2, HERE.y / 2, HERE.size / 2))
    assert list(follower._doubt.preferred([poster, person])) == [person]


def test_what_was_taken_for_a_print_and_moves_is_somebody() -> None:
    doubt = Doubt()
    doubt.begin(0.9)
    time_s = shown(doubt, LIFELESS_S + 1.0)
    other = at(Spot(800, 300, 150))
    assert doubt.better(HERE, [other], time_s, LONGEST) is other
    doubt.begin(other.score)
    leaning = at(Spot(HERE.x + 60, HERE.y, HERE.size))
    time_s = shown(doubt, LIFELESS_S + 1.0)
    assert doubt.better(Spot(800, 300, 150), [leaning], time_s, LONGEST) is leaning


def test_somebody_far_behind_gives_way_to_who_comes_to_the_camera() -> None:
    doubt, far, near = Doubt(), Spot(300, 200, 60), Spot(800, 300, 300)
    doubt.begin(0.9)
    time_s = shown(doubt, 3.0, talks=True)
    assert doubt.better(far, [at(far), at(near)], time_s, LONGEST) is not None
    assert doubt.better(far, [at(far), at(Spot(800, 300, 90))], time_s, LONGEST) is None
    doubt.begin(0.9)
    shown(doubt, 3.0, talks=True)
    assert doubt.better(near, [at(far), at(near)], time_s, LONGEST) is None


def test_who_was_chosen_stays_whoever_comes() -> None:
    doubt, far, near = Doubt(), Spot(300, 200, 60), at(Spot(800, 300, 300))
    doubt.begin(0.55)
    doubt.insist()
    assert not doubt.unsure
    time_s = shown(doubt, LIFELESS_S + 1.0)
    assert doubt.better(far, [at(far), near], time_s, LONGEST) is None
    doubt.begin(0.9)
    assert doubt.better(far, [at(far), near], 0.1, LONGEST) is near, "of somebody else it was not said"
