"""The light on a face and its change, under a light that is known."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX
from rtfilter.face import landmarks as lm
from rtfilter.face.dense import vertex_normals
from rtfilter.face.fit import FaceState
from rtfilter.face.light import BARE_SKIN, LIMIT_LOG, PAINTED, STRENGTH, LightWatch, Shading
from rtfilter.face.model import MorphableModel
from rtfilter.face.pose import Pose

LIGHT = np.array([0.4, -0.15, 0.05, -0.2])  # from the picture's left, and from the camera


SHADING = Shading.of(MorphableModel.builtin())


def face_of(expression: np.ndarray, rotation: np.ndarray | None = None) -> FaceState:
    """The mean face, frontal unless turned, 200 px an IOD."""
    model = MorphableModel.builtin()
    shape = model.mean_iod.astype(np.float64) + model.displacement_iod(expression)
    turn = np.eye(3) if rotation is None else rotation
    pose = Pose(turn, np.array([300.0, 300.0, 0.0]), 200.0)
    return FaceState(pose, np.zeros(1), expression, shape, model.mean_iod.astype(np.float64), 0.0)


def shaded(face: FaceState) -> np.ndarray:
    """Luma 0..1 at its landmarks under LIGHT, by the normals of its own mesh."""
    shape = face.shape_iod.astype(np.float32)
    normals = vertex_normals(shape, outward_triangles()) @ face.pose.rotation.T
    return LIGHT[0] + normals.astype(np.float64) @ LIGHT[1:]


def outward_triangles() -> np.ndarray:
    """Those of the model, each turned so that its normal points to the camera of the frontal mean face."""
    model = MorphableModel.builtin()
    a, b, c = (model.mean_iod[model.triangles[:, k]].astype(np.float64) for k in range(3))
    away = np.cross(b - a, c - a)[:, 2] > 0
    return np.where(away[:, None], model.triangles[:, [0, 2, 1]], model.triangles).astype(np.int32)


@pytest.fixture(scope="module")
def smile() -> tuple[FaceState, FaceState]:
    """A still face and a smiling one."""
    expression = np.zeros(BLENDSHAPE_COUNT)
    for side in ("Left", "Right"):
        expression[BLENDSHAPE_INDEX[f"mouthSmile{side}"]] = 0.8
        expression[BLENDSHAPE_INDEX[f"cheekSquint{side}"]] = 0.6
    return face_of(np.zeros(BLENDSHAPE_COUNT)), face_of(expression)


def watched(luma: np.ndarray, face: FaceState) -> LightWatch:
    watch = LightWatch(SHADING)
    watch.see(luma, face, 0.0)
    return watch


def test_the_light_is_found(smile: tuple[FaceState, FaceState]) -> None:
    for face in smile:
        # Measured: within 0.012 for both.
        np.testing.assert_allclose(watched(shaded(face), face).value, LIGHT, atol=0.03)


def test_the_light_of_a_room_stays_when_the_head_turns() -> None:
    angle = np.radians(20.0)
    turn = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]])
    face = face_of(np.zeros(BLENDSHAPE_COUNT), turn)
    noisy = shaded(face) + np.random.default_rng(0).normal(0.0, 0.02, lm.LANDMARK_COUNT)
    np.testing.assert_allclose(watched(noisy, face).value, LIGHT, atol=0.06)


def test_glasses_and_a_beard_do_not_make_the_light(smile: tuple[FaceState, FaceState]) -> None:
    luma = shaded(smile[0])
    luma[BARE_SKIN[::6]] = 0.05
    np.testing.assert_allclose(watched(luma, smile[0]).value, LIGHT, atol=0.06)


def test_the_shading_of_a_smile_is_foreseen(smile: tuple[FaceState, FaceState]) -> None:
    still, smiling = smile
    offset = smiling.expression - still.expression
    painted = BARE_SKIN[PAINTED[BARE_SKIN] > 0]
    foreseen = SHADING.gain_log(LIGHT.astype(np.float32), still.pose.rotation, offset)[painted]
    seen = np.log(shaded(smiling) / shaded(still))[painted]
    assert np.abs(seen).max() > 0.05  # measured: 0.063
    assert np.corrcoef(foreseen, seen)[0, 1] > 0.95
    assert np.polyfit(seen, foreseen, 1)[0] == pytest.approx(STRENGTH, abs=0.1)


def test_no_edit_or_no_light_changes_nothing(smile: tuple[FaceState, FaceState]) -> None:
    still, smiling = smile
    light, rotation = LIGHT.astype(np.float32), still.pose.rotation
    assert not SHADING.gain_log(light, rotation, np.zeros(BLENDSHAPE_COUNT)).any()
    assert not SHADING.gain_log(LightWatch(SHADING).value, rotation, smiling.expression).any()


def test_the_change_ends_before_the_outline_and_the_inside_of_the_mouth() -> None:
    """An edge would show there."""
    light = np.float32([0.4, 0.3, 0.0, -0.2])
    gain = SHADING.gain_log(light, np.eye(3), np.full(BLENDSHAPE_COUNT, 0.5))
    rims = (*lm.FACE_OVAL, *lm.LIPS_INNER_UPPER, *lm.LIPS_INNER_LOWER, *lm.LIPS_CORNER_LEFT)
    assert not gain[list(rims)].any()
    assert np.abs(gain[[lm.LIPS_OUTER_LOWER[4], 205, 425]]).min() > 0.01  # a lip, both cheeks


def test_the_change_is_limited_and_finite_under_any_light() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        light = rng.normal(0.0, 3.0, 4).astype(np.float32)
        wild = SHADING.gain_log(light, np.eye(3), rng.normal(0.0, 2.0, BLENDSHAPE_COUNT))
        assert np.isfinite(wild).all()
        assert np.abs(wild).max() <= np.float32(LIMIT_LOG)
        assert not wild[lm.SURFACE_COUNT :].any()  # irises


def test_the_watch_is_slow_and_survives_what_is_no_light(smile: tuple[FaceState, FaceState]) -> None:
    still, _ = smile
    luma = shaded(still)
    watch = LightWatch(SHADING)
    assert watch.due(7.0)
    for number in range(12):
        assert watch.due(0.25 * number)
        watch.see(luma, still, 0.25 * number)
        assert not watch.due(0.25 * number + 0.1)
    before = watch.value
    watch.see(0.5 * luma, still, 3.0)
    np.testing.assert_allclose(watch.value, (7 * before + 0.5 * before) / 8, atol=1e-3)
    before = watch.value
    for nothing in (np.zeros_like(luma), np.full_like(luma, np.nan)):
        watch.see(nothing, still, 4.0)
        np.testing.assert_array_equal(watch.value, before)
    assert watch.due(1.0)  # time went back
    watch.reset()
    assert not watch.value.any()
