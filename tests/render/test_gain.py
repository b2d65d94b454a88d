"""The skin's gain: a constant is a product, on skin alone; zero is nothing, and so is what is no number."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.face import landmarks as lm
from rtfilter.face.deform import Displacement
from rtfilter.face.pose import Pose
from rtfilter.face.skin import GAIN_MAX, SkinMaps
from rtfilter.face.uv import skin_uv
from rtfilter.frame import Frame
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from tests.faces import builtin, coefficients, face_px, texture
from tests.render.test_cpu import as_planes, changed_outside, displacement

WIDTH, HEIGHT, IOD_PX = 320, 240, 90.0
SIDE = 32
COLOUR = np.float32([1.0, 0.8, 0.6])
STILL = np.zeros((lm.LANDMARK_COUNT, 2), np.float32)
# An open mouth and open eyes, so that both show.
POSE = Pose(np.eye(3), np.array([WIDTH / 2, HEIGHT / 2, 0.0]), IOD_PX)
FACE = face_px(POSE, coefficients(jawOpen=0.7))


def maps_of(*textures: np.ndarray, colour: np.ndarray = COLOUR) -> SkinMaps:
    mixing = np.zeros((len(textures), BLENDSHAPE_COUNT), np.float32)
    return SkinMaps(np.float32(textures), mixing, np.float32(colour))


def ramp(axis: int) -> np.ndarray:
    """From -0.2 at one side of the texture to 0.2 at the other: linear, as bilinear sampling keeps it."""
    line = (np.arange(SIDE) + 0.5) / SIDE * 0.4 - 0.2
    return np.broadcast_to(line[:, None] if axis == 0 else line[None], (SIDE, SIDE))


@pytest.fixture(scope="module")
def renderer() -> Iterator[CpuRenderer]:
    model = builtin()
    constant = np.ones((SIDE, SIDE))
    made = CpuRenderer(RingedMesh(model.triangles, model.holes), maps_of(constant, ramp(0), ramp(1)))
    yield made
    made.close()


def lit(
    weights: tuple[float, ...] = (), light: float = 0.0, offset: np.ndarray = STILL, points: np.ndarray = FACE
) -> Displacement:
    gain_log = np.full(lm.LANDMARK_COUNT, light, np.float32)
    return Displacement(points.astype(np.float32), offset, IOD_PX, np.float32(weights), gain_log)


def within(*loop: int) -> np.ndarray:
    outline = np.round(FACE[list(loop), :2]).astype(np.int32)
    return cv2.fillPoly(np.zeros((HEIGHT, WIDTH), np.uint8), [outline], 1)


def openings() -> np.ndarray:
    lips = (78, *lm.LIPS_INNER_UPPER, 308, *lm.LIPS_INNER_LOWER[::-1])
    right = (33, *lm.EYE_RIGHT_UPPER, 133, *lm.EYE_RIGHT_LOWER[::-1])
    left = (263, *lm.EYE_LEFT_UPPER, 362, *lm.EYE_LEFT_LOWER[::-1])
    return within(*lips) | within(*right) | within(*left)


def shrunk(mask: np.ndarray, by: int) -> np.ndarray:
    return cv2.erode(mask, np.ones((2 * by + 1, 2 * by + 1))) > 0


# A cell is 1.9 px here: gain comes and goes within two of them.
EDGE_PX = 5


def skin() -> np.ndarray:
    """Well within the face, and away from mouth and eyes."""
    whole = within(*lm.FACE_OVAL)
    return shrunk(whole, EDGE_PX) & ~(cv2.dilate(openings(), np.ones((2 * EDGE_PX + 1,) * 2)) > 0)


@pytest.mark.parametrize("gain", [0.2, -0.3, 0.05])
@pytest.mark.parametrize("by", ["maps", "light", "both"])
def test_a_constant_gain_multiplies_the_skin_alone(renderer: CpuRenderer, gain: float, by: str) -> None:
    frame = Frame.from_rgb(texture(WIDTH, HEIGHT))
    share = {"maps": 1.0, "light": 0.0, "both": 0.4}[by]
    out = renderer.render(frame, lit((share * gain, 0.0, 0.0), (1.0 - share) * gain))
    want = np.clip(frame.rgb * (1.0 + COLOUR * np.expm1(gain)), 0, 255)
    where = skin()
    assert where.sum() > 8000
    assert np.abs(out.rgb - want)[where].max() <= 0.51, "a product, rounded"
    inside = shrunk(openings(), 3)
    assert inside.sum() > 500
    assert np.array_equal(out.rgb[inside], frame.rgb[inside])
    outside = cv2.dilate(within(*lm.FACE_OVAL), np.ones((2 * EDGE_PX + 1,) * 2)) == 0
    assert np.array_equal(out.rgb[outside], frame.rgb[outside])
    assert out.changed is not None
    assert changed_outside(frame, out) == 0


@pytest.mark.parametrize("axis", [0, 1], ids=["v", "u"])
def test_a_map_lies_where_the_texture_says(renderer: CpuRenderer, axis: int) -> None:
    """A ramp along u or v, read back at landmarks of the skin. Measured: 0.006 of 0.4 apart at most, from the
    grid's cells and from rounding to levels."""
    frame = Frame.from_rgb(np.full((HEIGHT, WIDTH, 3), 180, np.uint8))
    weights = (0.0, 1.0, 0.0) if axis == 0 else (0.0, 0.0, 1.0)
    out, where = renderer.render(frame, lit(weights)).rgb, skin()
    expected = 0.4 * skin_uv()[:, 1 - axis] - 0.2
    checked = 0
    for n in range(lm.SURFACE_COUNT):
        x, y = (int(v) for v in FACE[n, :2])
        if 0 <= x < WIDTH and 0 <= y < HEIGHT and where[y, x]:
            got = np.log(out[y, x, 0] / 180.0)
            assert got == pytest.approx(expected[n], abs=0.015)
            checked += 1
    assert checked > 150


def test_the_gain_goes_with_the_skin_that_moves(renderer: CpuRenderer) -> None:
    frame = Frame.from_rgb(texture(WIDTH, HEIGHT))
    offset = np.tile(np.float32([3.0, 2.0]), (lm.LANDMARK_COUNT, 1))
    moved = renderer.render(frame, lit(offset=offset)).rgb.astype(np.float64)
    out = renderer.render(frame, lit((0.2, 0.0, 0.0), offset=offset)).rgb
    where = np.roll(skin(), (2, 3), (0, 1))
    want = np.clip(moved * (1.0 + COLOUR * np.expm1(0.2)), 0, 255)
    assert np.abs(out - want)[where].max() <= 0.51


@pytest.mark.parametrize("light", [0.0, 1e-4, -1e-4])
@pytest.mark.parametrize("weights", [(), (0.0, 0.0, 0.0), (1e-4, 0.0, 0.0)], ids=str)
def test_a_gain_that_changes_no_level_is_the_very_same_picture(
    renderer: CpuRenderer, light: float, weights: tuple[float, ...]
) -> None:
    for frame in (Frame.from_rgb(texture(WIDTH, HEIGHT)), Frame(as_planes(texture(WIDTH, HEIGHT), (1, 1)))):
        out = renderer.render(frame, lit(weights, light))
        assert out.pixels is frame.pixels
        assert out.changed is None


def test_a_dark_pixel_that_does_not_move_keeps_its_bytes(renderer: CpuRenderer) -> None:
    """A gain of 1 % is half a level of 50 and above; below, nothing changes."""
    rgb = texture(WIDTH, HEIGHT) // 8
    out = renderer.render(Frame.from_rgb(rgb), lit(light=0.01))
    assert np.array_equal(out.rgb, rgb)


def test_no_gain_is_the_warp_bit_for_bit(renderer: CpuRenderer) -> None:
    """With maps that have no weight, with and without light of nothing, and without any maps."""
    model, frame = builtin(), Frame.from_rgb(texture(WIDTH, HEIGHT))
    moved = displacement(FACE, iod_px=IOD_PX)
    plain = CpuRenderer(RingedMesh(model.triangles, model.holes))
    want = plain.render(frame, moved).rgb
    zero = Displacement(moved.points_px, moved.offset_px, IOD_PX, np.zeros(3, np.float32))
    assert np.array_equal(renderer.render(frame, moved).rgb, want)
    assert np.array_equal(renderer.render(frame, zero).rgb, want)
    assert not np.array_equal(want, frame.rgb)
    plain.close()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30, -1e30])
@pytest.mark.parametrize("where", ["a weight", "all weights", "a landmark's light", "all light"])
def test_what_is_no_number_paints_no_garbage(renderer: CpuRenderer, bad: float, where: str) -> None:
    """No pixel beyond what GAIN_MAX allows, and what is not finite counts for nothing."""
    frame = Frame.from_rgb(np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    weights, light = np.zeros(3, np.float32), np.zeros(lm.LANDMARK_COUNT, np.float32)
    if "weight" in where:
        weights[0 if where == "a weight" else slice(None)] = bad
    else:
        light[4 if where == "a landmark's light" else slice(None)] = bad
    out = renderer.render(frame, Displacement(FACE, STILL, IOD_PX, weights, light)).rgb
    low, high = (90 * (1 + np.expm1(sign * GAIN_MAX)) for sign in (-1, 1))
    assert out.min() >= low - 1
    assert out.max() <= high + 1
    if not np.isfinite(bad):
        assert np.array_equal(out, frame.rgb)


def test_maps_are_swapped_between_frames(renderer: CpuRenderer) -> None:
    model, frame = builtin(), Frame.from_rgb(texture(WIDTH, HEIGHT))
    own = CpuRenderer(RingedMesh(model.triangles, model.holes))
    with pytest.raises(ValueError, match="skin_weights: expected 0 or 0"):
        own.render(frame, lit((0.2,)))
    own.use_skin(maps_of(np.ones((8, 8))))
    want = renderer.render(frame, lit((0.2, 0.0, 0.0))).rgb
    assert np.array_equal(own.render(frame, lit((0.2,))).rgb, want)
    own.use_skin(SkinMaps.none())
    assert own.render(frame, lit()).rgb is frame.rgb
    own.close()


@pytest.mark.parametrize("shift", [(1, 1), (1, 0), (0, 0)], ids=str)
def test_planes_get_the_gain_of_their_rgb(renderer: CpuRenderer, shift: tuple[int, int]) -> None:
    planes = as_planes(texture(WIDTH, HEIGHT), shift)
    moved = displacement(FACE, iod_px=IOD_PX)
    both = Displacement(moved.points_px, moved.offset_px, IOD_PX, np.float32([0.1, 0.5, -0.5]))
    in_rgb = renderer.render(Frame(planes.rgb), both)
    expected = planes.with_edit(planes.rgb, in_rgb.rgb, in_rgb.changed)
    out = renderer.render(Frame(planes), both)
    assert out.planes is not None
    for plane, wanted in zip(out.planes.all, expected.all, strict=True):
        assert np.array_equal(plane, wanted)
