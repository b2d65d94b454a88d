"""The renderer's mesh: labels where sharpness matters, and a ring that fades the edit out."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.face import landmarks as lm
from rtfilter.face.deform import Displacement
from rtfilter.face.pose import Pose
from rtfilter.kernels.cpu.rasterise import EYE_LEFT, EYE_RIGHT, MOUTH, OUTSIDE, SHARP, SKIN
from rtfilter.render.mesh import RING_IOD, RING_SHARE, RingedMesh
from tests.faces import builtin, coefficients, face_px

MESH = RingedMesh(builtin().triangles, builtin().holes)
STRETCHING = RingedMesh(builtin().triangles, builtin().holes, rigid_parts=False)
OVAL = len(lm.FACE_OVAL)
LIDS = 2 + len(lm.EYE_LEFT_UPPER) + len(lm.EYE_LEFT_LOWER)
RING = slice(lm.LANDMARK_COUNT, lm.LANDMARK_COUNT + OVAL * len(RING_IOD))
CORES = slice(RING.stop, RING.stop + 2 * (LIDS + 1))  # of irises, in the mesh that stretches
LIPS = 2 + len(lm.LIPS_INNER_UPPER) + len(lm.LIPS_INNER_LOWER)
OPENINGS = {MOUTH: (RING.stop, LIPS)}
OPENINGS[EYE_RIGHT] = (RING.stop + 3 * LIPS - 2, LIDS)
OPENINGS[EYE_LEFT] = (OPENINGS[EYE_RIGHT][0] + 3 * LIDS - 2, LIDS)


def test_every_part_has_its_label() -> None:
    counts = {label: int((MESH.labels == label).sum()) for label in range(6)}
    # A strip of two triangles a landmark to the band and one to the core, and three rows within the core.
    assert counts[MOUTH] == 4 * LIPS + 3 * (LIPS - 2)
    assert counts[EYE_RIGHT] == counts[EYE_LEFT] == 4 * LIDS + 3 * (LIDS - 2)
    stretching = {label: int((STRETCHING.labels == label).sum()) for label in range(6)}
    assert stretching[MOUTH] == len(builtin().holes["mouth"])
    assert stretching[EYE_RIGHT] == stretching[EYE_LEFT] == 3 * LIDS
    assert counts[SKIN] == stretching[SKIN]
    assert counts[OUTSIDE] == 2 * OVAL * len(RING_IOD)
    assert counts[SKIN] + counts[SHARP] == len(builtin().triangles)
    assert counts[SKIN] > counts[SHARP] > 50


def test_lips_and_lids_keep_their_edges_and_the_nose_does_not() -> None:
    sharp = {int(i) for i in MESH.triangles[MESH.labels == SHARP].ravel()}
    assert {*lm.LIPS_INNER_UPPER, *lm.EYE_LEFT_UPPER, *lm.EYE_RIGHT_LOWER} <= sharp
    soft = {int(i) for i in MESH.triangles[MESH.labels == SKIN].ravel()}
    assert lm.NOSE_TIP in soft - sharp


def test_the_mesh_covers_the_ring_without_gaps() -> None:
    vertices, _ = MESH.extend(Displacement(face_px(), np.zeros((lm.LANDMARK_COUNT, 2), np.float32), 60.0))
    ring = MESH.triangles[MESH.labels == OUTSIDE]
    a, b, c = (vertices[ring[:, k], :2] for k in range(3))
    areas = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    outer = vertices[RING][-OVAL:, :2]
    oval = vertices[list(lm.FACE_OVAL), :2]
    assert np.abs(areas).sum() / 2 == pytest.approx(area(outer) - area(oval), rel=1e-3), "no overlap"


def test_the_edit_fades_to_nothing_within_the_ring() -> None:
    offset = np.tile(np.float32([4.0, -2.0]), (lm.LANDMARK_COUNT, 1))
    vertices, offsets = MESH.extend(Displacement(face_px(), offset, 60.0))
    assert len(vertices) == len(offsets) == OPENINGS[EYE_LEFT][0] + 3 * LIDS - 2
    assert np.array_equal(offsets[: lm.LANDMARK_COUNT], offset)
    shares = offsets[RING, 0].reshape(len(RING_IOD), OVAL) / 4.0
    assert shares == pytest.approx(np.repeat(np.array(RING_SHARE)[:, None], OVAL, axis=1))
    assert (np.diff([1.0, *RING_SHARE]) < 0).all()
    assert RING_SHARE[-1] == 0.0


def test_vertices_are_where_the_picture_goes() -> None:
    points = face_px()
    offset = np.random.default_rng(0).normal(size=(lm.LANDMARK_COUNT, 2)).astype(np.float32)
    before = points.copy()
    vertices, _ = MESH.extend(Displacement(points, offset, 60.0))
    assert vertices[: lm.LANDMARK_COUNT, :2] == pytest.approx(points[:, :2] + offset)
    assert np.array_equal(points, before)


def test_the_ring_lies_behind_the_face() -> None:
    vertices, _ = MESH.extend(Displacement(face_px(), np.zeros((lm.LANDMARK_COUNT, 2), np.float32), 60.0))
    assert vertices[RING, 2].min() > vertices[: lm.LANDMARK_COUNT, 2].max()


def test_a_face_in_one_point_stays_finite() -> None:
    nowhere = np.zeros((lm.LANDMARK_COUNT, 3), np.float32)
    vertices, offsets = MESH.extend(Displacement(nowhere, nowhere[:, :2], 0.0))
    assert np.isfinite(vertices).all()
    assert np.isfinite(offsets).all()


def area(polygon: np.ndarray) -> float:
    x, y = polygon.T.astype(np.float64)
    return abs(float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())) / 2


def turns(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Twice the signed areas."""
    a, b, c = (points[faces[:, k]].astype(np.float64) for k in range(3))
    return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])


def eyes(**change: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices [V, 2] before and after an edit of a face whose IOD is 100 px, in the mesh that stretches."""
    return extended(STRETCHING, **change)


def extended(mesh: RingedMesh, **change: float) -> tuple[np.ndarray, np.ndarray]:
    pose = Pose(np.eye(3), np.array([160.0, 120.0, 0.0]), 100.0)
    offset = pose.project_vectors(builtin().displacement_iod(coefficients(**change))).astype(np.float32)
    vertices, offsets = mesh.extend(Displacement(face_px(pose), offset, 100.0))
    return vertices[:, :2] - offsets, vertices[:, :2]


@pytest.mark.parametrize("wide", [0.3, 1.0, 1.5, 2.0])
def test_no_triangle_of_an_eye_folds_when_the_lids_widen(wide: float) -> None:
    """A fold would show the eye's highlight twice."""
    before, after = eyes(eyeWide=wide)
    for label in (EYE_LEFT, EYE_RIGHT):
        faces = STRETCHING.triangles[STRETCHING.labels == label]
        assert (turns(before, faces) * turns(after, faces) > 0).all()


@pytest.mark.parametrize("change", [{"eyeSquint": 1.2}, {"eyeBlink": 0.7}, {"eyeWide": 1.0, "eyeLookUp": 1}])
def test_an_eye_that_closes_stays_filled_without_overlap(change: dict[str, float]) -> None:
    before, after = eyes(**change)
    for label in (EYE_LEFT, EYE_RIGHT):
        faces = STRETCHING.triangles[STRETCHING.labels == label]
        lids = faces[::3, 0]
        for points in (before, after):
            filled = np.abs(turns(points, faces)).sum() / 2
            # Measured: 6 % at a blink of 0.7, whose lids cross by a tenth of the opening at the outer corner.
            assert filled == pytest.approx(area(points[lids]), rel=0.08, abs=1.0)


def test_the_middle_of_an_iris_moves_as_one() -> None:
    before, after = eyes(eyeWide=1.0, eyeLookOutLeft=0.5)
    core = CORES.start + LIDS + 1  # the left eye's
    moved = (after - before)[core : core + LIDS + 1]
    assert moved == pytest.approx(np.tile(moved[-1], (LIDS + 1, 1)), abs=1e-4)
    assert np.hypot(*moved[-1]) > 1.0


def test_lids_that_meet_take_the_iris_along_without_a_jump() -> None:
    """The whole way from open to shut in small steps, the mesh follows in small steps."""
    track = np.array([eyes(eyeBlink=t)[1][CORES] for t in np.linspace(0.0, 1.2, 121)])
    assert np.abs(np.diff(track, axis=0)).max() < 1.0, "px of a face of 100 px, a hundredth of a blink each"


def core_of(label: int, points: np.ndarray) -> np.ndarray:
    """The core's vertices of an opening in the rigid mesh, and those of the rows within it."""
    first, count = OPENINGS[label]
    return points[first + count : first + 3 * count - 2]


@pytest.mark.parametrize("label", [EYE_RIGHT, EYE_LEFT])
def test_an_eyeball_moves_as_one_with_its_iris(label: int) -> None:
    before, after = extended(MESH, eyeWide=1.0, eyeLookOutLeft=0.5, eyeLookInRight=0.5)
    moved = core_of(label, after - before)
    assert moved == pytest.approx(np.tile(moved[0], (len(moved), 1)), abs=1e-4)
    iris = list(lm.IRIS_LEFT if label == EYE_LEFT else lm.IRIS_RIGHT)
    assert moved[0] == pytest.approx((after - before)[iris].mean(0), abs=1e-4)
    assert np.hypot(*moved[0]) > 1.0


def test_what_a_mouth_shows_moves_in_two_parts_that_do_not_stretch() -> None:
    before, after = extended(MESH, mouthSmile=1.0, jawOpen=0.3)
    moved, count = core_of(MOUTH, after - before), LIPS // 2 - 1
    upper, lower = moved[1 : 1 + count], moved[count + 2 : 2 * count + 2]
    rows = moved[LIPS:]
    for part in (np.concatenate([upper, rows[:count]]), np.concatenate([lower, rows[count:]])):
        assert part == pytest.approx(np.tile(part[0], (len(part), 1)), abs=1e-4)
    assert lower[0, 1] - upper[0, 1] > 5.0, "the jaw opens"


@pytest.mark.parametrize(
    "change", [{"eyeBlink": 1.0}, {"eyeWide": 1.5}, {"eyeSquint": 1.0}, {"mouthSmile": 1.0}]
)
def test_openings_take_their_picture_from_within_themselves(change: dict[str, float]) -> None:
    """The band's inner edge and the core are drawn from inside the source's opening, never from skin."""
    before, after = extended(MESH, **change)
    for label, (first, count) in OPENINGS.items():
        rim = before[MESH.triangles[MESH.labels == label][: 2 * count : 2, 0]]
        low, high = rim.min(0) - 0.01, rim.max(0) + 0.01
        shown = before[first : first + 3 * count - 2]
        assert (shown >= low).all(), label
        assert (shown <= high).all(), label
        assert np.isfinite(after[first:]).all()
