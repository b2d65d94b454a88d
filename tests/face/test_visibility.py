"""What landmarks keep of an edit: covered parts, and turned heads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX, Controls
from rtfilter.face import landmarks as lm
from rtfilter.face.deform import Displacement
from rtfilter.face.edit import EditState, FaceEditor, Held
from rtfilter.face.fit import FaceFit, FaceState
from rtfilter.face.pose import Pose
from rtfilter.face.skin import SkinMaps
from rtfilter.face.visibility import ALL_PARTS, PARTS, Visibility, part_shares, part_weights
from tests.faces import builtin, face_px, rotation

VISIBILITY = Visibility.of(builtin())
EDITOR = FaceEditor(builtin(), 0.0, SkinMaps.builtin())
LIGHT = np.array([0.4, -0.2, 0.1, -0.15], np.float32)


def turned(yaw_deg: float, pitch_deg: float = 0.0, roll_deg: float = 0.0) -> np.ndarray:
    return VISIBILITY.turned(rotation(yaw_deg, pitch_deg, roll_deg)[:2].ravel())


def without(*names: str) -> np.ndarray:
    parts = ALL_PARTS.copy()
    for name in names:
        parts[PARTS.index(name)] = 0.0
    return parts


def edited(
    yaw_deg: float = 0.0, pitch_deg: float = 0.0, emotion: str = "happy", parts: np.ndarray = ALL_PARTS
) -> tuple[Displacement, Displacement]:
    """A face after some frames: what is shown, and what the basis alone would do."""
    pose = Pose(rotation(yaw_deg, pitch_deg), np.array([160.0, 120.0, 0.0]), 60.0)
    points, controls = face_px(pose), Controls({emotion: 1.0}, mouth=0.0)
    fit, state = FaceFit(builtin()), EDITOR.first_state()
    person = fit.first_identity()
    for k in range(3):
        face, person = fit.step(person, points, k / 30)
        offset, state = EDITOR.step(state, face, controls, 1.0, k / 30)
    held = Held(face, points, offset, 1.0, LIGHT, parts)
    return EDITOR.displace(state, held), plain(state, face, offset)


def plain(state: EditState, face: FaceState, offset: np.ndarray) -> Displacement:
    matrix = face.pose.scale_px_per_iod * state.strength * state.motion.value[BLENDSHAPE_COUNT:].reshape(2, 3)
    offset_px = builtin().edited_iod(offset) @ matrix.T
    weights = SkinMaps.builtin().weights(face.expression, offset) * np.float32(state.strength)
    gain = EDITOR.shading.gain_log(LIGHT, face.pose.rotation, offset) * np.float32(state.strength)
    return Displacement(face_px(), offset_px.astype(np.float32), 60.0, weights, gain)


def test_weights_of_parts_are_shares_smooth_and_mirrored() -> None:
    weights, model = part_weights(), builtin()
    assert weights.shape == (lm.LANDMARK_COUNT, len(PARTS))
    assert weights.min() >= 0.0
    assert weights.sum(1) == pytest.approx(1.0, abs=1e-6)
    other = [name.replace("right", "*").replace("left", "right").replace("*", "left") for name in PARTS]
    mirrored = weights[model.mirror][:, [PARTS.index(name) for name in other]]
    assert np.abs(mirrored - weights).max() < 1e-5
    edges = np.concatenate([model.triangles[:, [k, (k + 1) % 3]] for k in range(3)])
    length = np.linalg.norm(model.mean_iod[edges[:, 0]] - model.mean_iod[edges[:, 1]], axis=1)
    change = np.abs(weights[edges[:, 0]] - weights[edges[:, 1]]).max(1)
    assert (change / length).max() < 14.0  # from all to nothing takes 7 % of an IOD at least; 11.6 measured


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("brow_right", (*lm.BROW_RIGHT_UPPER, *lm.BROW_RIGHT_LOWER, 103)),
        ("brow_left", (*lm.BROW_LEFT_UPPER, *lm.BROW_LEFT_LOWER, 332)),
        ("eye_right", (*lm.EYE_RIGHT_UPPER, *lm.EYE_RIGHT_LOWER, *lm.IRIS_RIGHT)),
        ("eye_left", (*lm.EYE_LEFT_UPPER, *lm.EYE_LEFT_LOWER, *lm.IRIS_LEFT)),
        ("nose", (lm.NOSE_TIP, 4, 195)),
        ("cheek_right", (205, 50, 123)),
        ("cheek_left", (425, 280, 352)),
        ("mouth", (*lm.LIPS_INNER_UPPER, *lm.LIPS_INNER_LOWER, *lm.LIPS_CORNER_LEFT)),
        ("chin", (lm.CHIN, 175)),
    ],
)
def test_a_part_is_where_its_name_says(name: str, rows: tuple[int, ...]) -> None:
    assert part_weights()[list(rows), PARTS.index(name)].min() > 0.85


def test_a_frontal_head_is_edited_as_if_nothing_could_be_turned_away() -> None:
    for yaw_deg, pitch_deg in ((0.0, 0.0), (20.0, 0.0), (-20.0, 0.0), (14.0, 14.0), (0.0, -20.0)):
        assert (turned(yaw_deg, pitch_deg) == 1.0).all()
    assert (part_shares(ALL_PARTS) == 1.0).all()
    assert (VISIBILITY.coefficients(ALL_PARTS) == 1.0).all()
    shown, basis = edited(18.0)
    assert shown.offset_px == pytest.approx(basis.offset_px, abs=1e-5)
    assert np.array_equal(shown.skin_weights, basis.skin_weights)
    assert np.array_equal(shown.gain_log, basis.gain_log)


def seen_at(yaw_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Places of the mean face's landmarks in the picture, in IODs, [478, 2], x growing to the side of the
    nose; and whether they belong to the near half."""
    places = builtin().mean_iod @ rotation(yaw_deg)[:2].T * np.array([np.sign(yaw_deg), 1.0])
    return places, builtin().mean_iod[:, 0] * np.sign(yaw_deg) < -0.3


@pytest.mark.parametrize("yaw_deg", [45.0, -45.0, 55.0])
def test_a_turned_head_keeps_its_near_half_and_lets_go_of_its_far_outline(yaw_deg: float) -> None:
    share, (places, near) = turned(yaw_deg), seen_at(yaw_deg)
    assert share[near].min() > 0.95
    for row in np.arange(-0.5, 0.8, 0.1):  # from the forehead to the chin
        level = np.abs(places[:, 1] - row) < 0.08
        outline = places[level, 0].max()
        assert share[level][places[level, 0] > outline - 0.03].max() < (0.12 if abs(yaw_deg) < 50.0 else 0.3)
        assert share[level].max() > 0.95


def test_the_share_falls_towards_the_outline() -> None:
    share, places = turned(45.0), seen_at(45.0)[0]
    lips = np.array(lm.LIPS_INNER_UPPER)
    assert (np.diff(share[lips][np.argsort(places[lips, 0])]) <= 1e-6).all()
    assert share[lips].max() == 1.0
    assert share[lips].min() < 0.6


def test_the_share_is_mirrored_with_the_head() -> None:
    for yaw_deg, pitch_deg in ((30.0, 0.0), (45.0, 20.0), (60.0, -10.0)):
        one, other = turned(yaw_deg, pitch_deg), turned(-yaw_deg, pitch_deg)
        assert np.abs(one[builtin().mirror] - other).max() < 1e-5
    # Turning the picture hides nothing.
    assert turned(45.0, 10.0, 30.0) == pytest.approx(turned(45.0, 10.0), abs=1e-6)


def test_the_share_is_smooth_over_the_mesh_and_in_time() -> None:
    edges = np.concatenate([builtin().triangles[:, [k, (k + 1) % 3]] for k in range(3)])
    length_iod = np.linalg.norm(builtin().mean_iod[edges[:, 0]] - builtin().mean_iod[edges[:, 1]], axis=1)
    before = turned(0.0)
    for yaw_deg in np.arange(0.5, 70.0, 0.5):
        now = turned(float(yaw_deg))
        assert np.abs(now - before).max() < 0.06  # per half a degree
        change = np.abs(now[edges[:, 0]] - now[edges[:, 1]]) / length_iod
        assert change.max() < 11.0  # from all to nothing takes 9 % of an IOD at least; 9.5 measured
        before = now


def test_lips_and_brows_keep_one_share() -> None:
    """Closed lips stay closed and brow hair is not stretched, however the head is turned and covered."""
    shares = [turned(yaw, pitch) for yaw in (30.0, 45.0, 55.0) for pitch in (0.0, 20.0, -20.0)]
    shares += [part_shares(without(name)) for name in PARTS]
    for share in shares:
        for one, other in (
            (lm.LIPS_INNER_UPPER, lm.LIPS_INNER_LOWER),
            (lm.BROW_RIGHT_UPPER, lm.BROW_RIGHT_LOWER),
            (lm.BROW_LEFT_UPPER, lm.BROW_LEFT_LOWER),
        ):
            assert share[list(one)] == pytest.approx(share[list(other)], abs=1e-6)


@pytest.mark.parametrize("yaw_deg", [45.0, 54.0])
def test_strength_lasts_to_55_degrees(yaw_deg: float) -> None:
    shown, basis = edited(yaw_deg)
    assert float(np.abs(basis.offset_px).max()) > 1.0
    near = seen_at(yaw_deg)[1]
    least_px = 0.95 * np.linalg.norm(basis.offset_px[near], axis=1) - 1e-4
    assert (np.linalg.norm(shown.offset_px[near], axis=1) >= least_px).all()


def test_beyond_70_degrees_nothing_is_left() -> None:
    shown, _ = edited(72.0)
    assert not shown.offset_px.any()
    assert not shown.gain_log.any()


def test_a_covered_mouth_lets_go_while_brows_stay() -> None:
    whole, _ = edited(emotion="surprised")
    shown, _ = edited(emotion="surprised", parts=without("mouth", "chin"))
    lips, brows = list(lm.LIPS_INNER_LOWER), list(lm.BROW_RIGHT_UPPER)
    assert np.abs(shown.offset_px[lips]).max() < 0.03 * np.abs(whole.offset_px[lips]).max()
    assert shown.offset_px[brows] == pytest.approx(whole.offset_px[brows], abs=1e-3)
    assert np.abs(shown.gain_log[lips]).max() <= np.abs(whole.gain_log[lips]).max()


def test_folds_of_covered_parts_fade_with_them() -> None:
    smile, frown = BLENDSHAPE_INDEX["mouthSmileLeft"], BLENDSHAPE_INDEX["browDownLeft"]
    kept = VISIBILITY.coefficients(without("mouth", "cheek_left", "cheek_right", "chin", "nose"))
    assert kept[smile] < 0.15
    assert kept[frown] > 0.85
    assert VISIBILITY.coefficients(np.zeros_like(ALL_PARTS)) == pytest.approx(0.0, abs=1e-6)


def test_nothing_is_left_when_all_parts_are_covered() -> None:
    shown, _ = edited(emotion="angry", parts=np.zeros_like(ALL_PARTS))
    for array in (shown.offset_px, shown.skin_weights, shown.gain_log):
        assert np.abs(array).max() < 1e-5


def test_another_model_has_its_own_visibility() -> None:
    flat = replace(builtin(), mean_iod=builtin().mean_iod * np.array([1, 1, 0.2], np.float32))
    assert np.abs(Visibility.of(flat).table - VISIBILITY.table).max() > 0.1
