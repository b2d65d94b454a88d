"""The renderer's mesh: labels where sharpness matters, and a ring that fades the edit out."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.face import landmarks as lm
from rtfilter.face.deform import Displacement
from rtfilter.kernels.rasterise import EYE_LEFT, EYE_RIGHT, MOUTH, OUTSIDE, SHARP, SKIN
from rtfilter.render.mesh import RING_IOD, RING_SHARE, RingedMesh
from tests.faces import builtin, face_px

MESH = RingedMesh(builtin().triangles, builtin().holes)
OVAL = len(lm.FACE_OVAL)


def test_every_part_has_its_label() -> None:
    counts = {label: int((MESH.labels == label).sum()) for label in range(6)}
    assert counts[MOUTH] == len(builtin().holes["mouth"])
    assert counts[EYE_RIGHT] == counts[EYE_LEFT] == len(builtin().holes["eye_left"])
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
    outer = vertices[-OVAL:, :2]
    oval = vertices[list(lm.FACE_OVAL), :2]
    assert np.abs(areas).sum() / 2 == pytest.approx(area(outer) - area(oval), rel=1e-3), "no overlap"


def area(polygon: np.ndarray) -> float:
    x, y = polygon.T.astype(np.float64)
    return abs(float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())) / 2


def test_the_edit_fades_to_nothing_within_the_ring() -> None:
    offset = np.tile(np.float32([4.0, -2.0]), (lm.LANDMARK_COUNT, 1))
    vertices, offsets = MESH.extend(Displacement(face_px(), offset, 60.0))
    assert len(vertices) == len(offsets) == lm.LANDMARK_COUNT + OVAL * len(RING_IOD)
    assert np.array_equal(offsets[: lm.LANDMARK_COUNT], offset)
    shares = offsets[lm.LANDMARK_COUNT :, 0].reshape(len(RING_IOD), OVAL) / 4.0
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
    assert vertices[lm.LANDMARK_COUNT :, 2].min() > vertices[: lm.LANDMARK_COUNT, 2].max()


def test_a_face_in_one_point_stays_finite() -> None:
    nowhere = np.zeros((lm.LANDMARK_COUNT, 3), np.float32)
    vertices, offsets = MESH.extend(Displacement(nowhere, nowhere[:, :2], 0.0))
    assert np.isfinite(vertices).all()
    assert np.isfinite(offsets).all()
