"""Squares of a picture for the face detector, and the order in which a search goes through them.

Called by `tracking.follow` and `tracking.crowd`. The detector sees 128 px: in the whole picture it finds
faces down to an eighth of the longer side, in a smaller square smaller ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rtfilter.tracking.crossing import Spot

# The least width of a face, in sides of the square. Measured on 46 faces: of those 0.14 of it wide, all are
# found, 0.12 wide 96 %, 0.10 wide 24 %.
FACE_SHARE: Final = 0.14
# Sides in longer sides of the picture, and how far neighbours overlap: by what the next larger square misses.
SCALES: Final = ((0.5625, 0.15), (0.286, 0.09))
SIDE_MIN_PX: Final = 160  # smaller squares show faces of less than 22 px
NEAR_SHARE: Final = 0.3  # of the side of a square around one face; at this size the detector is surest


@dataclass(frozen=True, slots=True)
class Tile:
    """A square of the picture: left, top and side in pixels. It may reach beyond the picture."""

    x: float
    y: float
    side: float

    @classmethod
    def around(cls, spot: Spot, width: int, height: int) -> Tile:
        """In which a face at this place fills NEAR_SHARE of the side; within the picture if it fits."""
        side = max(spot.size / NEAR_SHARE, SIDE_MIN_PX)
        return cls(_inside(spot.x - side / 2, side, width), _inside(spot.y - side / 2, side, height), side)


def whole(width: int, height: int) -> Tile:
    """The square with the whole picture in its middle."""
    longest = max(width, height)
    return Tile((width - longest) / 2, (height - longest) / 2, longest)


class Search:
    """Where to look next for faces that the whole picture is too coarse for: one square a picture.

    A round covers the picture, larger squares first, of each size those nearest to where a face was last;
    that place itself comes first.
    """

    def __init__(self) -> None:
        self._left: list[Tile] = []

    def next(self, width: int, height: int, last: Spot | None) -> Tile | None:
        """The next square of a picture of that size; None where the whole picture is fine enough.

        last: where a face was last seen.
        """
        if not self._left:
            self._left = round_of(width, height, last)[::-1]
        return self._left.pop() if self._left else None

    def restart(self) -> None:
        """Begin a new round; also when the size of the pictures changes."""
        self._left.clear()


def round_of(width: int, height: int, last: Spot | None) -> list[Tile]:
    """The squares of a round, in their order."""
    x, y = (width / 2, height / 2) if last is None else (last.x, last.y)

    def far(tile: Tile) -> float:
        return round(math.dist((tile.x + tile.side / 2, tile.y + tile.side / 2), (x, y)), 3)

    tiles = [tile for scale in tiles_of(width, height) for tile in sorted(scale, key=far)]
    if tiles and last is not None and last.size < FACE_SHARE * max(width, height):
        tiles.insert(0, Tile.around(last, width, height))
    return tiles


@lru_cache(maxsize=8)
def tiles_of(width: int, height: int) -> tuple[tuple[Tile, ...], ...]:
    """The squares that cover a picture, by size, the largest first; row by row."""
    longest, coarser, found = max(width, height), float(max(width, height)), []
    for share, overlap in SCALES:
        side = max(share * longest, SIDE_MIN_PX)
        if side > 0.8 * coarser:
            continue
        places = [_places(length, side, overlap * longest) for length in (width, height)]
        found.append(tuple(Tile(left, top, side) for top in places[1] for left in places[0]))
        coarser = side
    return tuple(found)


def _places(length: int, side: float, overlap: float) -> list[float]:
    """Evenly spread first pixels of intervals of `side` that cover `length` and overlap by at least that."""
    if length <= side:
        return [(length - side) / 2]
    count = 1 + math.ceil((length - side) / (side - overlap))
    return [k * (length - side) / (count - 1) for k in range(count)]


def _inside(first: float, side: float, length: int) -> float:
    return min(max(first, 0.0), length - side) if side <= length else (length - side) / 2
