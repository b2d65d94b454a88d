"""Clips for `bench reenact`: every frame tracked and fitted, and the pictures of chosen frames.

Called by `bench.reenact`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError, Notify
from rtfilter.face.fit import FaceFit, FaceState
from rtfilter.face.landmarks import is_plausible, share_inside
from rtfilter.face.model import MorphableModel
from rtfilter.frame import Frame
from rtfilter.sources.base import Source
from rtfilter.sources.demo import DemoSource
from rtfilter.sources.file import FileSource
from rtfilter.system.arrays import U8

F32 = npt.NDArray[np.float32]

DEMO = "demo"
DEMO_FRAMES = 360  # its whole loop
LEAST_FRAMES = 20  # fewer have no first part to learn from
MOST_FRAMES = 3000  # a longer clip is cut there


@dataclass(frozen=True, slots=True)
class Seen:
    """One frame with a face. points_px: float32 [478, 3]. face: fitted with the person's held neutral."""

    number: int
    time_s: float
    points_px: F32
    face: FaceState


@dataclass(frozen=True, slots=True)
class Clip:
    """A tracked clip. test_from: the first frame number of the part that nothing is learned from."""

    path: str
    name: str
    seen: tuple[Seen, ...]
    frames: int
    test_from: int

    @property
    def tested(self) -> tuple[Seen, ...]:
        """The frames with a face in the part that is tested."""
        return tuple(one for one in self.seen if one.number >= self.test_from)

    def pictures(self, numbers: Iterable[int]) -> dict[int, U8]:
        """RGB uint8 [H, W, 3] of the frames with these numbers."""
        wanted = set(numbers)
        found: dict[int, U8] = {}
        if wanted:
            with closing(opened(self.path)) as source:
                for number, frame in numbered(source, max(wanted) + 1):
                    if number in wanted:
                        found[number] = frame.rgb.copy()
        return found

    def lesson(self, step: int = 1) -> Iterator[tuple[U8, Seen]]:
        """Every `step`-th frame with a face of the part before `test_from`, with its picture."""
        first = {one.number: one for one in self.seen if one.number < self.test_from}
        with closing(opened(self.path)) as source:
            for number, frame in numbered(source, self.test_from):
                if number in first and number % step == 0:
                    yield frame.rgb, first[number]


def opened(path: str) -> Source:
    """A file, or the built-in demo at 640 x 480. Raises InputError."""
    if path == DEMO:
        return DemoSource(640, 480, frame_count=DEMO_FRAMES, zoom=1.6)
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file: give a video, or {DEMO}")
    return FileSource(path)


def numbered(source: Source, most: int) -> Iterator[tuple[int, Frame]]:
    """The first `most` frames, counted from 0."""
    for number in range(most):
        frame = source.read()
        if frame is None:
            return
        yield number, frame


def read_clips(paths: Sequence[str], learn_share: float, notify: Notify) -> list[Clip]:
    """Clips of one person, fitted with one neutral, which is learned from their first parts.

    learn_share: 0..1, how much of each clip may be learned from; the rest is tested. Raises InputError for a
    clip that cannot be read, is too short, or holds no face in one of the two parts.
    """
    fit = FaceFit(MorphableModel.builtin())
    neutral, clock_s = fit.first_identity(), 0.0
    tracked: list[tuple[str, list[tuple[int, float, F32]], int, int]] = []
    for path in paths:
        points, frames = _tracked(path)
        test_from = round(learn_share * frames)
        notify(f"{path}: {frames} frames, {len(points)} with a face")
        for number, time_s, points_px in points:
            if number < test_from:
                _, neutral = fit.step(neutral, points_px, clock_s + time_s)
        clock_s += points[-1][1] + 1.0
        tracked.append((path, points, frames, test_from))
    clips = []
    for path, points, frames, test_from in tracked:
        seen = tuple(
            Seen(number, time_s, points_px, fit.step(neutral, points_px, time_s)[0])
            for number, time_s, points_px in points
        )
        clip = Clip(path, Path(path).stem, seen, frames, test_from)
        if not clip.tested or len(clip.tested) == len(seen):
            part = "tested" if not clip.tested else "first"
            raise InputError(f"{path}: no face in the {part} part of {frames} frames: give another clip")
        clips.append(clip)
    return clips


def _tracked(path: str) -> tuple[list[tuple[int, float, F32]], int]:
    """Number, seconds and landmarks of the frames whose face is wholly in the picture; and all frames."""
    from rtfilter.tracking.engine import EngineTracker

    found: list[tuple[int, float, F32]] = []
    frames = 0
    with closing(opened(path)) as source, closing(EngineTracker()) as tracker:
        for number, frame in numbered(source, MOST_FRAMES):
            frames = number + 1
            landmarks = tracker.track(frame)
            if landmarks is None or not is_plausible(landmarks.points_px, frame.width, frame.height):
                continue
            if share_inside(landmarks.points_px, frame.width, frame.height) == 1.0:
                found.append((number, frame.pts_ns * 1e-9, landmarks.points_px.copy()))
    if frames < LEAST_FRAMES:
        raise InputError(
            f"{path}: {frames} frame{'s' * (frames != 1)}, expected a clip of {LEAST_FRAMES} at least"
        )
    if not found:
        raise InputError(f"{path}: no face in any of {frames} frames: give a clip that shows one")
    return found, frames
