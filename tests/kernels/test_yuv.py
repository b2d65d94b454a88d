"""The YUV kernel on the processor against rtfilter/colour.py: every matrix, range, and odd sizes."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.colour import MATRICES, YuvSpec, yuv_to_rgb
from rtfilter.kernels import blocks, launch
from tests.kernels.on_host import Bench, block, in_both_orders, padded_rows, set_i420

SIZES = [(64, 16), (66, 18), (63, 15), (65, 17), (1, 1), (2, 2), (3, 1), (1, 5), (160, 90)]
SPECS = [YuvSpec(name, full) for name in MATRICES for full in (False, True)]


def packed(planes: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([plane.ravel() for plane in planes])


def parameters_of(rgb_rows: np.ndarray, size: tuple[int, int], matrix: np.ndarray) -> np.ndarray:
    made = block(
        blocks.YUV, rgb_pitch=rgb_rows.shape[1], width=size[0], height=size[1], matrix=matrix.ravel()
    )
    set_i420(made, *size)
    return made


def noise(width: int, height: int) -> list[np.ndarray]:
    rng, small = np.random.default_rng(width), ((height + 1) // 2, (width + 1) // 2)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((height, width), small, small)]


def to_rgb(bench: Bench, planes: list[np.ndarray], spec: YuvSpec) -> np.ndarray:
    height, width = planes[0].shape
    rows = padded_rows(np.zeros((height, width, 3), np.uint8), spare=1)
    out = bench.put(rows)
    made = parameters_of(rows, (width, height), spec.rgb_from_yuv)
    launch.rgb_from_yuv(bench.stream, bench.put(made), bench.put(packed(planes)), out)
    bench.stream.wait()
    assert (out.array[:, 3 * width :] == 77).all(), "what lies behind a row was written"
    return out.array[:, : 3 * width].reshape(height, width, 3)


@pytest.mark.parametrize("size", SIZES)
def test_yuv_becomes_the_rgb_of_the_cpu_lane(size: tuple[int, int]) -> None:
    """Measured: one level apart at most, from OpenCV's fixed point."""
    planes = noise(*size)
    for spec in SPECS:
        want = yuv_to_rgb(planes, spec).astype(int)
        for bench in in_both_orders():
            assert np.abs(to_rgb(bench, planes, spec) - want).max() <= 1


@pytest.mark.parametrize("grey", [0, 16, 126, 235, 255])
def test_grey_stays_grey(grey: int) -> None:
    planes = [np.full((7, 9), grey, np.uint8), *(np.full((4, 5), 128, np.uint8) for _ in range(2))]
    for spec in SPECS:
        rgb = to_rgb(Bench(), planes, spec).astype(int)
        assert (rgb == rgb[0, 0, 0]).all()
        assert np.abs(rgb - yuv_to_rgb(planes, spec)).max() <= 1


def test_three_at_once_are_three_alone() -> None:
    spec, pictures = YuvSpec("bt709", False), [noise(33 + 2 * n, 21) for n in range(3)]
    alone = [to_rgb(Bench(), planes, spec) for planes in pictures]
    bench, rows = Bench(), [np.zeros((21, 3 * (33 + 2 * n)), np.uint8) for n in range(3)]
    made = [parameters_of(r, (33 + 2 * n, 21), spec.rgb_from_yuv) for n, r in enumerate(rows)]
    start = 0
    for n, planes in enumerate(pictures):
        start = set_i420(made[n], planes[0].shape[1], 21, start)
        made[n]["rgb_offset"] = sum(r.size for r in rows[:n])
    out = bench.empty(sum(r.size for r in rows), np.uint8)
    source = bench.put(np.concatenate([packed(planes) for planes in pictures]))
    launch.rgb_from_yuv(bench.stream, bench.put(np.concatenate(made)), source, out)
    bench.stream.wait()
    assert np.array_equal(out.array, np.concatenate([rgb.ravel() for rgb in alone]))


@pytest.mark.parametrize(
    "part", [(0, 0, 20, 10), (4, 2, 30, 21), (2, 4, 8, 6), (22, 12, 33, 21), (32, 20, 33, 21)]
)
def test_a_part_of_a_picture_is_converted_as_the_whole(part: tuple[int, int, int, int]) -> None:
    """The filter of chroma reads the samples around the part, of which two are enough."""
    rng, spec = np.random.default_rng(5), SPECS[0]
    planes = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((21, 33), (11, 17), (11, 17))]
    x0, y0, x1, y1 = part
    for bench in in_both_orders():
        whole = to_rgb(bench, planes, spec)
        made = block(blocks.YUV, rgb_pitch=3 * (x1 - x0), matrix=spec.rgb_from_yuv.ravel())
        set_i420(made, 33, 21)
        made["luma_offset"] += y0 * made["luma_pitch"] + x0
        for chroma in ("cb_offset", "cr_offset"):
            made[chroma] += y0 // 2 * made["chroma_pitch"] + x0 // 2
        made["width"], made["height"] = x1 - x0, y1 - y0
        made["chroma_left"], made["chroma_top"] = min(x0 // 2, 2), min(y0 // 2, 2)
        made["chroma_right"], made["chroma_bottom"] = min(17 - (x1 + 1) // 2, 2), min(11 - (y1 + 1) // 2, 2)
        out = bench.empty((y1 - y0, x1 - x0, 3), np.uint8)
        launch.rgb_from_yuv(bench.stream, bench.put(made), bench.put(packed(planes)), out)
        bench.stream.wait()
        assert np.array_equal(out.array, whole[y0:y1, x0:x1])


def test_a_picture_of_more_tiles_than_blocks() -> None:
    spec, rng = SPECS[0], np.random.default_rng(1)
    planes = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((300, 1100), (150, 550), (150, 550))]
    assert launch.YUV_BLOCKS < (1100 // 64) * (300 // 16)
    rgb = to_rgb(Bench(), planes, spec)
    apart = np.abs(rgb.astype(int) - yuv_to_rgb(planes, spec))
    assert apart.max() <= 2, "noise is rough on fixed point"
    assert (apart > 1).mean() < 1e-4
