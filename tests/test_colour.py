"""Both directions of the colour arithmetic against float64, and the choice of matrix and range."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest

from rtfilter.colour import YuvSpec, block_mean, rgb_to_yuv, spec_of, yuv_to_rgb
from rtfilter.errors import UsageError

SPECS = [YuvSpec(matrix, full) for matrix in ("bt601", "bt709", "bt2020") for full in (False, True)]
SHIFTS = [(1, 1), (1, 0), (0, 0)]


def smooth_rgb(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (max(2, height // 8), max(2, width // 8), 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, 3)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_known_colours(spec: YuvSpec) -> None:
    black, white = (0, 255) if spec.full_range else (16, 235)
    rgb = np.array([[[0, 0, 0], [255, 255, 255], [128, 128, 128]]], np.uint8)
    luma, cb, cr = rgb_to_yuv(rgb, spec, 0, 0)
    assert luma[0, 0] == black
    assert luma[0, 1] == white
    assert np.ptp(cb) == 0
    assert np.ptp(cr) == 0
    assert cb[0, 0] == 128


def test_bt709_red_is_the_standards_figure() -> None:
    """BT.709-6 table 3 scaled to 8 bits: Y 63, Cb 102, Cr 240."""
    red = np.array([[[255, 0, 0]]], np.uint8)
    values = [int(plane[0, 0]) for plane in rgb_to_yuv(red, YuvSpec("bt709", False), 0, 0)]
    assert values == [63, 102, 240]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_forward_agrees_with_float64(spec: YuvSpec) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    exact = rgb @ spec.yuv_from_rgb[:, :3].T + spec.yuv_from_rgb[:, 3]
    got = np.stack(rgb_to_yuv(rgb, spec, 0, 0), axis=-1)
    assert np.abs(got - np.clip(exact, 0, 255)).max() < 1.0  # measured 0.61


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("shift", SHIFTS, ids=str)
def test_decoding_agrees_with_float64(spec: YuvSpec, shift: tuple[int, int]) -> None:
    planes = rgb_to_yuv(smooth_rgb(96, 128), spec, *shift)
    large = [cv2.resize(p.astype(np.float64), (128, 96), interpolation=cv2.INTER_CUBIC) for p in planes]
    exact = np.stack(large, -1) @ spec.rgb_from_yuv[:, :3].T + spec.rgb_from_yuv[:, 3]
    error = np.abs(yuv_to_rgb(planes, spec) - np.clip(exact, 0, 255))
    assert error.max() < 3.0  # measured 2.2 (bt2020, limited)
    assert error.mean() < 0.5


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 2), (47, 63), (48, 63), (47, 64)], ids=str)
@pytest.mark.parametrize("shift", SHIFTS, ids=str)
def test_any_size_survives_a_round_trip(size: tuple[int, int], shift: tuple[int, int]) -> None:
    height, width = size
    spec = YuvSpec("bt601", False)
    rgb = np.full((height, width, 3), (200, 90, 40), np.uint8)
    planes = rgb_to_yuv(rgb, spec, *shift)
    across, down = 1 << shift[0], 1 << shift[1]
    assert planes[1].shape == ((height + down - 1) // down, (width + across - 1) // across)
    assert np.abs(yuv_to_rgb(planes, spec).astype(int) - rgb).max() <= 2


def test_block_mean_at_odd_edges_uses_only_what_is_there() -> None:
    values = np.array([[0, 10, 100], [20, 30, 200], [7, 9, 50]], np.float32)
    assert block_mean(values, 1, 1).tolist() == [[15.0, 150.0], [8.0, 50.0]]


@pytest.mark.parametrize(
    ("fmt", "size", "colorspace", "color_range", "expected"),
    [
        ("yuv420p", (640, 480), 2, 0, YuvSpec("bt601", False)),
        ("yuv420p", (1280, 720), 2, 0, YuvSpec("bt709", False)),
        ("yuv420p", (720, 1280), 2, 0, YuvSpec("bt709", False)),
        ("yuv420p", (480, 854), 2, 0, YuvSpec("bt601", False)),
        ("yuvj420p", (640, 480), 2, 0, YuvSpec("bt601", True)),
        ("yuv420p", (640, 480), 1, 2, YuvSpec("bt709", True)),
        ("yuv420p", (1920, 1080), 6, 1, YuvSpec("bt601", False)),
        ("yuv420p", (1920, 1080), 9, 1, YuvSpec("bt2020", False)),
        ("yuv444p", (640, 480), 8, 0, None),
    ],
)
def test_matrix_and_range_of_a_picture(fmt, size, colorspace, color_range, expected) -> None:
    picture = av.VideoFrame(*size, fmt)
    picture.colorspace, picture.color_range = colorspace, color_range
    assert spec_of(picture) == expected


def test_unknown_matrix_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="bt709"):
        YuvSpec("bt708", False)
