"""The light stage of `bench reenact` under a light that is known."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from rtfilter.bench.reenact_light import LIMIT_LOG, estimate, gain_log, luma_at, normals_of
from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX
from rtfilter.face import landmarks as lm
from rtfilter.face.fit import FaceState
from rtfilter.face.model import MorphableModel
from rtfilter.face.pose import Pose
from rtfilter.render.unwrap import Unwrapper, paint

LIGHT = np.array([0.4, -0.15, 0.05, -0.2])  # from the picture's left, and from the camera


def face_of(expression: np.ndarray) -> FaceState:
    """The mean face, frontal, 200 px an IOD."""
    model = MorphableModel.builtin()
    shape = model.mean_iod.astype(np.float64) + model.displacement_iod(expression)
    pose = Pose(np.eye(3), np.array([300.0, 300.0, 0.0]), 200.0)
    return FaceState(pose, np.zeros(1), expression, shape, model.mean_iod.astype(np.float64), 0.0)


def lit(face: FaceState) -> np.ndarray:
    """A picture of it under LIGHT, shaded at the landmarks and smooth between them."""
    model = MorphableModel.builtin()
    luma = np.zeros((lm.LANDMARK_COUNT, 1), np.float32)
    luma[: lm.SURFACE_COUNT, 0] = 255.0 * (LIGHT[0] + normals_of(face) @ LIGHT[1:])
    texture = Unwrapper(256, model.triangles).positions(luma)
    points = face.pose.project(face.shape_iod).astype(np.float32)
    picture, covered = paint(texture, points, model.triangles, 600, 600)
    grey = np.where(covered > 0, picture[..., 0], 128.0)
    return np.repeat(np.clip(np.rint(grey), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.fixture(scope="module")
def smile() -> tuple[FaceState, FaceState]:
    """A still face and a smiling one."""
    expression = np.zeros(BLENDSHAPE_COUNT)
    for side in ("Left", "Right"):
        expression[BLENDSHAPE_INDEX[f"mouthSmile{side}"]] = 0.8
        expression[BLENDSHAPE_INDEX[f"cheekSquint{side}"]] = 0.6
    return face_of(np.zeros(BLENDSHAPE_COUNT)), face_of(expression)


def test_the_light_is_found(smile: tuple[FaceState, FaceState]) -> None:
    found = estimate(lit(smile[0]), smile[0])
    # Measured: 0.049 off: on a face ambient light and light from the front are much alike.
    np.testing.assert_allclose(found, LIGHT, atol=0.06)
    np.testing.assert_allclose(found[1:3], LIGHT[1:3], atol=0.02)


def test_the_shading_of_a_smile_is_foreseen(smile: tuple[FaceState, FaceState]) -> None:
    still, smiling = smile
    offset = smiling.expression - still.expression
    foreseen = gain_log(LIGHT, still, offset, 1.0)[: lm.SURFACE_COUNT]
    luma = [
        luma_at(lit(face), face.pose.project(face.shape_iod)[: lm.SURFACE_COUNT], 200.0)
        for face in (still, smiling)
    ]
    seen = np.log(luma[1] / luma[0])
    cheeks = [50, 280, 205, 425, 203, 423, 216, 436, 207, 427]
    assert np.abs(seen[cheeks]).max() > 0.02
    assert np.corrcoef(foreseen[cheeks], seen[cheeks])[0, 1] > 0.9


def test_no_edit_no_light_and_never_more_than_the_limit(smile: tuple[FaceState, FaceState]) -> None:
    still, _ = smile
    assert not gain_log(LIGHT, still, np.zeros(BLENDSHAPE_COUNT), 1.0).any()
    wild = gain_log(np.array([0.05, 0.9, 0.9, -0.1]), still, np.ones(BLENDSHAPE_COUNT), 5.0)
    assert np.isfinite(wild).all()
    assert np.abs(wild).max() <= np.float32(LIMIT_LOG)
    assert not wild[lm.SURFACE_COUNT :].any()  # irises


def test_a_turned_head_keeps_the_rooms_light(smile: tuple[FaceState, FaceState]) -> None:
    still, _ = smile
    angle = np.radians(20.0)
    turn = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]])
    turned = replace(still, pose=replace(still.pose, rotation=turn))
    noisy = lit(turned).astype(np.float32) + np.random.default_rng(0).normal(0, 4, (600, 600, 1))
    found = estimate(np.clip(cv2.GaussianBlur(noisy, (3, 3), 0), 0, 255).astype(np.uint8), turned)
    np.testing.assert_allclose(found, LIGHT, atol=0.05)
