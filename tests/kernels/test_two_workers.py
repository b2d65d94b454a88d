"""Two threads that paint one picture: what one alone paints, once, and nothing is written afterwards."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from rtfilter.colour import YuvSpec
from rtfilter.kernels.cpu.add_edit import paint_planes_shared
from rtfilter.kernels.cpu.resample import MARGIN_PX, resample_rows, resample_shared
from rtfilter.kernels.cpu.two_workers import begin, finish, first_progress
from rtfilter.planes import Planes
from rtfilter.system.arrays import Box
from tests.kernels.test_resample import LANES, NO_GAIN, WEIGHTS, picture


@pytest.mark.parametrize("late", [0.0, 0.002])
def test_two_workers_paint_what_one_does(late: float) -> None:
    """From both ends, at once or with one starting late, over and over: the same bytes, nothing left out."""
    rgb, rng = picture(200, 160), np.random.default_rng(5)
    flow = rng.normal(0.0, 1.5, (18, 22, 2)).astype(np.float32)
    place = np.array([0.0, 0.0, 10.0], np.float32)
    weights, lanes = WEIGHTS[6], LANES[6]
    padded = np.pad(rgb, ((MARGIN_PX, MARGIN_PX), (MARGIN_PX, MARGIN_PX), (0, 0)), mode="edge")
    flat = np.concatenate([padded, np.zeros_like(padded[..., :1])], axis=2).reshape(len(padded), -1)
    bounds = np.array([0, 0, 200, 160, 0, 0, 0, 0], np.int32)
    alone = rgb.copy()
    resample_rows(flat, flow, place, weights, lanes, 0.01, *NO_GAIN, bounds, alone, 0, 160)
    for _ in range(50):
        shared, progress = rgb.copy(), first_progress(0, 160)
        arguments = (flat, flow, place, weights, lanes, 0.01, *NO_GAIN, bounds, shared, progress)
        helper = threading.Timer(late, resample_shared, (*arguments, False))
        helper.start()
        if not resample_shared(*arguments, True):
            helper.join()
        assert progress[0] >= progress[1]
        assert np.array_equal(shared, alone), "all, and nothing is written any more"
        shared[...] = 0
        helper.join()
        assert not shared.any()


def test_a_worker_that_does_not_come_to_an_end_is_not_waited_for() -> None:
    """By the kernel: its caller then waits for the thread."""
    progress = first_progress(0, 0)
    begin(progress, False)
    assert not finish(progress, True)
    assert finish(progress, False)
    assert finish(progress, True)


@pytest.mark.parametrize("late", [0.0, 0.002])
@pytest.mark.parametrize("height", [160, 157])
def test_two_workers_add_the_edit_to_planes_once(late: float, height: int) -> None:
    """Rows that both have painted, too: an edit that was added twice would show."""
    rng = np.random.default_rng(6)
    flow = rng.normal(0.0, 1.5, (18, 22, 2)).astype(np.float32)
    place = np.array([0.0, 0.0, 10.0], np.float32)
    chroma = ((height + 1) // 2, 100)
    luma, cb, cr = (rng.integers(0, 256, shape, np.uint8) for shape in ((height, 200), chroma, chroma))
    source = Planes(luma, cb, cr, (1, 1), YuvSpec("bt709", full_range=False))
    padded = np.pad(source.rgb, ((MARGIN_PX, MARGIN_PX), (MARGIN_PX, MARGIN_PX), (0, 0)), mode="edge")
    flat = np.concatenate([padded, np.zeros_like(padded[..., :1])], axis=2).reshape(len(padded), -1)
    bounds = np.array([0, 0, 200, height, 0, 0, 0, 0], np.int32)
    how = (flat, flow, place, WEIGHTS[6], LANES[6], 0.01, *NO_GAIN, bounds)
    painted = source.rgb.copy()
    resample_rows(*how, painted, 0, height)
    expected = source.with_edit(source.rgb, painted, Box(0, 0, 200, height))
    matrix = source.spec.yuv_from_rgb.astype(np.float32)
    for _ in range(50):
        after, out, progress = source.rgb.copy(), source.copy(), first_progress(0, height)
        planes = ((luma, cb, cr), after, matrix, (1, 1), tuple(out.all), progress)
        helper = threading.Timer(late, paint_planes_shared, (*how, *planes, False))
        helper.start()
        if not paint_planes_shared(*how, *planes, True):
            helper.join()
        for plane, wanted in zip(out.all, expected.all, strict=True):
            assert np.array_equal(plane, wanted)
