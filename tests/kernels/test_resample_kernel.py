"""The resampling kernel on the processor against the CPU lane's: any flow, box, region and size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.kernels import blocks
from rtfilter.kernels.cpu.resample import MARGIN_PX, filter_weights, lane_weights, resample_rows
from rtfilter.kernels.topology import MESH_OPENINGS_MAX
from rtfilter.kernels.warp import GRID_CELLS, IRIS_NUMBERS, RESAMPLE_TILE_X, RESAMPLE_TILE_Y, weight_table
from tests.faces import texture
from tests.kernels.on_host import Bench, Box, in_both_orders, padded_rows

STILL_PX = 1 / 24
WEIGHTS = {taps: filter_weights(taps) for taps in (4, 6)}
Origin = tuple[float, float, float]
both_filters = pytest.mark.parametrize("taps", [4, 6])


def twin(rgb: np.ndarray, flow: np.ndarray, origin: Origin, taps: int, box: Box, region: Box) -> np.ndarray:
    """The picture with `box` painted by the CPU lane from the part `region`."""
    sx0, sy0, sx1, sy1 = region
    margin = ((MARGIN_PX, MARGIN_PX), (MARGIN_PX, MARGIN_PX), (0, 0))
    part = np.pad(rgb[sy0:sy1, sx0:sx1], margin, mode="edge")
    rgbx = np.concatenate([part, np.full((*part.shape[:2], 1), 255, np.uint8)], axis=2)
    flat = np.ascontiguousarray(rgbx).reshape(rgbx.shape[0], -1)
    out, bounds = rgb.copy(), np.array([*box, sx0, sy0, 0, 0], np.int32)
    no_gain = (np.zeros((0, 0), np.float32), np.ones(4, np.float32), 0.002)
    filters = (WEIGHTS[taps], lane_weights(WEIGHTS[taps]), STILL_PX, *no_gain)
    resample_rows(flat, flow, np.float32(origin), *filters, bounds, out, box[1], box[3])
    return out


def launched(
    bench: Bench,
    jobs: list[tuple[np.ndarray, np.ndarray, Origin, int, Box, Box]],
    spare: int = 0,
    grid: int = 7,
) -> list[np.ndarray]:
    """What the kernel makes of each job: picture, flow, origin, taps, box and region, as of `twin`."""
    parameters, reports = np.zeros(len(jobs), blocks.RESAMPLE), np.zeros(len(jobs), blocks.REPORT)
    soft = np.zeros((len(jobs), GRID_CELLS, 2), np.float32)
    sources, changed_bytes = [], 0
    for n, (rgb, flow, origin, taps, box, (x0, y0, x1, y1)) in enumerate(jobs):
        rows = padded_rows(rgb[y0:y1, x0:x1], spare)
        parameters[n]["source_offset"] = sum(len(source) for source in sources)
        parameters[n]["source_pitch"] = rows.shape[1]
        for name, value in zip(("x", "y", "width", "height"), (x0, y0, x1 - x0, y1 - y0), strict=True):
            parameters[n][f"region_{name}"] = value
        pitch = (3 * (box[2] - box[0]) + 3) // 4 * 4 + 4 * spare
        parameters[n]["changed_offset"], parameters[n]["changed_pitch"] = changed_bytes, pitch
        changed_bytes += pitch * (box[3] - box[1])
        reports[n]["corner_x_px"], reports[n]["corner_y_px"], reports[n]["cell_px"] = origin
        reports[n]["rows"], reports[n]["columns"], reports[n]["taps"] = *flow.shape[:2], taps
        for name, value in zip(("x0", "y0", "x1", "y1"), box, strict=True):
            reports[n][name] = value
        soft[n, : flow.shape[0] * flow.shape[1]] = flow.reshape(-1, 2)
        sources.append(rows.ravel())
    changed = bench.put(np.full(max(changed_bytes, 1), 99, np.uint8))
    given_memory = (
        bench.put(parameters),
        bench.put(reports),
        bench.put(np.concatenate(sources)),
        bench.put(soft),
        bench.put(np.zeros(1, np.float32)),  # gains: nothing is lit
    )
    nothing = bench.put(np.full((len(jobs), MESH_OPENINGS_MAX, IRIS_NUMBERS), np.nan, np.float32))
    irises = (nothing, np.int32(0))
    block_size = (RESAMPLE_TILE_X, RESAMPLE_TILE_Y, 1)
    bench.stream.launch(
        "resample_box",
        (grid, 1, len(jobs)),
        block_size,
        *given_memory,
        bench.put(weight_table()),
        *irises,
        changed,
    )
    bench.stream.wait()
    made = []
    for n, (rgb, _, _, _, (x0, y0, x1, y1), _) in enumerate(jobs):
        first, pitch = int(parameters[n]["changed_offset"]), int(parameters[n]["changed_pitch"])
        rows = changed.array[first : first + pitch * (y1 - y0)].reshape(y1 - y0, pitch)
        out, wide = rgb.copy(), 3 * (x1 - x0)
        out[y0:y1, x0:x1] = rows[:, :wide].reshape(y1 - y0, x1 - x0, 3)
        assert not rows[:, wide : (wide + 3) // 4 * 4].any(), "the rest of a row's last word is zero"
        assert (rows[:, (wide + 3) // 4 * 4 :] == 99).all(), "what lies behind it is not written"
        made.append(out)
    return made


def whole(rgb: np.ndarray) -> Box:
    return 0, 0, rgb.shape[1], rgb.shape[0]


def waves(rng: np.random.Generator, rows: int, columns: int, strength: float) -> np.ndarray:
    """A smooth flow, as faces have it."""
    y, x = np.mgrid[:rows, :columns].astype(np.float64)
    a, b, c, d = rng.uniform(0.05, 0.3, 4)
    return (strength * np.stack([np.sin(a * x + b * y), np.cos(c * x - d * y)], axis=2)).astype(np.float32)


@both_filters
@pytest.mark.parametrize(
    "size", [(64, 4), (65, 5), (63, 3), (128, 8), (129, 9), (1, 1), (2, 3), (7, 40), (200, 150)]
)
def test_a_smooth_flow_is_the_cpu_lanes(taps: int, size: tuple[int, int]) -> None:
    """Measured: the same bytes in 65000 pixels. The room is for sums that round at a half with another
    compiler, which may fuse or reorder."""
    rgb, rng = texture(*size), np.random.default_rng(size[0])
    flow, origin = waves(rng, 40, 50, 4.0), (-3.0, -2.5, 4.5)
    want = twin(rgb, flow, origin, taps, whole(rgb), whole(rgb))
    for bench in in_both_orders():
        (got,) = launched(bench, [(rgb, flow, origin, taps, whole(rgb), whole(rgb))])
        apart = np.abs(got.astype(int) - want).max(2)
        assert apart.max() <= 1
        assert (apart > 0).mean() <= max(0.001, 1.1 / apart.size)


@given(
    st.integers(0, 2**20),
    st.sampled_from([4, 6]),
    st.tuples(st.integers(1, 80), st.integers(1, 20)),
    st.floats(0.0, 30.0),
    st.floats(1.0, 9.0),
)
@settings(max_examples=40, deadline=None)
def test_any_flow_on_noise(seed: int, taps: int, size: tuple[int, int], strength: float, cell: float) -> None:
    """Rough flow over noise, where the next phase, 1/256 px, is up to 3 levels: how a place rounds, shows.
    Measured: never more than one level in 150000 pixels. The room is for another compiler."""
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    flow = rng.normal(0.0, strength, (int(rng.integers(3, 30)), int(rng.integers(3, 30)), 2)).astype(
        np.float32
    )
    origin = (float(rng.uniform(-20, 20)), float(rng.uniform(-20, 20)), cell)
    want = twin(rgb, flow, origin, taps, whole(rgb), whole(rgb))
    (got,) = launched(Bench(), [(rgb, flow, origin, taps, whole(rgb), whole(rgb))])
    apart = np.abs(got.astype(int) - want).max(2)
    assert apart.max() <= 8
    assert (apart > 1).sum() <= max(0.01 * apart.size, 1)


@both_filters
@pytest.mark.parametrize("shift", [(1, 0), (-5, 7), (300, 0), (0, -300)])
def test_whole_shifts_are_exact_copies(taps: int, shift: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (30, 70, 3), dtype=np.uint8)
    flow = np.tile(np.float32(shift), (4, 4, 1))
    (got,) = launched(Bench(), [(rgb, flow, (0.0, 0.0, 20.0), taps, whole(rgb), whole(rgb))])
    y, x = np.mgrid[:30, :70]
    assert np.array_equal(got, rgb[(y + shift[1]).clip(0, 29), (x + shift[0]).clip(0, 69)])


@both_filters
@pytest.mark.parametrize("size", [0.0, 0.02, 0.029, -0.0294])
def test_what_is_still_keeps_its_bytes(taps: int, size: float) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (17, 70, 3), dtype=np.uint8)
    flow = np.full((4, 4, 2), size, np.float32)
    (got,) = launched(Bench(), [(rgb, flow, (0.0, 0.0, 20.0), taps, whole(rgb), whole(rgb))])
    assert np.array_equal(got, rgb)


@both_filters
@pytest.mark.parametrize("value", [1e6, -1e6, 3e38, -3e38, np.inf, -np.inf])
def test_an_absurd_flow_takes_the_edge_and_reads_nothing_foreign(taps: int, value: float) -> None:
    rgb = np.full((20, 26, 3), 90, np.uint8)
    flow = np.zeros((6, 6, 2), np.float32)
    flow[1:4, 2:5] = value
    (got,) = launched(Bench(), [(rgb, flow, (-2.0, -2.0, 5.0), taps, whole(rgb), whole(rgb))])
    assert set(np.unique(got)) <= {89, 90, 91}


@both_filters
def test_a_flow_that_is_no_number_leaves_the_pixel(taps: int) -> None:
    rgb = texture(60, 40)
    flow = np.full((10, 12, 2), 3.0, np.float32)
    flow[:, 6:] = np.nan
    (got,) = launched(Bench(), [(rgb, flow, (0.0, 0.0, 5.0), taps, whole(rgb), whole(rgb))])
    assert np.array_equal(got[:, 33:], rgb[:, 33:])
    assert (got[:, :24] != rgb[:, :24]).any()


@both_filters
@pytest.mark.parametrize(
    "box", [(0, 0, 2, 2), (99, 79, 101, 81), (0, 40, 101, 41), (50, 0, 51, 81), (10, 12, 77, 60)]
)
def test_a_box_anywhere_from_a_region_of_the_picture(taps: int, box: Box) -> None:
    """The region begins and ends where it will; what is sampled beyond it is its edge, as on the CPU."""
    rgb, rng = texture(101, 81), np.random.default_rng(box[0])
    flow, origin = waves(rng, 30, 30, 6.0), (-3.0, -2.0, 4.0)
    x0, y0, x1, y1 = box
    region = (max(x0 - 5, 0) & ~1, max(y0 - 4, 0) & ~1, min(x1 + 3, 101), min(y1 + 4, 81))
    want = twin(rgb, flow, origin, taps, box, region)
    for spare in (0, 3):
        (got,) = launched(Bench(), [(rgb, flow, origin, taps, box, region)], spare)
        apart = np.abs(got.astype(int) - want).max(2)
        assert apart.max() <= 1
        assert (apart > 0).sum() <= 3


def test_an_empty_box_writes_nothing() -> None:
    rgb, flow = texture(32, 32), np.ones((4, 4, 2), np.float32)
    (got,) = launched(Bench(), [(rgb, flow, (0.0, 0.0, 9.0), 6, (8, 8, 8, 8), whole(rgb))])
    assert np.array_equal(got, rgb)


def test_how_many_blocks_there_are_does_not_show() -> None:
    rgb, flow = texture(300, 40), waves(np.random.default_rng(1), 20, 80, 5.0)
    job = (rgb, flow, (-2.0, -2.0, 4.0), 6, whole(rgb), whole(rgb))
    first, *others = (launched(Bench(), [job], grid=count)[0] for count in (1, 2, 49, 50, 51, 200))
    assert all(np.array_equal(first, other) for other in others)


def test_three_at_once_are_three_alone() -> None:
    jobs = []
    for n in range(3):
        rgb, rng = texture(90 + n, 50 + n, n), np.random.default_rng(n)
        region = (2 * n, 2, 90, 50)
        jobs.append(
            (
                rgb,
                waves(rng, 30 + n, 40, 4.0),
                (-2.0, -3.0, 3.0 + n),
                (4, 6, 4)[n],
                (4 + n, 4, 80, 44),
                region,
            )
        )
    together = launched(Bench(), jobs)
    for n in range(3):
        assert np.array_equal(together[n], launched(Bench(), jobs[n : n + 1])[0])
