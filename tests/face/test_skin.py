"""Skin maps: weights of an offset, and files that are none."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_COUNT, Controls
from rtfilter.errors import InputError
from rtfilter.face import skin
from rtfilter.face.edit import FaceEditor, Held
from rtfilter.face.fit import FaceFit
from rtfilter.face.skin import SkinMaps
from tests.faces import builtin, coefficients, face_px

SMILE = coefficients(mouthSmile=0.8, cheekSquint=0.4)


def some_maps(count: int = 3, side: int = 8, seed: int = 0) -> SkinMaps:
    rng = np.random.default_rng(seed)
    maps = rng.normal(0.0, 0.1, (count, side, side)).astype(np.float32)
    mixing = rng.normal(0.0, 1.0, (count, BLENDSHAPE_COUNT)).astype(np.float32)
    return SkinMaps(maps, mixing, np.float32([1.0, 0.9, 0.8]))


def packed(**arrays: Any) -> io.BytesIO:
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    return file


def test_weights_are_linear_and_zero_for_no_offset() -> None:
    maps, expression = some_maps(), coefficients(jawOpen=0.5)
    assert not maps.weights(expression, np.zeros(BLENDSHAPE_COUNT)).any()
    once, twice = (maps.weights(expression, factor * SMILE) for factor in (1.0, 2.0))
    assert once.dtype == np.float32
    assert once == pytest.approx(maps.mixing @ SMILE, rel=1e-5)
    assert twice == pytest.approx(2.0 * once, rel=1e-5)


def test_without_maps_there_are_no_weights() -> None:
    none = SkinMaps.none()
    assert none.weights(SMILE, SMILE).shape == (0,)
    assert (none.count, none.peaks.shape) == (0, (0,))


def test_a_file_holds_floats_or_small_whole_numbers() -> None:
    maps = some_maps()
    half = {"maps": maps.maps.astype(np.float16), "mixing": maps.mixing, "colour": maps.colour}
    read = SkinMaps.from_npz(packed(**half), "a file")
    assert np.abs(read.maps - maps.maps).max() < 3e-4
    scale = maps.peaks / 127
    steps = np.round(maps.maps / scale[:, None, None]).astype(np.int8)
    read = SkinMaps.from_npz(packed(**(half | {"maps": steps, "scale": scale})), "a file")
    assert (np.abs(read.maps - maps.maps).max((1, 2)) <= 0.51 * scale).all()
    assert read.maps.dtype == read.mixing.dtype == read.colour.dtype == np.float32


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"maps": np.zeros((3, 8))}, "'maps' is float64 [3, 8]"),
        ({"maps": np.zeros((skin.MAPS_MAX + 1, 8, 8))}, "'maps'"),
        ({"maps": np.zeros((3, 8, 9))}, "'maps'"),
        ({"maps": np.zeros((3, skin.SIDE_MAX + 1, skin.SIDE_MAX + 1))}, "'maps'"),
        ({"maps": np.full((3, 8, 8), np.nan)}, "'maps'"),
        ({"maps": np.float32(1.0)}, "'maps'"),
        ({"maps": np.zeros((3, 8, 8), complex)}, "'maps'"),
        ({"maps": np.full((3, 8, 8), 1e300)}, "'maps'"),  # infinite as float32
        ({"maps": np.ones((3, 8, 8), np.int8), "scale": np.full(3, 1e30)}, "'maps'"),
        ({"mixing": np.full((3, BLENDSHAPE_COUNT), -1e30)}, "'mixing'"),
        ({"mixing": np.zeros((2, BLENDSHAPE_COUNT))}, "'mixing'"),
        ({"mixing": np.zeros((3, 51))}, "'mixing'"),
        ({"colour": np.float32([1.0, np.inf, 1.0])}, "'colour'"),
        ({"colour": np.array(["a", "b", "c"])}, "'colour'"),
        ({"maps": np.zeros((3, 8, 8), np.int8)}, "scale"),
        ({"maps": np.zeros((3, 8, 8), np.int8), "scale": np.ones(2)}, "'scale'"),
    ],
    ids=str,
)
def test_what_is_wrong_in_a_file_is_named(changed: dict[str, Any], named: str) -> None:
    whole = {"maps": np.zeros((3, 8, 8)), "mixing": np.zeros((3, BLENDSHAPE_COUNT)), "colour": np.ones(3)}
    with pytest.raises(InputError) as caught:
        SkinMaps.from_npz(packed(**(whole | changed)), "a file")
    assert str(caught.value).startswith("a file: ")
    assert named in str(caught.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"maps": np.zeros((skin.MAPS_MAX + 1, 8, 8), np.float32)},
        {"maps": np.zeros((3, 8, 9), np.float32)},
        {"maps": np.zeros((3, 0, 0), np.float32)},
        {"maps": np.full((3, 8, 8), np.nan, np.float32)},
        {"mixing": np.zeros((2, BLENDSHAPE_COUNT), np.float32)},
        {"mixing": np.full((3, BLENDSHAPE_COUNT), np.inf, np.float32)},
        {"colour": np.ones(4, np.float32)},
    ],
    ids=lambda changed: "/".join(f"{name} {list(value.shape)}" for name, value in changed.items()),
)
def test_maps_that_no_renderer_can_paint_are_refused_when_they_are_made(changed: dict[str, Any]) -> None:
    """On a device that streams share, one stream's maps would end them all."""
    good = some_maps()
    with pytest.raises(InputError, match=f"'{next(iter(changed))}'"):
        replace(good, **changed)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"no archive at all"])
def test_a_damaged_file_is_one_line(damage: bytes) -> None:
    with pytest.raises(InputError, match="a file: not skin maps"):
        SkinMaps.from_npz(io.BytesIO(damage), "a file")


def test_an_array_that_is_missing_is_named() -> None:
    with pytest.raises(InputError, match="mixing"):
        SkinMaps.from_npz(packed(maps=np.zeros((3, 8, 8)), colour=np.ones(3)), "a file")


def test_the_editor_weighs_by_fade_and_by_the_users_setting() -> None:
    maps, points = some_maps(), face_px()
    editor, fit = FaceEditor(builtin(), 0.2, maps), FaceFit(builtin())
    face, _ = fit.step(fit.first_identity(), points, 0.0)
    controls, light = Controls({"happy": 1.0}, skin=0.5), np.array([0.4, 0.1, -0.2, -0.1], np.float32)
    state = editor.first_state()
    for frame in range(4):
        offset, state = editor.step(state, face, controls, 1.0, frame / 30)
    assert 0.0 < state.strength < 1.0
    whole = maps.weights(face.expression, offset)
    assert np.abs(whole).max() > 0.1
    moved = editor.displace(state, Held(face, points, offset, controls.skin, light))
    assert moved.skin_weights == pytest.approx(0.5 * state.strength * whole, rel=1e-5)
    lit = editor.shading.gain_log(light, face.pose.rotation, offset)
    assert np.abs(lit).max() > 0.01
    assert moved.gain_log == pytest.approx(0.5 * state.strength * lit, rel=1e-5)
    assert not editor.displace(state, Held(face, points, offset)).gain_log.any()  # no light is known
    still = editor.displace(state, Held(face, points, offset, 0.0, light))
    assert not still.skin_weights.any()
    assert not still.gain_log.any()
    other = some_maps(count=2, seed=1)
    editor.use_skin(other)
    swapped = editor.displace(state, Held(face, points, offset)).skin_weights
    assert swapped == pytest.approx(state.strength * other.weights(face.expression, offset), rel=1e-5)
