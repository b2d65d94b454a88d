"""Small tracks of synthetic speakers for the editor's tests: made in milliseconds, with exact twins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPES, EMOTIONS
from rtfilter.face.mouth import lip_gaps
from rtfilter.learn.data.track import SUFFIX, Track
from rtfilter.learn.editor.network import EditorNetwork, Sizes
from tests.faces import coefficients, person, with_expression

FPS = 25.0
FRAMES = 50


def random_network(seed: int = 0, sizes: Sizes | None = None) -> EditorNetwork:
    """A network whose every weight counts."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = EditorNetwork(sizes or Sizes(), rng.normal(0.0, 0.4, (len(EMOTIONS), BLENDSHAPE_COUNT)))
    torch.nn.init.normal_(network.last.weight, std=0.1)
    return network


def spoken(rng: np.random.Generator) -> np.ndarray:
    """Coefficients [FRAMES, 52] of a mouth that opens, closes and rounds."""
    t = np.arange(FRAMES) / FPS
    beat, phase = rng.uniform(2.0, 3.5), rng.uniform(0.0, 2.0 * np.pi)
    opening = np.maximum(np.sin(2.0 * np.pi * beat * t + phase), 0.0)
    rounding = np.maximum(np.sin(2.0 * np.pi * 0.7 * beat * t), 0.0)
    return np.array(
        [coefficients(jawOpen=0.5 * a, mouthPucker=0.6 * b) for a, b in zip(opening, rounding, strict=True)]
    )


def track(
    name: str, who: str, neutral: np.ndarray, expression: np.ndarray, emotion: str, level: float, twin: str
) -> Track:
    """A track of exact coefficients; `twin` is the name of the neutral one, said at the same time."""
    shape = np.array([with_expression(neutral, one) for one in expression])
    time_s = np.arange(len(expression)) / FPS
    truth = {} if not twin else {"twin": np.array(twin), "twin_time_s": time_s}
    turned = np.tile(np.eye(3, dtype=np.float32), (len(expression), 1, 1))
    return Track(
        name, who, "s00", emotion, level, FPS, time_s, expression.astype(np.float32),
        shape.astype(np.float32), neutral.astype(np.float32), turned,
        np.full(len(expression), 100.0, np.float32), truth=truth,
    )  # fmt: skip


def takes(number: int, emotions: tuple[str, ...] = ("happy", "angry")) -> list[Track]:
    """One speaker's neutral take and its twins, whose mouth changes the more the farther it is open."""
    rng = np.random.default_rng(number)
    neutral, speech, who = person(rng, free_iod=0.001), spoken(rng), f"P{number}"
    plain = track(f"{who}_neutral", who, neutral, speech, "neutral", 0.0, "")
    gaps = np.array([lip_gaps(one)[4] for one in plain.shape_iod])
    opened = np.clip(gaps / 0.15, 0.0, 1.0)[:, None]
    felt = {
        "happy": coefficients(mouthSmile=0.6, cheekSquint=0.5),
        "angry": coefficients(browDown=0.8, eyeSquint=0.4),
    }
    found = [plain]
    for emotion in emotions:
        mouth = np.array([name.startswith("mouth") for name in BLENDSHAPES])
        change = felt[emotion] * np.where(mouth, 0.4 + 0.6 * opened, 1.0) * rng.uniform(0.9, 1.1)
        told = np.clip(speech + change, 0.0, 1.0)
        found.append(track(f"{who}_{emotion}", who, neutral, told, emotion, 1.0, plain.name))
    return found


def write_tracks(folder: Path, people: int = 3, emotions: tuple[str, ...] = ("happy", "angry")) -> Path:
    """Tracks of so many speakers in a folder, which is returned."""
    for number in range(people):
        for one in takes(number, emotions):
            one.save(folder / f"{one.name}{SUFFIX}")
    return folder
