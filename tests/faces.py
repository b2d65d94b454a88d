"""Synthetic faces: the built-in model, posed, with an expression and a person's own features."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX
from rtfilter.face.emotion import Target
from rtfilter.face.model import MorphableModel
from rtfilter.face.pose import Pose
from rtfilter.frame import Frame
from rtfilter.tracking.base import Landmarks

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

REFLECT = np.array([-1.0, 1.0, 1.0])


def offset_of(amounts: F64, expression: F64) -> F64:
    """The offset [52] of emotion intensities [8] on top of an expression [52]."""
    return Target.of_mix(amounts).offset(expression)


@lru_cache(maxsize=1)
def builtin() -> MorphableModel:
    return MorphableModel.builtin()


def rotation(yaw_deg: float = 0.0, pitch_deg: float = 0.0, roll_deg: float = 0.0) -> F64:
    """Pitch, then yaw, then roll; signs as in Pose.yaw_pitch_roll_deg."""
    yaw, pitch, roll = np.radians([yaw_deg, pitch_deg, roll_deg])
    about_y = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def angle_deg(a: F64, b: F64) -> float:
    """The angle between two rotations."""
    return float(np.degrees(np.arccos(np.clip((np.trace(a.T @ b) - 1.0) / 2.0, -1.0, 1.0))))


def coefficients(**amounts: float) -> F64:
    """Coefficients [52] by name; a name without its side stands for both."""
    out = np.zeros(BLENDSHAPE_COUNT)
    for name, amount in amounts.items():
        for side in ("",) if name in BLENDSHAPE_INDEX else ("Left", "Right"):
            out[BLENDSHAPE_INDEX[name + side]] = amount
    return out


def person(rng: np.random.Generator, spread: float = 0.5, free_iod: float = 0.004) -> F64:
    """A neutral [478, 3] unlike the mean: identity basis, and features that it does not know."""
    model = builtin()
    identity = spread * rng.normal(size=len(model.identity_scale)) * model.identity_scale
    known = np.einsum("i,inc->nc", identity, model.identity_basis)
    return np.asarray(model.mean_iod + known + rng.normal(0.0, free_iod, model.mean_iod.shape))


def with_expression(neutral_iod: F64, expression: F64) -> F64:
    return np.asarray(neutral_iod + np.einsum("e,enc->nc", expression, builtin().expression_basis))


def noisy(points_px: F64, rng: np.random.Generator, noise_px: float) -> F32:
    """As a tracker scatters: z three times as much as x and y."""
    scatter = rng.normal(0.0, 1.0, points_px.shape) * (noise_px * np.array([1.0, 1.0, 3.0]))
    return np.asarray(points_px + scatter, np.float32)


def face_px(
    pose: Pose | None = None, expression: F64 | None = None, width: int = 320, height: int = 240
) -> F32:
    """The mean face's landmarks in the middle of a picture, an IOD of about a quarter of its height."""
    pose = pose or Pose(np.eye(3), np.array([width / 2, height / 2, 0.0]), height / 4)
    shape = with_expression(builtin().mean_iod.astype(np.float64), coefficients())
    if expression is not None:
        shape = with_expression(shape, expression)
    return np.asarray(pose.project(shape), np.float32)


def texture(width: int = 320, height: int = 240, seed: int = 0) -> npt.NDArray[np.uint8]:
    """A picture with detail everywhere: smooth colours, and structure down to three pixels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    planes = []
    for _ in range(3):
        plane = np.full((height, width), 128.0)
        for period in (3.3, 5.0, 11.0, 60.0):
            angle, phase = rng.uniform(0, 2 * np.pi, 2)
            plane += 26 * np.sin(2 * np.pi * (np.cos(angle) * x + np.sin(angle) * y) / period + phase)
        planes.append(plane)
    return np.ascontiguousarray(np.stack(planes, axis=2).round().clip(0, 255).astype(np.uint8))


class ScriptedTracker:
    """A tracker that answers by the frame's number from a list; beyond its end the last answer holds."""

    def __init__(self, answers: list[F32 | None]) -> None:
        self.answers = answers
        self.resets = 0
        self.closed = 0

    def track(self, frame: Frame) -> Landmarks | None:
        points = self.answers[min(frame.seq, len(self.answers) - 1)]
        return None if points is None else Landmarks(points.copy(), 1.0)

    def reset(self) -> None:
        self.resets += 1

    def close(self) -> None:
        self.closed += 1
