"""Pictures as YUV planes: their RGB, whole and in part; edits change what was edited, and nothing else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.colour import YuvSpec, rgb_to_yuv, yuv_to_rgb
from rtfilter.errors import UsageError
from rtfilter.frame import Frame
from rtfilter.planes import Planes
from rtfilter.system.arrays import Box

SPECS = [YuvSpec(matrix, full) for matrix in ("bt601", "bt709") for full in (False, True)]
SHIFTS = [(1, 1), (1, 0), (0, 0)]


def add_edit(
    planes: list[np.ndarray],
    before: np.ndarray,
    after: np.ndarray,
    box: Box,
    spec: YuvSpec,
    shift: tuple[int, int],
) -> None:
    """`Planes.with_edit`, in place."""
    luma, cb, cr = planes
    edited = Planes(luma, cb, cr, shift, spec).with_edit(before, after, box)
    for plane, new in zip(planes, edited.all, strict=True):
        plane[...] = new


def noise_planes(height: int, width: int, shift: tuple[int, int], seed: int = 0) -> list[np.ndarray]:
    """Any bytes at all, out of gamut included: what decoders may give."""
    rng = np.random.default_rng(seed)
    chroma = ((height + (1 << shift[1]) - 1) >> shift[1], (width + (1 << shift[0]) - 1) >> shift[0])
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((height, width), chroma, chroma)]


def camera_planes(height: int, width: int, spec: YuvSpec, shift: tuple[int, int]) -> list[np.ndarray]:
    small = np.random.default_rng(3).integers(40, 216, (height // 16 + 2, width // 16 + 2, 3), dtype=np.uint8)
    rgb = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, 3)
    return rgb_to_yuv(rgb, spec, *shift)


def planes_in(size: tuple[int, int], shift: tuple[int, int], pad: int = 0, seed: int = 0) -> Planes:
    """Any bytes, rows `pad` bytes longer than wide."""
    padded = [np.pad(plane, ((0, 0), (0, pad))) for plane in noise_planes(*size, shift, seed)]
    luma, cb, cr = (plane[:, : plane.shape[1] - pad] for plane in padded)
    return Planes(luma, cb, cr, shift, YuvSpec("bt601", full_range=False))


@settings(max_examples=100, deadline=None)
@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    shift=st.sampled_from(SHIFTS),
    pad=st.sampled_from([0, 5]),
    corners=st.tuples(*4 * [st.floats(0, 1)]),
    seed=st.integers(0, 1000),
)
def test_a_parts_rgb_is_that_of_the_whole(size, shift, pad, corners, seed) -> None:
    planes = planes_in(size, shift, pad, seed)
    (height, width), (a, b, c, d) = size, corners
    x0, y0 = int(a * (width - 1)), int(b * (height - 1))
    box = Box(x0, y0, x0 + 1 + int(c * (width - x0 - 1)), y0 + 1 + int(d * (height - y0 - 1)))
    around = planes.around(box)
    left, top = around.corner
    part = around.rgb[box.y0 - top : box.y1 - top, box.x0 - left : box.x1 - left]
    whole = yuv_to_rgb(planes.all, planes.spec)
    # OpenCV rounds the last samples of a row by other code: in 8 of 7,000 pictures of noise, all of them with
    # chroma halved across alone, 1 to 3 samples are off, by 2 levels at most.
    off = np.abs(part.astype(int) - whole[box.y0 : box.y1, box.x0 : box.x1])
    assert off.max() <= (2 if shift == (1, 0) else 0)
    assert np.count_nonzero(off) <= 6
    assert np.array_equal(planes.rgb, whole)


def test_a_picture_larger_than_a_strip_is_converted_without_a_seam() -> None:
    planes = planes_in((1080, 1919), (1, 1))
    assert np.array_equal(planes.rgb, yuv_to_rgb(planes.all, planes.spec))
    assert planes.rgb is planes.rgb, "converted once"


@pytest.mark.parametrize("shift", SHIFTS, ids=str)
def test_a_copy_shares_nothing_and_lies_in_one_piece(shift: tuple[int, int]) -> None:
    planes = planes_in((47, 63), shift, pad=9)
    copy = planes.copy()
    for old, new in zip(planes.all, copy.all, strict=True):
        assert np.array_equal(old, new)
        assert not np.shares_memory(old, new)
        assert new.flags.c_contiguous
        assert new.base is copy.luma.base
    assert (copy.shift, copy.spec, copy.shape) == (planes.shift, planes.spec, (47, 63))


def test_a_frame_of_planes_has_their_size_and_rgb() -> None:
    frame = Frame(planes_in((47, 63), (1, 1)), pts=3)
    assert (frame.width, frame.height) == (63, 47)
    assert frame.rgb.shape == (47, 63, 3)
    assert frame.unchanged().planes is frame.planes
    assert frame.unchanged().original is frame
    assert Frame.from_rgb(frame.rgb).planes is None


def test_what_was_edited_in_rgb_is_found_as_planes() -> None:
    """Once, twice, after an edit in planes, and not at all."""
    source = Frame(planes_in((48, 64), (1, 1)))
    assert source.to_planes() is source.planes
    assert source.unchanged().to_planes() is source.planes
    assert source.filtered(source.rgb, None).to_planes() is source.planes

    def painted(frame: Frame, box: Box) -> Frame:
        rgb = frame.rgb.copy()
        rgb[box.y0 : box.y1, box.x0 : box.x1] = 90
        return frame.filtered(rgb, box)

    once = painted(source, Box(8, 8, 16, 16))
    twice = painted(once, Box(40, 20, 48, 30)).to_planes()
    assert twice is not None
    at_once = source.rgb.copy()
    at_once[8:16, 8:16] = at_once[20:30, 40:48] = 90
    expected = source.planes.with_edit(source.rgb, at_once, Box(8, 8, 48, 30))
    assert all(np.array_equal(a, b) for a, b in zip(twice.all, expected.all, strict=True))
    between = source.filtered(source.planes.with_edit(source.rgb, once.rgb, Box(8, 8, 16, 16)), once.changed)
    after = painted(between, Box(40, 20, 48, 30)).to_planes()
    assert np.array_equal(after.luma[8:16, 8:16], between.planes.luma[8:16, 8:16])
    assert not np.array_equal(after.luma[20:30, 40:48], source.planes.luma[20:30, 40:48])


def test_another_picture_or_another_size_is_no_edit() -> None:
    source = Frame(planes_in((48, 64), (1, 1)))
    assert Frame.from_rgb(source.rgb).to_planes() is None
    wide = np.concatenate([source.rgb, source.rgb], axis=1)
    assert source.filtered(wide, Box(0, 0, 128, 48)).to_planes() is None


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
def test_red_in_yuv_at_any_size(size: tuple[int, int]) -> None:
    height, width = size
    rgb = np.full((height, width, 3), (255, 0, 0), np.uint8)
    luma, cb, cr = rgb_to_yuv(rgb, YuvSpec("bt709", False), 1, 1)
    assert luma.shape == size
    assert cb.shape == cr.shape == ((height + 1) // 2, (width + 1) // 2)
    assert (set(luma.ravel()), set(cb.ravel()), set(cr.ravel())) == ({63}, {102}, {240})


def test_yuv_agrees_with_opencv_for_bt601() -> None:
    spec = YuvSpec("bt601", False)
    rgb = yuv_to_rgb(camera_planes(96, 128, spec, (1, 1)), spec)
    theirs = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420).ravel()
    ours = np.concatenate([plane.ravel() for plane in rgb_to_yuv(rgb, spec, 1, 1)])
    error = np.abs(ours.astype(int) - theirs)
    assert error[: 96 * 128].max() <= 1
    assert error[96 * 128 :].mean() < 2.5  # it takes the chroma of one pixel of four


def test_an_unknown_matrix_is_refused() -> None:
    with pytest.raises(UsageError, match="bt601"):
        YuvSpec("bt60", False)
