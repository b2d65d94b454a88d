"""Pictures with the portrait's head at known places."""

from __future__ import annotations

import cv2
import numpy as np

from rtfilter.frame import Frame
from rtfilter.sources.portrait import Portrait
from rtfilter.tracking.base import Landmarks, Tracker

WIDTH, HEIGHT, FPS = 720, 320, 30
LEFT, RIGHT = (180, 160), (520, 160)
HEAD = Portrait.builtin().rgb[10:270, 90:350]  # the face is half as wide, left and above of the middle
FACE_FROM_TILE = (0.015, -0.065)  # centre of the landmarks from the centre of the tile, in tile sides

Person = tuple[tuple[int, int], int]


def scene(*people: Person, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A grey picture with the portrait's head pasted at centres and sizes in pixels, cut at the border."""
    rgb = np.full((height, width, 3), 90, np.uint8)
    for (x, y), side in people:
        tile = cv2.resize(HEAD, (side, side), interpolation=cv2.INTER_AREA)
        x0, y0 = x - side // 2, y - side // 2
        left, top = max(-x0, 0), max(-y0, 0)
        part = tile[top : max(height - y0, 0), left : max(width - x0, 0)]
        rgb[y0 + top : y0 + top + part.shape[0], x0 + left : x0 + left + part.shape[1]] = part
    return rgb


def at(rgb: np.ndarray, seq: int) -> Frame:
    """A picture as frame `seq` of a stream."""
    return Frame.from_rgb(rgb, pts=seq * 1_000_000_000 // FPS, seq=seq)


def track(tracker: Tracker, rgb: np.ndarray, seq: int = 0) -> Landmarks | None:
    return tracker.track(at(rgb, seq))


def is_at(landmarks: Landmarks | None, person: Person) -> bool:
    """Whether these landmarks are that person's: centre within a tenth of the tile, and width."""
    assert landmarks is not None
    (x, y), side = person
    centre = landmarks.points_px[:, :2].mean(0)
    expected = np.array([x + FACE_FROM_TILE[0] * side, y + FACE_FROM_TILE[1] * side])
    width = float(np.ptp(landmarks.points_px[:, 0]))
    return bool(np.linalg.norm(centre - expected) < 0.1 * side and 0.3 < width / side < 0.42)


def iod_px(points_px: np.ndarray) -> float:
    return float(np.linalg.norm(points_px[33, :2] - points_px[263, :2]))


def apart_iod(one: Landmarks | None, other: Landmarks | None) -> np.ndarray:
    """How far each landmark of one lies from the other's, in inter-ocular distances."""
    assert one is not None
    assert other is not None
    difference = (one.points_px - other.points_px)[:, :2]
    return np.asarray(np.linalg.norm(difference, axis=1) / iod_px(other.points_px))
