"""Speakers for the tests of STCCL: smooth talk, the same with a feeling and at another tempo, as tracks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rtfilter.controls import BLENDSHAPE_INDEX
from rtfilter.face.model import MorphableModel
from rtfilter.learn.data.track import SUFFIX, Track

TALK = (
    "jawOpen",
    "mouthPucker",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthClose",
    "mouthUpperUpLeft",
)
FEELING = {
    "happy": ("mouthSmileLeft", "mouthSmileRight", "cheekSquintLeft", "cheekSquintRight"),
    "sad": ("mouthFrownLeft", "mouthFrownRight", "browDownLeft", "browDownRight"),
}
FPS = 25.0


def write(
    folder: Path,
    people: int = 3,
    sentences: int = 2,
    emotions: tuple[str, ...] = ("neutral", "happy", "sad"),
    frames: int = 40,
) -> None:
    """Tracks of each speaker, sentence and emotion, below `folder`."""
    for person in range(people):
        for sentence in range(sentences):
            for emotion in emotions:
                track = make(person, sentence, emotion, frames)
                track.save(folder / f"{track.name}{SUFFIX}")


def make(person: int, sentence: int, emotion: str, frames: int = 40) -> Track:
    """One track. An emotional one is spoken slower or faster than its neutral twin, and knows the match."""
    model = MorphableModel.builtin()
    rng = np.random.default_rng([person, sentence, len(emotion)])
    tempo = 1.0 if emotion == "neutral" else rng.uniform(0.85, 1.15)
    time_s = np.arange(frames) / FPS
    twin_time_s = np.minimum(time_s * tempo, time_s[-1])
    words = np.random.default_rng([sentence, 5])
    expression = np.zeros((frames, 52))
    for name in TALK:
        hertz, phase = words.uniform(1.0, 3.5, 3), words.uniform(0, 6.28, 3)
        wave = np.sin(6.28 * hertz * twin_time_s[:, None] + phase).sum(1)
        expression[:, BLENDSHAPE_INDEX[name]] = np.clip(0.2 + 0.15 * wave, 0.0, 1.0)
    for name in FEELING.get(emotion, ()):
        expression[:, BLENDSHAPE_INDEX[name]] += 0.4
    identity = np.random.default_rng(person).standard_normal(len(model.identity_scale)) * model.identity_scale
    neutral = (model.mean_iod + np.einsum("i,inc->nc", identity, model.identity_basis)).astype(np.float32)
    moved = np.einsum("tk,knc->tnc", expression, model.expression_basis)
    shape = neutral + moved + 0.002 * rng.standard_normal(moved.shape)
    truth = {} if emotion == "neutral" else {
        "twin": np.array(name_of(person, sentence, "neutral")), "twin_time_s": twin_time_s}  # fmt: skip
    return Track(
        name=name_of(person, sentence, emotion), person=f"P{person}", sentence=f"s{sentence}",
        emotion=emotion, level=0.0 if emotion == "neutral" else 1.0, fps=FPS, time_s=time_s,
        expression=expression.astype(np.float32), shape_iod=shape.astype(np.float32), neutral_iod=neutral,
        rotation=np.tile(np.eye(3, dtype=np.float32), (frames, 1, 1)),
        scale_px=np.full(frames, 100, np.float32), truth=truth,
    )  # fmt: skip


def name_of(person: int, sentence: int, emotion: str) -> str:
    """A track's name."""
    return f"P{person}_s{sentence}_{emotion}"
