"""The crop kernel on the processor against its twin, for every kind of picture and region."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.colour import MATRICES, YuvSpec
from rtfilter.kernels import blocks, launch
from rtfilter.kernels.reference import crop as reference
from rtfilter.kernels.reference.crop import BORDER_REPLICATE
from tests.kernels.on_host import Bench, block, in_both_orders, padded_rows, set_i420
from tests.kernels.squares import SQUARES, affine, picture

# Of 0..1. Measured over these tests: below 1e-5, where a place's rounding (4e-6 of a pixel at 60 px) meets
# the full contrast of noise.
APART = 4e-5


def cropped(
    bench: Bench, source: np.ndarray, parameters: np.ndarray, side_x: int, side_y: int | None = None
) -> np.ndarray:
    pixels = bench.empty((len(parameters), 3, side_y or side_x, side_x), np.float32)
    launch.crop(bench.stream, bench.put(parameters), bench.put(source), pixels)
    bench.stream.wait()
    return pixels.array.copy()


def of_rgb(rgb: np.ndarray, matrix: np.ndarray, region: tuple[int, int, int, int] | None = None) -> tuple:
    """Source bytes and CROP block of a picture, of which `region` (default: all of it) is uploaded."""
    height, width = rgb.shape[:2]
    x0, y0, x1, y1 = region or (0, 0, width, height)
    rows = padded_rows(rgb[y0:y1, x0:x1], spare=2)
    made = block(
        blocks.CROP,
        pitch=rows.shape[1],
        region_x=x0,
        region_y=y0,
        region_width=x1 - x0,
        region_height=y1 - y0,
        picture_width=width,
        picture_height=height,
        picture_from_crop=matrix.ravel(),
        scale=1 / 255,
    )
    return rows, made


def of_yuv(planes: list[np.ndarray], spec: YuvSpec, matrix: np.ndarray) -> tuple:
    height, width = planes[0].shape
    made = block(
        blocks.CROP,
        region_width=width,
        region_height=height,
        picture_width=width,
        picture_height=height,
        picture_from_crop=matrix.ravel(),
        rgb_from_yuv=spec.rgb_from_yuv.ravel(),
        scale=1 / 255,
    )
    end = set_i420(made, width, height, 7)
    source = np.concatenate([np.zeros(7, np.uint8), *(plane.ravel() for plane in planes)])
    assert len(source) == end
    return source, made


@pytest.mark.parametrize("name", SQUARES)
def test_a_crop_of_rgb_is_its_twin(name: str) -> None:
    side, middle, size, turn = SQUARES[name]
    rgb, matrix = picture(41, 33), affine(side, middle, size, turn)
    source, parameters = of_rgb(rgb, matrix)
    parameters["scale"], parameters["bias"] = 2 / 255, -1.0
    want = reference.crop(rgb, matrix, side, BORDER_REPLICATE, 2 / 255, -1.0)
    for bench in in_both_orders():
        assert np.abs(cropped(bench, source, parameters, side)[0] - want).max() < 2 * APART


def test_a_crop_without_scaling_is_the_picture_itself() -> None:
    rgb = picture(31, 31)
    source, parameters = of_rgb(rgb, affine(31, (15.5, 15.5), 31.0, 0.0))
    parameters["scale"] = 1.0
    assert np.array_equal(cropped(Bench(), source, parameters, 31)[0].transpose(1, 2, 0), rgb)


def test_where_the_region_begins_does_not_show() -> None:
    rgb, matrix = picture(80, 60), affine(16, (40.0, 30.0), 20.0, 15.0)
    bench = Bench()
    whole = cropped(bench, *of_rgb(rgb, matrix), 16)
    part = cropped(bench, *of_rgb(rgb, matrix, (22, 12, 58, 48)), 16)
    assert np.array_equal(whole, part)


@pytest.mark.parametrize("size", [(40, 30), (41, 33), (1, 1), (2, 3)])
def test_a_crop_of_yuv_is_its_twin(size: tuple[int, int]) -> None:
    width, height = size
    rng = np.random.default_rng(width)
    small = ((height + 1) // 2, (width + 1) // 2)
    planes = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((height, width), small, small)]
    matrix = affine(19, (width / 2, height / 2), 1.3 * max(size), 20.0)
    for name in MATRICES:
        for full_range in (False, True):
            spec = YuvSpec(name, full_range)
            source, parameters = of_yuv(planes, spec, matrix)
            want = reference.crop_yuv(planes, spec.rgb_from_yuv, matrix, 19, BORDER_REPLICATE, 1 / 255, 0.0)
            assert np.abs(cropped(Bench(), source, parameters, 19)[0] - want).max() < APART


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_a_matrix_of_no_numbers_reads_nothing_outside(bad: float) -> None:
    matrix = affine(16, (20.0, 15.0), 20.0, 0.0)
    matrix[0, 2] = matrix[1, 0] = bad
    got = cropped(Bench(), *of_rgb(picture(41, 33), matrix), 16)  # the memory's guards are looked at
    assert np.isfinite(got).all()


@pytest.mark.parametrize("sides", [(1, 1), (31, 9), (32, 8), (33, 7), (65, 17)])
def test_sides_around_the_blocks_size(sides: tuple[int, int]) -> None:
    rgb, matrix = picture(50, 40), affine(40, (25.0, 20.0), 30.0, 5.0)
    got = cropped(Bench(), *of_rgb(rgb, matrix), *sides)[0]
    wide = max(sides)
    want = reference.crop(rgb, matrix, wide, BORDER_REPLICATE, 1 / 255, 0.0)[:, : sides[1], : sides[0]]
    assert np.abs(got - want).max() < APART


def test_three_at_once_are_three_alone() -> None:
    rgb = picture(64, 48)
    one = [of_rgb(rgb, affine(20, (30.0 + 4 * n, 20.0), 20.0 + n, 9.0 * n)) for n in range(3)]
    parameters = np.concatenate([made for _, made in one])
    source = np.concatenate([rows.ravel() for rows, _ in one])
    parameters["rgb_offset"] = [n * one[0][0].size for n in range(3)]
    together = cropped(Bench(), source, parameters, 20)
    alone = np.concatenate([cropped(Bench(), *single, 20) for single in one])
    assert np.array_equal(together, alone)


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.floats(-60, 100),
    st.floats(-60, 100),
    st.floats(0, 200),
    st.floats(-180, 180),
)
@settings(max_examples=60, deadline=None)
def test_any_square_of_any_picture(
    width: int, height: int, x: float, y: float, size: float, turn: float
) -> None:
    rgb, matrix = picture(width, height), affine(13, (x, y), size, turn).astype(np.float32).astype(float)
    source, parameters = of_rgb(rgb, matrix)
    got = cropped(Bench(), source, parameters, 13)[0]
    assert np.abs(got - reference.crop(rgb, matrix, 13, BORDER_REPLICATE, 1 / 255, 0.0)).max() < APART


def test_what_does_not_fit_is_refused() -> None:
    bench = Bench()
    source, parameters = of_rgb(picture(8, 8), affine(8, (4, 4), 8, 0))
    of, made = bench.put(source), bench.put(parameters)
    for pixels in (bench.empty((1, 3, 8, 8), np.float64), bench.empty((2, 3, 8, 8), np.float32)):
        with pytest.raises(ValueError, match=r"pixels: expected float32 \[1, 3, side, side\]"):
            launch.crop(bench.stream, made, of, pixels)
    with pytest.raises(ValueError, match="parameters: expected"):
        launch.crop(bench.stream, of, of, bench.empty((1, 3, 8, 8), np.float32))
