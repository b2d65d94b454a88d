"""The squares of a search: every small face lies whole in one of them, and where one was comes first."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rtfilter.tracking.crossing import Spot
from rtfilter.tracking.detect import TILE_SCORE_MIN, Detection, faces_in
from rtfilter.tracking.tiles import FACE_SHARE, SIDE_MIN_PX, Search, Tile, round_of, tiles_of, whole

SIZES = [(1280, 720), (1920, 1080), (3840, 2160), (720, 1280), (1280, 960), (1000, 1000)]


def holds(tile: Tile, face: Spot) -> bool:
    """Whether a face lies whole in a square, and fills enough of it to be found."""
    x, y = face.x - tile.x, face.y - tile.y
    half = face.size / 2
    inside = half <= x <= tile.side - half and half <= y <= tile.side - half
    return inside and face.size >= FACE_SHARE * tile.side


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_face_of_a_twenty_fifth_of_the_picture_lies_whole_in_a_square(width: int, height: int) -> None:
    rng = np.random.default_rng(0)
    longest = max(width, height)
    tiles = [whole(width, height), *(tile for scale in tiles_of(width, height) for tile in scale)]
    for _ in range(2000):
        size = float(rng.uniform(0.0405, 0.3)) * longest
        half = size / 2
        face = Spot(float(rng.uniform(half, width - half)), float(rng.uniform(half, height - half)), size)
        assert any(holds(tile, face) for tile in tiles), face


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_round_is_about_half_a_second_larger_squares_first(width: int, height: int) -> None:
    sides = [tile.side for tile in round_of(width, height, None)]
    assert sides == sorted(sides, reverse=True)
    assert len(sides) <= (18 if width * 9 == height * 16 else 36), "at 30 pictures a second: 0.6 s"


def test_where_a_small_face_was_comes_first_and_then_its_neighbourhood() -> None:
    last = Spot(1100, 600, 60)
    first, *others = round_of(1280, 720, last)
    assert holds(first, last)
    for side in {tile.side for tile in others}:
        far = [math.dist((t.x + t.side / 2, t.y + t.side / 2), (1100, 600)) for t in others if t.side == side]
        assert far == pytest.approx(sorted(far))
    assert first not in round_of(1280, 720, Spot(1100, 600, 400)), "a large face needs no square of its own"


def test_rounds_follow_each_other_and_a_restart_begins_one() -> None:
    search = Search()
    expected = round_of(1280, 720, None)
    assert [search.next(1280, 720, None) for _ in range(2 * len(expected))] == expected * 2
    search.next(1280, 720, None)
    search.restart()
    assert search.next(1280, 720, None) == expected[0]


@pytest.mark.parametrize(("width", "height"), [(16, 16), (160, 120), (16, 4000), (16384, 20), (200, 200)])
def test_squares_are_never_smaller_than_a_face_can_be_read_in(width: int, height: int) -> None:
    tiles = round_of(width, height, Spot(8, 8, 3))
    assert all(tile.side >= min(SIDE_MIN_PX, max(width, height)) for tile in tiles)
    assert len(tiles) < 60
    if max(width, height) <= SIDE_MIN_PX:
        assert [t for scale in tiles_of(width, height) for t in scale] == []


def test_a_face_that_a_square_cuts_waits_for_the_next_one() -> None:
    def face(x: float, y: float, score: float = 0.9) -> Detection:
        return Detection(x, y, 60, 60, score, np.zeros((6, 2), np.float32))

    inner, corner = Tile(300, 200, 360), Tile(0, 0, 360)
    inside, cut, unsure = face(500, 400), face(310, 400), face(500, 400, TILE_SCORE_MIN - 0.01)
    assert faces_in(inner, [inside, cut, unsure], 1280, 720) == [inside]
    at_the_border = face(10, 10)
    assert faces_in(corner, [at_the_border], 1280, 720) == [at_the_border], "nothing will show more of it"
