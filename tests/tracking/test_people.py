"""Several people at once, with the real networks."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.errors import UsageError
from rtfilter.tracking.engine import EngineTracker
from tests.tracking.scenes import LEFT, RIGHT, apart_iod, at, is_at, scene


def test_two_people_keep_their_numbers(engine: EngineTracker) -> None:
    people: tuple[int, int] | None = None
    for seq, t in enumerate(np.linspace(0.0, 1.0, 24)):
        left, right = (LEFT, round(250 + 60 * t)), (RIGHT, round(310 - 60 * t))
        found = engine.track_all(at(scene(left, right), seq), 2)
        assert len(found) == 2, f"frame {seq}"
        first, second = found
        people = people or (first.person, second.person)
        assert (first.person, second.person) == people
        assert is_at(first, right), "the larger one came first"
        assert is_at(second, left)


def test_several_people_at_once_are_each_as_if_alone(engine: EngineTracker) -> None:
    """To the square: neither network knows who else is there."""
    both = engine.track_all(at(scene((LEFT, 260), (RIGHT, 300)), 0), 8)
    engine.reset()
    alone = engine.track(at(scene((RIGHT, 300)), 0))
    assert len(both) == 2
    (same,) = (each for each in both if is_at(each, (RIGHT, 300)))
    assert apart_iod(same, alone).max() < 0.03


@pytest.mark.parametrize("limit", [0, 65])
def test_a_limit_out_of_range_is_refused(engine: EngineTracker, limit: int) -> None:
    with pytest.raises(UsageError, match=f"limit: expected 1 to 64 people, got {limit}"):
        engine.track_all(at(scene(), 0), limit)


def test_a_picture_too_small_for_anybody_has_nobody_in_it(engine: EngineTracker) -> None:
    assert engine.track_all(at(np.zeros((15, 400, 3), np.uint8), 0), 4) == []
