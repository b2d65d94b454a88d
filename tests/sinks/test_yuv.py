"""Edits on YUV planes: nothing where nothing was edited, the wanted picture where it was."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.colour import YuvSpec, rgb_to_yuv, yuv_to_rgb
from rtfilter.errors import UsageError
from rtfilter.frame import Box
from rtfilter.sinks.yuv import add_edit, rgb_to_i420

SPECS = [YuvSpec(matrix, full) for matrix in ("bt601", "bt709") for full in (False, True)]
SHIFTS = [(1, 1), (1, 0), (0, 0)]


def noise_planes(height: int, width: int, shift: tuple[int, int], seed: int = 0) -> list[np.ndarray]:
    """Any bytes at all, out of gamut included: what decoders may give."""
    rng = np.random.default_rng(seed)
    chroma = ((height + (1 << shift[1]) - 1) >> shift[1], (width + (1 << shift[0]) - 1) >> shift[0])
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((height, width), chroma, chroma)]


def camera_planes(height: int, width: int, spec: YuvSpec, shift: tuple[int, int]) -> list[np.ndarray]:
    small = np.random.default_rng(3).integers(40, 216, (height // 16 + 2, width // 16 + 2, 3), dtype=np.uint8)
    rgb = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, 3)
    return rgb_to_yuv(rgb, spec, *shift)


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    shift=st.sampled_from(SHIFTS),
    spec=st.sampled_from(SPECS),
    seed=st.integers(0, 1000),
)
def test_no_edit_leaves_every_byte(size, shift, spec, seed) -> None:
    planes = noise_planes(*size, shift, seed)
    before = [plane.copy() for plane in planes]
    rgb = yuv_to_rgb(planes, spec)
    add_edit(planes, rgb, rgb.copy(), Box(0, 0, size[1], size[0]), spec, shift)
    for plane, old in zip(planes, before, strict=True):
        assert np.array_equal(plane, old)


@pytest.mark.parametrize("shift", SHIFTS, ids=str)
def test_one_edited_pixel_touches_its_own_block_only(shift: tuple[int, int]) -> None:
    spec = YuvSpec("bt601", False)
    planes = noise_planes(48, 64, shift)
    before = [plane.copy() for plane in planes]
    rgb = yuv_to_rgb(planes, spec)
    edited = rgb.copy()
    edited[21, 33] = 255 - edited[21, 33]
    add_edit(planes, rgb, edited, Box(0, 0, 64, 48), spec, shift)
    assert np.argwhere(planes[0] != before[0]).tolist() == [[21, 33]]
    for plane, old in zip(planes[1:], before[1:], strict=True):
        assert np.argwhere(plane != old).tolist() in ([], [[21 >> shift[1], 33 >> shift[0]]])


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("shift", SHIFTS, ids=str)
@pytest.mark.parametrize("size", [(96, 128), (95, 127)], ids=str)
def test_the_decoded_edit_is_the_wanted_picture(spec, shift, size) -> None:
    height, width = size
    planes = camera_planes(height, width, spec, shift)
    rgb = yuv_to_rgb(planes, spec)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    blob = 30 * np.exp(-(((x - width / 2) / 20) ** 2 + ((y - height / 2) / 15) ** 2))
    wanted = np.clip(rgb + np.rint(blob)[..., None] * (1.0, 0.5, -0.5), 0, 255).astype(np.uint8)
    rows, columns = np.nonzero((wanted != rgb).any(axis=-1))
    box = Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    add_edit(planes, rgb, wanted, box, spec, shift)
    error = np.abs(yuv_to_rgb(planes, spec).astype(int) - wanted)
    # Measured over these cases: at most 4 (limited range: luma steps of 1.16, chroma of up to 2.1).
    assert error.max() <= 5
    assert error.mean() < 0.8


@pytest.mark.parametrize("shift", SHIFTS, ids=str)
def test_an_edit_at_the_odd_border(shift: tuple[int, int]) -> None:
    spec = YuvSpec("bt709", False)
    planes = camera_planes(47, 63, spec, shift)
    rgb = yuv_to_rgb(planes, spec)
    wanted = rgb.copy()
    wanted[40:, 50:] = np.clip(wanted[40:, 50:].astype(int) + 20, 0, 255)
    add_edit(planes, rgb, wanted, Box(50, 40, 63, 47), spec, shift)
    assert np.abs(yuv_to_rgb(planes, spec).astype(int) - wanted).max() <= 5


def test_a_highlight_above_white_is_not_left_behind() -> None:
    """Y 250 shows as 255 but means 272. Replaced by 200, it must read 200, not 217."""
    spec = YuvSpec("bt709", False)
    planes = [np.full((8, 8), 250, np.uint8), np.full((4, 4), 128, np.uint8), np.full((4, 4), 128, np.uint8)]
    rgb = yuv_to_rgb(planes, spec)
    assert rgb.max() == 255
    wanted = rgb.copy()
    wanted[2:6, 2:6] = 200
    add_edit(planes, rgb, wanted, Box(2, 2, 6, 6), spec, (1, 1))
    assert np.abs(yuv_to_rgb(planes, spec)[2:6, 2:6].astype(int) - 200).max() <= 4
    assert (planes[0][:2] == 250).all()


@pytest.mark.parametrize("box", [Box(0, 0, 0, 0), Box(70, 50, 80, 60), Box(-4, -4, 0, 0)], ids=str)
def test_boxes_outside_the_picture_change_nothing(box: Box) -> None:
    spec = YuvSpec("bt601", False)
    planes = noise_planes(48, 64, (1, 1))
    before = [plane.copy() for plane in planes]
    rgb = yuv_to_rgb(planes, spec)
    add_edit(planes, rgb, 255 - rgb, box, spec, (1, 1))
    assert all(np.array_equal(a, b) for a, b in zip(planes, before, strict=True))


@pytest.mark.parametrize("size", [(48, 64), (47, 63), (1, 1)], ids=str)
def test_i420_is_y_then_u_then_v(size: tuple[int, int]) -> None:
    height, width = size
    rgb = np.full((height, width, 3), (255, 0, 0), np.uint8)
    flat = rgb_to_i420(rgb, "bt709")
    chroma = ((height + 1) // 2) * ((width + 1) // 2)
    assert flat.shape == (height * width + 2 * chroma,)
    assert set(flat[: height * width]) == {63}
    assert set(flat[height * width : height * width + chroma]) == {102}
    assert set(flat[-chroma:]) == {240}


def test_i420_agrees_with_opencv_for_bt601() -> None:
    rgb = yuv_to_rgb(camera_planes(96, 128, YuvSpec("bt601", False), (1, 1)), YuvSpec("bt601", False))
    theirs = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420).ravel()
    error = np.abs(rgb_to_i420(rgb, "bt601").astype(int) - theirs)
    assert error[: 96 * 128].max() <= 1
    assert error[96 * 128 :].mean() < 2.5  # it takes the chroma of one pixel of four


def test_i420_refuses_what_is_no_picture() -> None:
    with pytest.raises(UsageError, match="float32"):
        rgb_to_i420(np.zeros((4, 4, 3), np.float32))
    with pytest.raises(UsageError, match="bt601"):
        rgb_to_i420(np.zeros((4, 4, 3), np.uint8), matrix="bt60")
