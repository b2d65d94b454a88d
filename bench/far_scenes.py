"""Small people in real pictures without faces: composites with known landmarks. For `bench.tracker_far`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.frame import Frame
from rtfilter.sources.file import FileSource
from rtfilter.system.arrays import U8
from rtfilter.tracking.base import Tracker

F32 = npt.NDArray[np.float32]

FPS = 30
NOISE_LEVELS = 2.0  # standard deviation in grey levels, new in every frame
CLEAR = 0.75  # face widths beside a face that belong to the person
SMALLEST_PART_PX = 60
PAN_PX = 24  # how far the background sways


@dataclass(frozen=True, slots=True)
class Actor:
    """A person's pictures, and their landmarks in them; both [frames, ...]."""

    name: str
    rgb: list[U8]
    points_px: list[F32]

    @property
    def width_px(self) -> float:
        """Of the face, in the first picture."""
        return float(np.ptp(self.points_px[0][:, 0]))


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture of `width` by `height`, with a person whose face is `share` of the width, or without one.

    place: of the face, 0..1 of what keeps it in the picture. seed: of the noise.
    """

    actor: Actor | None
    room: U8
    width: int
    height: int
    share: float
    place: tuple[float, float]
    seed: int = 0

    def frame(self, seq: int) -> tuple[U8, F32]:
        """The picture, and the person's landmarks in it, float32 [478, 3]."""
        out = self._room(seq)
        truth = np.zeros((478, 3), np.float32) if self.actor is None else self.paste(seq, out)
        first = int(np.random.default_rng([self.seed, seq]).integers(0, self.height))
        grain = _grain(self.width, self.height)[first : first + self.height]
        return np.asarray(cv2.add(out, grain, dtype=cv2.CV_8U), np.uint8), truth

    def _room(self, seq: int) -> U8:
        """The background, swaying."""
        shift = np.sin(2 * np.pi * seq / FPS / 7.0)
        x, y = round(PAN_PX * (1.0 + shift)), round(PAN_PX * (1.0 + 0.5 * shift))
        wide, high = self.width + 2 * PAN_PX, self.height + 2 * PAN_PX
        large = _filled(self.room.tobytes(), self.room.shape[:2], wide, high)
        return large[y : y + self.height, x : x + self.width].copy()

    def paste(self, seq: int, out: U8) -> F32:
        """Put the person into a picture of the scene's size; their landmarks there, float32 [478, 3]."""
        actor = self.actor
        assert actor is not None
        rgb, points = actor.rgb[seq % len(actor.rgb)], actor.points_px[seq % len(actor.rgb)]
        scale = self.share * self.width / actor.width_px
        tile = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.float32)
        first = actor.points_px[0] * scale
        low, high = first[:, :2].min(0), first[:, :2].max(0)
        x = self.place[0] * (self.width - (high - low)[0]) - low[0]
        y = self.place[1] * (self.height - (high - low)[1]) - low[1]
        left, top = round(float(x)), round(float(y))
        weight = _person(tile.shape[0], tile.shape[1], first)[:, :, None]
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + tile.shape[1], self.width), min(top + tile.shape[0], self.height)
        part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        place = out[y0:y1, x0:x1]
        place[:] = (place + weight[part] * (tile[part] - place)).round()
        return np.asarray(points * scale + np.array([left, top, 0.0]), np.float32)


def scenes(
    actors: Sequence[Actor], rooms: Mapping[str, U8], width: int, height: int, share: float
) -> Iterator[Scene]:
    """Every person in front of two backgrounds, at places of their own."""
    pictures = list(rooms.values())
    rng = np.random.default_rng(7)
    for number, actor in enumerate(actors):
        for turn in range(2):
            room = pictures[(2 * number + turn) % len(pictures)]
            place = float(rng.uniform(0.05, 0.95)), float(rng.uniform(0.05, 0.8))
            yield Scene(actor, room, width, height, share, place, seed=2 * number + turn)


def people(paths: Sequence[Path], tracker: Tracker, frames: int) -> list[Actor]:
    """The person of each clip that has a face in all of its first frames."""
    found = []
    for path in paths:
        tracker.reset()
        pictures = _first(path, frames)
        seen = [tracker.track(frame) for frame in pictures]
        points = [landmarks.points_px.copy() for landmarks in seen if landmarks is not None]
        if len(points) == len(pictures):
            found.append(Actor(path.stem, [np.ascontiguousarray(frame.rgb) for frame in pictures], points))
    return found


def backgrounds(paths: Sequence[Path], tracker: Tracker) -> dict[str, U8]:
    """The largest part beside or above each clip's face, and drawn shelves."""
    found: dict[str, U8] = {"shelves": _shelves()}
    for path in paths:
        tracker.reset()
        (frame,) = _first(path, 1)
        landmarks = tracker.track(frame)
        if landmarks is None:
            continue
        points = landmarks.points_px[:, :2]
        (x0, y0), (x1, _) = points.min(0), points.max(0)
        clear = CLEAR * (x1 - x0)
        left, right, above = max(int(x0 - clear), 0), int(x1 + clear), max(int(y0 - 0.7 * clear), 0)
        parts = [frame.rgb[:, :left], frame.rgb[:, right:], frame.rgb[:above]]
        best = max(parts, key=lambda part: min(part.shape[:2]))
        if min(best.shape[:2]) >= SMALLEST_PART_PX:
            found[path.stem] = np.ascontiguousarray(best)
    return found


def _first(path: Path, count: int) -> list[Frame]:
    source = FileSource(path)
    frames = [frame for _ in range(count) if (frame := source.read()) is not None]
    source.close()
    return frames


@lru_cache(maxsize=4)
def _filled(pixels: bytes, shape: tuple[int, int], width: int, height: int) -> U8:
    """A part [*shape, 3], scaled to three quarters of the picture's height and mirrored until it fills it."""
    part = np.frombuffer(pixels, np.uint8).reshape(*shape, 3)
    scale = max(0.75 * height / part.shape[0], 1.0)
    part = np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    down, across = max(height - part.shape[0], 0), max(width - part.shape[1], 0)
    return np.pad(part, ((0, down), (0, across), (0, 0)), mode="symmetric")[:height, :width]


def _person(height: int, width: int, points_px: F32) -> F32:
    """Where the person is in their picture: soft ellipses around head and shoulders, 0..1."""
    low, high = points_px[:, :2].min(0), points_px[:, :2].max(0)
    (x, y), (w, h) = (low + high) / 2, high - low
    down, across = np.mgrid[:height, :width].astype(np.float32)
    head = ((across - x) / (0.85 * w)) ** 2 + ((down - y + 0.1 * h) / (0.875 * h)) ** 2 < 1.0
    body = ((across - x) / (1.45 * w)) ** 2 + ((down - y - 1.5 * h) / h) ** 2 < 1.0
    mask = np.asarray(head | body, np.float32)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.04 * float(w), 0.7)), np.float32)


def _shelves(width: int = 960, height: int = 540) -> U8:
    """Shelves of books, of all colours and sizes, and a lamp."""
    rng = np.random.default_rng(3)
    rgb = np.full((height, width, 3), (94, 66, 45), np.uint8)
    for bottom in range(100, height + 90, 105):
        x = 6
        while x < width:
            thick, tall = int(rng.integers(7, 26)), int(rng.integers(55, 92))
            colour = tuple(int(value) for value in rng.integers(20, 235, 3))
            cv2.rectangle(rgb, (x, bottom - tall), (x + thick, bottom), colour, -1)
            for _ in range(int(rng.integers(0, 4))):
                y = bottom - int(rng.integers(8, tall))
                cv2.line(
                    rgb, (x + 2, y), (x + thick - 2, y), tuple(int(c) for c in rng.integers(0, 255, 3)), 2
                )
            x += thick + int(rng.integers(0, 5))
    cv2.circle(rgb, (700, 180), 60, (250, 240, 200), -1)
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), 0.8), np.uint8)


@lru_cache(maxsize=2)
def _grain(width: int, height: int) -> npt.NDArray[np.int16]:
    """Noise, int16 [2 height, width, 3]; from another row on it is another picture's."""
    rng = np.random.default_rng(1)
    return np.asarray(rng.normal(0.0, NOISE_LEVELS, (2 * height, width, 3)).round(), np.int16)
