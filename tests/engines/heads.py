"""Sequences of landmarks: synthetic heads that do what people do, and people from the footage."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rtfilter.face.pose import Pose
from rtfilter.sources.file import FileSource
from rtfilter.tracking.engine import EngineTracker
from tests.faces import coefficients, noisy, person, rotation, with_expression

F32 = npt.NDArray[np.float32]
SIZE = (640, 480)
FPS = 30.0


def head(seed: int, frames: int) -> list[F32]:
    """A person who talks with pauses, smiles, blinks, turns away as far as 75 degrees, looks down and leaves
    the picture by half."""
    rng = np.random.default_rng(seed)
    neutral, answers = person(rng), []
    for k in range(frames):
        t = k / FPS
        talking = max(0.0, np.sin(6 * np.pi * t)) * (t % 1.5 < 1.0)
        expression = coefficients(
            jawOpen=0.5 * talking,
            mouthPucker=0.3 * talking,
            mouthSmile=0.8 * (t % 4.0 > 3.0),
            eyeBlink=float(t % 2.0 < 0.15),
            browInnerUp=0.4 * (t % 3.0 > 2.0),
        )
        view = (75 * np.sin(0.9 * t + seed), 30 * np.sin(0.7 * t), 20 * np.sin(1.3 * t))
        place = np.array([320 + 300 * np.sin(0.5 * t), 240.0 + 60 * np.sin(0.4 * t), 20.0])
        pose = Pose(rotation(*view), place, 90.0 + 30 * np.sin(0.3 * t))
        answers.append(noisy(pose.project(with_expression(neutral, expression)), rng, 0.3))
    return answers


@lru_cache(maxsize=8)
def tracked(path: Path, frames: int) -> tuple[list[F32], tuple[int, int]]:
    """What MediaPipe sees in the first frames of a clip, and the clip's width and height."""
    source, tracker, answers = FileSource(path), EngineTracker(), []
    try:
        while len(answers) < frames and (frame := source.read()) is not None:
            landmarks = tracker.track(frame)
            assert landmarks is not None, "expected a clip with a face in every frame"
            answers.append(landmarks.points_px)
            size = frame.width, frame.height
    finally:
        source.close()
        tracker.close()
    return answers, size
