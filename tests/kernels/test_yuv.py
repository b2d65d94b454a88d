"""The YUV kernels on the processor against rtfilter/colour.py: every matrix, range, layout, and odd sizes."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.colour import MATRICES, YuvSpec, rgb_to_yuv, yuv_to_rgb
from rtfilter.kernels import blocks, launch
from tests.faces import texture
from tests.kernels.on_host import Bench, block, in_both_orders, padded_rows

SIZES = [(64, 16), (66, 18), (63, 15), (65, 17), (1, 1), (2, 2), (3, 1), (1, 5), (160, 90)]
SPECS = [YuvSpec(name, full) for name in MATRICES for full in (False, True)]
layouts = pytest.mark.parametrize("nv12", [True, False], ids=["NV12", "I420"])


def packed(planes: list[np.ndarray], nv12: bool) -> np.ndarray:
    luma, cb, cr = planes
    chroma = np.stack([cb, cr], axis=2).ravel() if nv12 else np.concatenate([cb.ravel(), cr.ravel()])
    return np.concatenate([luma.ravel(), chroma])


def parameters_of(rgb_rows: np.ndarray, size: tuple[int, int], nv12: bool, matrix: np.ndarray) -> np.ndarray:
    made = block(
        blocks.YUV, rgb_pitch=rgb_rows.shape[1], width=size[0], height=size[1], matrix=matrix.ravel()
    )
    (blocks.set_nv12 if nv12 else blocks.set_i420)(made, *size)
    return made


def to_rgb(bench: Bench, planes: list[np.ndarray], spec: YuvSpec, nv12: bool) -> np.ndarray:
    height, width = planes[0].shape
    rows = padded_rows(np.zeros((height, width, 3), np.uint8), spare=1)
    out = bench.put(rows)
    made = parameters_of(rows, (width, height), nv12, spec.rgb_from_yuv)
    launch.rgb_from_yuv(bench.stream, bench.put(made), bench.put(packed(planes, nv12)), out)
    bench.stream.wait()
    assert (out.array[:, 3 * width :] == 77).all(), "what lies behind a row was written"
    return out.array[:, : 3 * width].reshape(height, width, 3)


def to_yuv(bench: Bench, rgb: np.ndarray, spec: YuvSpec, nv12: bool) -> np.ndarray:
    height, width = rgb.shape[:2]
    rows = padded_rows(rgb)
    made = parameters_of(rows, (width, height), nv12, spec.yuv_from_rgb)
    out = bench.empty(blocks.set_i420(block(blocks.YUV), width, height), np.uint8)
    launch.yuv_from_rgb(bench.stream, bench.put(made), bench.put(rows), out)
    bench.stream.wait()
    return out.array


@layouts
@pytest.mark.parametrize("size", SIZES)
def test_yuv_becomes_the_rgb_of_the_cpu_lane(size: tuple[int, int], nv12: bool) -> None:
    """Measured: one level apart at most, from OpenCV's fixed point."""
    width, height = size
    rng = np.random.default_rng(width)
    small = ((height + 1) // 2, (width + 1) // 2)
    planes = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((height, width), small, small)]
    for spec in SPECS:
        want = yuv_to_rgb(planes, spec).astype(int)
        for bench in in_both_orders():
            assert np.abs(to_rgb(bench, planes, spec, nv12) - want).max() <= 1


@layouts
@pytest.mark.parametrize("size", SIZES)
def test_rgb_becomes_the_yuv_of_the_cpu_lane(size: tuple[int, int], nv12: bool) -> None:
    """Measured: one level apart at most, where OpenCV rounds otherwise."""
    width, height = size
    rgb = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    for spec in SPECS:
        want = packed(rgb_to_yuv(rgb, spec, 1, 1), nv12).astype(int)
        for bench in in_both_orders():
            assert np.abs(to_yuv(bench, rgb, spec, nv12) - want).max() <= 1


@pytest.mark.parametrize(
    "spec", SPECS, ids=lambda spec: f"{spec.matrix}-{'full' if spec.full_range else 'limited'}"
)
def test_there_and_back_again(spec: YuvSpec) -> None:
    """What 4:2:0 loses of a smooth picture, and no more. Measured: 3 levels at most, 0.45 on average."""
    y, x = np.mgrid[:48, :64]
    rgb = np.stack([2 * x + 60, 3 * y + 40, 250 - 2 * x], axis=2).astype(np.uint8)
    yuv = to_yuv(Bench(), rgb, spec, False)
    planes = [yuv[: 48 * 64].reshape(48, 64), *yuv[48 * 64 :].reshape(2, 24, 32)]
    back = to_rgb(Bench(), planes, spec, False)
    assert np.abs(back.astype(int) - rgb)[2:-2, 2:-2].max() <= 3


@pytest.mark.parametrize("grey", [0, 16, 126, 235, 255])
def test_grey_stays_grey(grey: int) -> None:
    rgb = np.full((7, 9, 3), grey, np.uint8)
    for spec in SPECS:
        yuv = to_yuv(Bench(), rgb, spec, True)
        assert (yuv[63:] == 128).all()
        planes = [yuv[:63].reshape(7, 9), *(np.full((4, 5), 128, np.uint8) for _ in range(2))]
        assert np.abs(to_rgb(Bench(), planes, spec, True).astype(int) - grey).max() <= 1


def test_three_at_once_are_three_alone() -> None:
    spec, pictures = YuvSpec("bt709", False), [texture(33 + 2 * n, 21, n) for n in range(3)]
    alone = [to_yuv(Bench(), rgb, spec, True) for rgb in pictures]
    bench, rows = Bench(), [padded_rows(rgb) for rgb in pictures]
    made = [
        parameters_of(r, p.shape[1::-1], True, spec.yuv_from_rgb) for r, p in zip(rows, pictures, strict=True)
    ]
    starts = np.cumsum([0, *(len(yuv) for yuv in alone)])
    for n in range(3):
        blocks.set_nv12(made[n], pictures[n].shape[1], 21, int(starts[n]))
        made[n]["rgb_offset"] = sum(r.size for r in rows[:n])
    out = bench.empty(int(starts[-1]), np.uint8)
    source = bench.put(np.concatenate([r.ravel() for r in rows]))
    launch.yuv_from_rgb(bench.stream, bench.put(np.concatenate(made)), source, out)
    bench.stream.wait()
    assert np.array_equal(out.array, np.concatenate(alone))


@layouts
@pytest.mark.parametrize(
    "part", [(0, 0, 20, 10), (4, 2, 30, 21), (2, 4, 8, 6), (22, 12, 33, 21), (32, 20, 33, 21)]
)
def test_a_part_of_a_picture_is_converted_as_the_whole(part: tuple[int, int, int, int], nv12: bool) -> None:
    """The filter of chroma reads what lies around it, as much as it is told of: two samples are enough."""
    rng, spec = np.random.default_rng(5), SPECS[0]
    planes = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((21, 33), (11, 17), (11, 17))]
    x0, y0, x1, y1 = part
    for bench in in_both_orders():
        whole = to_rgb(bench, planes, spec, nv12)
        made = block(blocks.YUV, rgb_pitch=3 * (x1 - x0), matrix=spec.rgb_from_yuv.ravel())
        (blocks.set_nv12 if nv12 else blocks.set_i420)(made, 33, 21)
        made["luma_offset"] += y0 * made["luma_pitch"] + x0
        for chroma in ("cb_offset", "cr_offset"):
            made[chroma] += y0 // 2 * made["chroma_pitch"] + x0 // 2 * made["chroma_step"]
        made["width"], made["height"] = x1 - x0, y1 - y0
        made["chroma_left"], made["chroma_top"] = min(x0 // 2, 2), min(y0 // 2, 2)
        made["chroma_right"], made["chroma_bottom"] = min(17 - (x1 + 1) // 2, 2), min(11 - (y1 + 1) // 2, 2)
        out = bench.empty((y1 - y0, x1 - x0, 3), np.uint8)
        launch.rgb_from_yuv(bench.stream, bench.put(made), bench.put(packed(planes, nv12)), out)
        bench.stream.wait()
        assert np.array_equal(out.array, whole[y0:y1, x0:x1])


def test_a_picture_of_more_tiles_than_blocks() -> None:
    spec, rng = SPECS[0], np.random.default_rng(1)
    planes = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((300, 1100), (150, 550), (150, 550))]
    assert launch.YUV_BLOCKS < (1100 // 64) * (300 // 16)
    rgb = to_rgb(Bench(), planes, spec, False)
    apart = np.abs(rgb.astype(int) - yuv_to_rgb(planes, spec))
    assert apart.max() <= 2, "noise is rough on fixed point"
    assert (apart > 1).mean() < 1e-4
    want = packed(rgb_to_yuv(rgb, spec, 1, 1), False).astype(int)
    assert np.abs(to_yuv(Bench(), rgb, spec, False) - want).max() <= 1
