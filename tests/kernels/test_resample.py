"""Warped resampling: untouched, exact, or equal to the same filter in plain NumPy; never out of bounds."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.kernels.cpu.resample import (
    MARGIN_PX,
    PHASES,
    filter_weights,
    lane_weights,
    resample_rows,
)
from rtfilter.system.arrays import Box

STILL_PX = 1 / 24
WEIGHTS = {taps: filter_weights(taps) for taps in (4, 6)}
LANES = {taps: lane_weights(WEIGHTS[taps]) for taps in (4, 6)}

NO_GAIN = (np.zeros((0, 0), np.float32), np.ones(4, np.float32), 0.002)

both_filters = pytest.mark.parametrize("taps", [4, 6])


def picture(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def resampled(
    rgb: np.ndarray,
    flow: np.ndarray,
    origin: tuple[float, float, float],
    taps: int,
    box: Box | None = None,
    source: Box | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """The picture with `box` (default: all of it) painted from the part `source` (default: all) of it."""
    height, width = rgb.shape[:2]
    x0, y0, x1, y1 = box or (0, 0, width, height)
    sx0, sy0, sx1, sy1 = source or (0, 0, width, height)
    part = np.pad(
        rgb[sy0:sy1, sx0:sx1], ((MARGIN_PX, MARGIN_PX), (MARGIN_PX, MARGIN_PX), (0, 0)), mode="edge"
    )
    rgbx = np.concatenate([part, np.full((*part.shape[:2], 1), 255, np.uint8)], axis=2)
    flat = np.ascontiguousarray(rgbx).reshape(rgbx.shape[0], -1)
    target = rgb.copy() if out is None else out
    bounds, place = np.array([x0, y0, x1, y1, sx0, sy0, 0, 0], np.int32), np.array(origin, np.float32)
    filters = (WEIGHTS[taps], LANES[taps], STILL_PX, *NO_GAIN)
    middle = (y0 + y1) // 2
    for first, last in ((y0, middle), (middle, y1)):
        resample_rows(flat, flow.astype(np.float32), place, *filters, bounds, target, first, last)
    return target


def constant(x: float, y: float) -> np.ndarray:
    return np.tile(np.float32([x, y]), (4, 4, 1))


def reference(rgb: np.ndarray, moves: np.ndarray, taps: int) -> np.ndarray:
    """The same filter in float64: moves float [H, W, 2], every pixel by its own phase."""
    height, width = rgb.shape[:2]
    before, pad = taps // 2 - 1, 32
    padded = np.pad(rgb.astype(np.float64), ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    out = rgb.astype(np.float64)
    for y in range(height):
        for x in range(width):
            dx, dy = moves[y, x]
            if np.hypot(dx, dy) < STILL_PX:
                continue
            (jx, px), (jy, py) = (divmod(round(d * PHASES), PHASES) for d in (dx, dy))
            jx, jy = x + pad + jx, y + pad + jy
            across, down = (WEIGHTS[taps][p].astype(np.float64) for p in (px, py))
            patch = padded[jy - before : jy - before + taps, jx - before : jx - before + taps]
            out[y, x] = np.einsum("i,j,ijc->c", down, across, patch)
    return out.clip(0.0, 255.0)


@both_filters
def test_the_weights_are_a_filter(taps: int) -> None:
    weights = WEIGHTS[taps].astype(np.float64)
    assert weights.shape == (PHASES, taps)
    assert weights.sum(1) == pytest.approx(1.0, abs=1e-6)
    alone = np.zeros(taps)
    alone[taps // 2 - 1] = 1.0
    assert weights[0] == pytest.approx(alone, abs=1e-6), "a whole shift is a copy"
    assert weights[1:] == pytest.approx(weights[:0:-1, ::-1], abs=1e-5), "left and right are alike"
    half = weights[PHASES // 2]
    assert half == pytest.approx(half[::-1], abs=1e-6)
    assert LANES[taps][:, : 4 * taps].reshape(PHASES, taps, 4) == pytest.approx(
        np.repeat(WEIGHTS[taps][..., None], 4, axis=2)
    )
    assert not LANES[taps][:, 4 * taps :].any()


@pytest.mark.parametrize(("taps", "cycles", "loss"), [(4, 0.2, 0.05), (6, 0.2, 0.03), (6, 0.33, 0.08)])
def test_a_shift_keeps_contrast(taps: int, cycles: float, loss: float) -> None:
    """How far a wave of up to `cycles` a pixel is off, of its amplitude, at the filter's worst phase.
    OpenCV's cubic: 0.032 and 0.21."""
    places = np.arange(taps) - (taps // 2 - 1)
    for frequency in np.linspace(0.0, cycles, 20):
        phases = np.arange(PHASES)[:, None] / PHASES
        response = (WEIGHTS[taps] * np.exp(2j * np.pi * frequency * (places - phases))).sum(1)
        assert np.abs(response - 1.0).max() < loss


@both_filters
@pytest.mark.parametrize("size", [0.0, 0.02, -0.04])
def test_what_is_still_is_not_touched(taps: int, size: float) -> None:
    rgb = picture(31, 17)
    assert np.array_equal(resampled(rgb, constant(size, 0.0), (0, 0, 16), taps), rgb)


@both_filters
@pytest.mark.parametrize("shift", [(1, 0), (0, -1), (3, 2), (-5, 7), (0, 1)])
def test_whole_shifts_are_exact_copies(taps: int, shift: tuple[int, int]) -> None:
    rgb = picture(40, 30)
    out = resampled(rgb, constant(*shift), (0, 0, 16), taps)
    padded = np.pad(rgb, ((8, 8), (8, 8), (0, 0)), mode="edge")
    assert np.array_equal(out, padded[8 + shift[1] : 38 + shift[1], 8 + shift[0] : 48 + shift[0]])


@given(st.integers(0, 2**20), st.sampled_from([4, 6]), st.floats(0.3, 6.0))
@settings(max_examples=12, deadline=None)
def test_any_flow_agrees_with_the_reference(seed: int, taps: int, strength: float) -> None:
    """The grid's flow is interpolated linearly: here by NumPy. At most a level apart, from rounding, but for
    the few pixels whose phase rounds the other way."""
    rng = np.random.default_rng(seed)
    rgb, cell = picture(21, 15, seed), 5.0
    flow = rng.normal(0.0, strength, (6, 8, 2)).astype(np.float32).clip(-12, 12)
    origin = (-4.0, -3.0, cell)
    gx = (np.arange(21) + 0.5 - origin[0]) / cell - 0.5
    gy = (np.arange(15) + 0.5 - origin[1]) / cell - 0.5
    j, i = gx.astype(int), gy.astype(int)
    tx, ty = (gx - j)[None, :, None], (gy - i)[:, None, None]
    top = flow[i][:, j] * (1 - ty) + flow[i + 1][:, j] * ty
    right = flow[i][:, j + 1] * (1 - ty) + flow[i + 1][:, j + 1] * ty
    want = reference(rgb, top * (1 - tx) + right * tx, taps)
    difference = np.abs(resampled(rgb, flow, origin, taps).astype(np.float64) - want)
    assert (difference <= 1.0).mean() > 0.95
    assert difference.max() < 8.0


@both_filters
@pytest.mark.parametrize("shift", [(0.5, 0.5), (0.25, -0.75), (-1.37, 2.11)])
def test_waves_are_where_they_should_be(taps: int, shift: tuple[float, float]) -> None:
    """Waves of 6 px and longer, amplitude 100, against their exact values. Measured: at most 1.7 levels with
    six taps, of which rounding is 1, and 5.5 with four."""

    def waves(x0: float, y0: float) -> np.ndarray:
        y, x = np.mgrid[:40, :48].astype(np.float64)
        x, y = x + x0, y + y0
        planes = [
            128 + 60 * np.sin(x * a + y * b) + 40 * np.sin(y * a)
            for a, b in ((0.8, 0.5), (1.0, -0.2), (0.3, 0.9))
        ]
        return np.stack(planes, axis=2)

    rgb = waves(0, 0).round().astype(np.uint8)
    out = resampled(rgb, constant(*shift), (0, 0, 24), taps)
    inside = (slice(6, -6), slice(6, -6))
    assert np.abs(out - waves(*shift))[inside].max() < (8.0 if taps == 4 else 3.0)


@both_filters
@pytest.mark.parametrize("value", [1e6, -1e6, 3e38, -3e38, np.inf, -np.inf, np.nan])
def test_an_absurd_flow_reads_and_writes_nothing_foreign(taps: int, value: float) -> None:
    """Every sample comes from a picture of one colour, so anything else was read beyond it."""
    rgb = np.full((20, 26, 3), 90, np.uint8)
    flow = np.zeros((6, 6, 2), np.float32)
    flow[1:4, 2:5] = value
    flow[4, 1, 1] = value
    canvas = np.full((20 + 16, 26, 3), 211, np.uint8)
    canvas[8:-8] = rgb
    resampled(rgb, flow, (-2, -2, 5), taps, out=canvas[8:-8])
    assert (canvas == 211).sum() == 16 * 26 * 3, "rows above and below the picture are not written"
    assert set(np.unique(canvas[8:-8])) <= {89, 90, 91}


@both_filters
@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1), (2, 2), (7, 5), (33, 19)])
@pytest.mark.parametrize("shift", [(0.5, 0.5), (40.0, -40.0), (-3.3, 0.0)])
def test_any_size(taps: int, size: tuple[int, int], shift: tuple[float, float]) -> None:
    rgb = np.full((size[1], size[0], 3), 77, np.uint8)
    assert (resampled(rgb, constant(*shift), (-8, -8, 16), taps) == 77).all()


@both_filters
def test_only_the_box_is_written(taps: int) -> None:
    rgb = picture(40, 30)
    out = resampled(rgb, constant(2.5, 1.5), (0, 0, 20), taps, box=(10, 6, 25, 19))
    outside = np.ones((30, 40), bool)
    outside[6:19, 10:25] = False
    assert np.array_equal(out[outside], rgb[outside])
    whole = resampled(rgb, constant(2.5, 1.5), (0, 0, 20), taps)
    assert np.array_equal(out[~outside], whole[~outside]), "and the box does not change what is in it"


@both_filters
def test_a_part_of_the_source_is_enough_and_beyond_it_is_its_edge(taps: int) -> None:
    rgb = picture(60, 40)
    box, enough, short = (20, 10, 40, 30), (12, 4, 52, 38), (20, 10, 44, 34)
    whole, part = (resampled(rgb, constant(2.5, 1.5), (0, 0, 40), taps, box, s) for s in (None, enough))
    assert np.array_equal(part, whole)
    edged = resampled(rgb, constant(30.25, 0.0), (0, 0, 40), taps, box, short)
    assert np.array_equal(edged[10:30, 20:40], np.repeat(rgb[10:30, 43:44], 20, axis=1))


@both_filters
@pytest.mark.parametrize("level", [0, 255])
def test_overshoot_is_clipped_and_not_wrapped(taps: int, level: int) -> None:
    rgb = np.full((20, 20, 3), 255 - level, np.uint8)
    rgb[:, 10:] = level
    out = resampled(rgb, constant(0.5, 0.0), (0, 0, 10), taps).astype(int)
    assert np.abs(out[:, :7] - (255 - level)).max() <= 12
    assert np.abs(out[:, 13:] - level).max() <= 12


def test_it_is_sharper_than_the_usual_cubic() -> None:
    """Half a pixel, the worst phase, on a natural mixture of scales: error against the finer original."""
    rng = np.random.default_rng(1)
    fine = cv2.GaussianBlur(rng.uniform(0, 255, (256, 256, 3)).astype(np.float32), (0, 0), 1.6)
    fine = ((fine - fine.mean()) * 4 + 128).clip(0, 255)
    rgb, want = fine[::2, ::2].round().astype(np.uint8), fine[::2, 1::2]
    inside = (slice(8, -8), slice(8, -8))
    ours = resampled(rgb, constant(0.5, 0.0), (0, 0, 64), 6)
    x, y = np.meshgrid(np.arange(128, dtype=np.float32) + 0.5, np.arange(128, dtype=np.float32))
    cubic = cv2.remap(rgb, x, y, cv2.INTER_CUBIC)
    errors = [np.sqrt(((out.astype(np.float64) - want)[inside] ** 2).mean()) for out in (ours, cubic)]
    assert errors[0] < 0.75 * errors[1]
