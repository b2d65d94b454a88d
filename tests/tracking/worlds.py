"""People at known places, and what detector and mesh network would say of them. No pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from rtfilter.tracking.crossing import Spot, place_of
from rtfilter.tracking.detect import Detection
from rtfilter.tracking.roi import Roi
from rtfilter.tracking.tiles import FACE_SHARE, Tile, whole
from tests.faces import face_px

FPS = 30.0
SHAPE = face_px()
SHAPE_PLACE = place_of(SHAPE)


def landmarks_at(spot: Spot) -> np.ndarray:
    """The mean face with its centre and size at a spot."""
    scale = spot.size / SHAPE_PLACE.size
    offset = np.array([spot.x - scale * SHAPE_PLACE.x, spot.y - scale * SHAPE_PLACE.y, 0.0])
    return (SHAPE * scale + offset).astype(np.float32)


def detected(spot: Spot) -> Detection:
    """A detector's box of that face: smaller than the landmarks, with the eyes as first key points."""
    points = landmarks_at(spot)
    keypoints = np.zeros((6, 2), np.float32)
    keypoints[0], keypoints[1] = points[33, :2], points[263, :2]
    return Detection(spot.x, spot.y, 0.8 * spot.size, 0.8 * spot.size, 0.9, keypoints)


def seen_in(roi: Roi, people: Sequence[Spot]) -> tuple[np.ndarray, float]:
    """Landmarks of the person nearest the square's middle, if most of the face is in it; and presence."""
    near = [p for p in people if math.dist((p.x, p.y), (roi.x, roi.y)) < 0.45 * roi.side]
    near = [p for p in near if 0.3 < p.size / roi.side < 1.2]
    if not near:
        return landmarks_at(Spot(roi.x, roi.y, roi.side / 2)), 0.01
    return landmarks_at(min(near, key=lambda p: math.dist((p.x, p.y), (roi.x, roi.y)))), 0.99


Path = Callable[[float], Spot]


def walking(start_x: float, speed: float, size: float = 100.0, y: float = 200.0) -> Path:
    """Somebody's place by time in seconds, at a speed in pixels a second."""
    return lambda time_s: Spot(start_x + speed * time_s, y, size)


class WorldLookout:
    """A `Lookout` into a world of known people: a square shows those who fill enough of it, and lie in it.

    detections: of the whole picture, how many. tiles: parts of pictures that were looked at beside them.
    """

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self.people: Sequence[Spot] = ()
        self.detections = 0
        self.tiles: list[Tile] = []
        self._found: list[Detection] | None = None

    def detect(self, tile: Tile | None = None) -> list[Detection]:
        self.detections += tile is None
        return self._in(tile or whole(*self.size))

    def look(self, tile: Tile) -> None:
        assert self._found is None, "one look a picture"
        if tile == whole(*self.size):
            self.detections += 1
        else:
            self.tiles.append(tile)
        self._found = self._in(tile)

    def looked(self) -> list[Detection] | None:
        found, self._found = self._found, None
        return found

    def _in(self, tile: Tile) -> list[Detection]:
        return [
            detected(person)
            for person in self.people
            if person.size >= 0.6 * FACE_SHARE * tile.side
            and tile.x <= person.x < tile.x + tile.side
            and tile.y <= person.y < tile.y + tile.side
        ]
