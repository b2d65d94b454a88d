"""Composed pictures: the truth is where something was drawn, and what belongs to a face is not covered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `learn` (PyTorch)")

from rtfilter.errors import InputError, UsageError
from rtfilter.learn.occlusion import marks
from rtfilter.learn.occlusion.compose import KINDS, NAMES, NOTHING, PIECE, Composer
from rtfilter.learn.occlusion.footage import Footage, View
from rtfilter.learn.occlusion.glasses import any_frame, reflections, rims
from rtfilter.learn.occlusion.rooms import replace_room
from rtfilter.learn.occlusion.scene import SIDE, Layer, Scene, plain
from rtfilter.learn.occlusion.squares import SUFFIX, Squares

EYES = (33, 263)


@pytest.fixture(scope="module")
def footage(squares: Path) -> Footage:
    return Footage(squares, (), (), measured=False)


@pytest.fixture
def scene(footage: Footage) -> Scene:
    return footage.scene(0, 0, View())


@pytest.mark.parametrize("kind", KINDS)
def test_a_drawn_occluder_covers_some_of_the_picture_and_not_all(kind: str, footage: Footage) -> None:
    draw, covered = KINDS[kind][1], []
    for seed in range(5):
        layer = draw(np.random.default_rng(seed), footage.scene(0, 0, View()))
        assert layer.colour.shape == (SIDE, SIDE, 3)
        assert layer.alpha.shape == (SIDE, SIDE)
        assert 0.0 <= layer.alpha.min() <= layer.alpha.max() <= 1.0
        assert np.isfinite(layer.colour).all()
        covered.append(float(layer.alpha.mean()))
    assert max(covered) > 0.002
    assert min(covered) < 0.9


def test_a_layer_changes_what_it_covers_and_nothing_else(scene: Scene) -> None:
    before = scene.rgb.copy()
    alpha = np.zeros((SIDE, SIDE), np.float32)
    alpha[50:80, 60:90] = 1.0
    scene.paste(Layer(plain([0.1, 0.2, 0.3]), alpha))
    inside = alpha > 0.0
    np.testing.assert_array_equal(scene.rgb[~inside], before[~inside])
    np.testing.assert_allclose(scene.rgb[inside], np.broadcast_to([0.1, 0.2, 0.3], (900, 3)), atol=1e-6)
    np.testing.assert_array_equal(scene.occluder, alpha)


def test_moving_and_soft_layers_keep_their_amount() -> None:
    alpha = np.zeros((SIDE, SIDE), np.float32)
    alpha[80:110, 80:110] = 1.0
    layer = Layer(plain([0.2, 0.9, 0.4]), alpha)
    for other in (layer.moving(0.7, 15.0), layer.softened(2.0)):
        assert other.alpha.sum() == pytest.approx(alpha.sum(), rel=1e-3)
        solid = other.alpha > 0.05
        np.testing.assert_allclose(
            other.colour[solid], np.broadcast_to([0.2, 0.9, 0.4], (solid.sum(), 3)), atol=1e-3
        )


def test_marks_of_a_face_cover_nothing(footage: Footage) -> None:
    for seed in range(12):
        scene = footage.scene(0, 0, View())
        before = scene.rgb.copy()
        marks.mark(np.random.default_rng(seed), scene)
        assert not scene.occluder.any()
        assert (scene.rgb != before).any()


def test_glasses_are_rims_and_no_occluders(footage: Footage) -> None:
    for seed in range(8):
        rng, scene = np.random.default_rng(seed), footage.scene(0, 0, View())
        frame = any_frame(rng)
        reflections(rng, scene, frame)
        scene.paste(rims(rng, scene, frame), occludes=False)
        assert not scene.occluder.any()
        assert 0.0005 < scene.rims.mean() < 0.15
        rows, columns = np.nonzero(scene.rims > 0.5) if (scene.rims > 0.5).any() else np.nonzero(scene.rims)
        eyes = scene.points[list(EYES), :2].mean(0)
        apart = float(np.linalg.norm(np.diff(scene.points[list(EYES), :2], axis=0)))
        assert abs(columns.mean() - eyes[0]) < 0.25 * apart
        assert abs(rows.mean() - eyes[1]) < 0.4 * apart


def test_another_room_leaves_the_person(scene: Scene, footage: Footage) -> None:
    before, person = scene.rgb.copy(), scene.background < 1e-3
    replace_room(np.random.default_rng(1), scene, footage.other)
    changed = np.abs(scene.rgb - before).max(2)
    assert changed[scene.background > 0.999].mean() > 0.02
    inner = person & (np.abs(scene.points[4, 1] - np.arange(SIDE))[:, None] < 30)
    assert changed[inner].max() < 0.31 * before.max()  # the soft border alone is dimmed


def test_a_mirrored_view_has_its_landmarks_on_the_face(footage: Footage) -> None:
    plain_one, mirrored = footage.scene(0, 0, View()), footage.scene(0, 0, View(mirrored=True))
    np.testing.assert_allclose(mirrored.rgb, plain_one.rgb[:, ::-1], atol=0.02)
    assert mirrored.points[33, 0] < mirrored.points[263, 0]  # the right eye stays left in the picture
    np.testing.assert_allclose(mirrored.points[33, 0], SIDE - plain_one.points[263, 0], atol=1e-3)


def test_a_sample_depends_on_its_seed_alone(footage: Footage) -> None:
    kinds = [*KINDS, PIECE]
    first, second = Composer(footage, kinds, 0.3), Composer(footage, kinds, 0.3)
    second.sample((9, 9))
    for number in range(4):
        one, two = first.sample((1, number)), second.sample((1, number))
        np.testing.assert_array_equal(one.pixels, two.pixels)
        np.testing.assert_array_equal(one.held, two.held)
        assert one.kind == two.kind
    assert (first.sample((1, 0)).pixels != first.sample((1, 1)).pixels).any()


def test_bare_pictures_hold_no_occluder_and_others_do(footage: Footage) -> None:
    composer, seen = Composer(footage, ["hand"], 1.0, bare=0.5), set()
    for number in range(16):
        one = composer.sample((2, number))
        seen.add(NAMES[one.kind])
        assert (NAMES[one.kind] == NOTHING) == (not one.held[0].any())
        assert not one.pixels[3:].any()  # every one without appearance
    assert {NOTHING, "hand"} <= seen


def test_squares_that_are_missing_or_damaged_are_named(tmp_path: Path, squares: Path) -> None:
    with pytest.raises(InputError, match="no squares in it"):
        Footage(tmp_path, (), (), measured=False)
    with pytest.raises(UsageError, match="did you mean 'other'"):
        Footage(squares, ("othr",), (), measured=False)
    path = tmp_path / f"x{SUFFIX}"
    path.write_bytes((squares / f"other{SUFFIX}").read_bytes()[:5000])
    with pytest.raises(InputError, match="damaged squares"):
        Squares.load(path)
