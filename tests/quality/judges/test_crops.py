"""Crops: known points of the picture land where they should, in the right colours and without aliasing."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from rtfilter.quality.judges import crops
from tests.quality.judges.nets import face_points, plain


def dotted(at: np.ndarray, colour: tuple[int, int, int] = (255, 40, 0), half: int = 3) -> np.ndarray:
    """A grey picture with a dot of 2 half + 1 pixels whose centre is at `at` (pixel centres at +0.5)."""
    picture = plain(90)
    x, y = np.floor(at).astype(int)
    picture[y - half : y + half + 1, x - half : x + half + 1] = colour
    return picture


def centre_of(crop: np.ndarray) -> np.ndarray:
    """Centre of what is red, in pixels."""
    weight = np.maximum(crop[..., 0].astype(float) - 95, 0)
    rows, columns = np.indices(weight.shape)
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum() + 0.5


@pytest.mark.parametrize("roll_deg", [0.0, 25.0, -40.0])
def test_the_square_is_centred_and_upright_on_the_face(roll_deg: float) -> None:
    points = face_points(60.0, (160.5, 90.5), roll_deg)
    where = crops.square(points, 2.0, 0.3, 64)
    turn = np.deg2rad(roll_deg)
    down, across = np.array([-np.sin(turn), np.cos(turn)]), np.array([np.cos(turn), np.sin(turn)])
    middle = np.array([160.5, 90.5]) + 0.3 * 60 * down
    for shift, expected in ((0 * down, (32, 32)), (30 * down, (32, 48)), (30 * across, (48, 32))):
        place = np.floor(middle + shift) + 0.5
        offset = where @ [*place, 1.0]
        np.testing.assert_allclose(offset, expected, atol=0.8)  # the dot sits on whole pixels
        np.testing.assert_allclose(centre_of(crops.cut(dotted(place), where, 64)), offset, atol=0.15)


def test_a_turned_head_is_no_smaller() -> None:
    points = face_points(60.0)
    turned = points.copy()
    # 60 degrees of yaw: half as wide in the picture, the rest in depth.
    turned[:, 0] = (points[:, 0] - 160) * 0.5 + 160
    turned[:, 2] = (points[:, 0] - 160) * np.sqrt(0.75)
    scales = [np.hypot(*crops.square(one, 2.0, 0.3, 64)[:, 0]) for one in (points, turned)]
    assert scales[0] == pytest.approx(scales[1], rel=1e-5)


def test_similarity_recovers_a_known_one_and_never_mirrors() -> None:
    rng = np.random.default_rng(3)
    points = rng.normal(0, 30, (5, 2))
    known = np.array([[0.6, -0.8, 12.0], [0.8, 0.6, -5.0]]) * [[1.7, 1.7, 1.0]]
    np.testing.assert_allclose(
        crops.similarity(points, points @ known[:, :2].T + known[:, 2]), known, atol=1e-9
    )
    mirrored = crops.similarity(points, points * [-1, 1])
    assert np.linalg.det(mirrored[:, :2]) > 0.0


def test_a_face_of_the_template_is_aligned_onto_it() -> None:
    from rtfilter.face import landmarks as lm

    points = np.zeros((lm.LANDMARK_COUNT, 3), np.float32)
    template = crops.ARCFACE_PX * 1.9 + [40.0, 11.0]
    for index, place in zip(
        (lm.EYE_RIGHT_CORNERS, lm.EYE_LEFT_CORNERS, lm.NOSE_TIP, lm.MOUTH_CORNER_RIGHT, lm.MOUTH_CORNER_LEFT),
        template,
        strict=True,
    ):
        points[list(index) if isinstance(index, tuple) else index, :2] = place
    where = crops.arcface(points)
    np.testing.assert_allclose(template @ where[:, :2].T + where[:, 2], crops.ARCFACE_PX, atol=1e-3)
    half = crops.arcface(points, 56)
    np.testing.assert_allclose(half, where / 2, atol=1e-6)


def test_shrinking_averages_instead_of_aliasing() -> None:
    checks = (np.indices((200, 320)).sum(0) % 2 * 255).astype(np.uint8)
    crop = crops.cut(np.repeat(checks[..., None], 3, 2), crops.square(face_points(), 2.0, 0.24, 20), 20)
    assert np.abs(crop.astype(int) - 127).max() < 20  # sampled, it would be 0 and 255


def test_beyond_the_picture_the_border_goes_on() -> None:
    crop = crops.cut(plain((10, 200, 30)), crops.square(face_points(80.0, (2.0, 2.0)), 3.0, 0.0, 32), 32)
    assert (crop == (10, 200, 30)).all()


@pytest.mark.skipif(importlib.util.find_spec("dlib") is None, reason="needs the package dlib-bin")
def test_the_chip_is_the_one_that_dlib_cuts() -> None:
    import dlib

    rng = np.random.default_rng(5)
    smooth = np.kron(rng.integers(0, 255, (25, 40, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    points = face_points(70.0, (160.0, 80.0), 12.0)
    used = [263, 362, 33, 133, 2]
    points[used, :2] = np.round(points[used, :2])
    shape = dlib.full_object_detection(
        dlib.rectangle(0, 0, 9, 9), [dlib.point(int(x), int(y)) for x, y in points[used, :2]]
    )
    theirs = dlib.get_face_chip(smooth, shape, 150, 0.25)
    points[:, :2] += 0.5  # dlib's pixel centres are at integers
    ours = crops.cut(smooth, crops.dlib(points), 150)
    differences = {
        (x, y): float(np.abs(np.roll(ours, (y, x), (0, 1)).astype(int) - theirs)[20:-20, 20:-20].mean())
        for x in (-1, 0, 1)
        for y in (-1, 0, 1)
    }
    assert min(differences, key=lambda shift: differences[shift]) == (0, 0)
    assert differences[0, 0] < 6.0
