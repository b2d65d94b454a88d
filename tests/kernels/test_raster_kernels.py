"""Rasterising, interpolating and softening on the processor against the CPU lane's, on heaps of triangles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.kernels.cpu.gain import changed_extent
from rtfilter.render.cpu import STILL_PX, Field, _changed_box
from rtfilter.system.arrays import Box
from tests.kernels.grids import Drawn, Grids, Heap, heap, on_cpu
from tests.kernels.on_host import Bench, in_both_orders


def same(got: Drawn, want: Drawn) -> None:
    """Measured on 400 such heaps: labels all the same, the flow at most 1.5e-6 apart."""
    assert np.array_equal(got.label, want.label)
    assert np.abs(got.flow - want.flow).max(initial=0.0) < 1e-5
    assert np.abs(got.soft - want.soft).max(initial=0.0) < 1e-5
    assert not got.keys.any(), "ready for the next frame"


@given(st.integers(0, 2**20), st.integers(1, 120), st.tuples(st.integers(2, 40), st.integers(2, 40)))
@settings(max_examples=40, deadline=None)
def test_any_heap_of_triangles(seed: int, triangles: int, grid: tuple[int, int]) -> None:
    one = heap(seed, triangles, grid)
    (got,) = Grids(Bench()).draw([one])
    same(got, on_cpu(one))


@pytest.mark.parametrize("triangles", [1, 7, 8, 9, 340])
@pytest.mark.parametrize("grid", [(3, 3), (16, 16), (16, 80), (17, 15), (515, 4), (3, 515)])
def test_sizes_around_the_blocks_in_both_orders(triangles: int, grid: tuple[int, int]) -> None:
    one = heap(triangles, triangles, grid)
    want = on_cpu(one)
    for bench in in_both_orders():
        (got,) = Grids(bench).draw([one])
        same(got, want)


def test_the_largest_grid() -> None:
    one = heap(3, 50, (515, 515))
    (got,) = Grids(Bench()).draw([one], blocks_of_flow=192)
    same(got, on_cpu(one))


@pytest.mark.parametrize("z", [0.0, -0.0, 5.5, -123.4, 1e-30])
def test_the_first_of_equal_triangles_wins(z: float) -> None:
    one = heap(5, 60, (30, 30))
    one.vertices[:, 2] = z
    one.vertices[::2, 2] = -z if z == 0.0 else z  # 0 and -0 are equally near
    want = on_cpu(one)
    for bench in in_both_orders():
        (got,) = Grids(bench).draw([one])
        same(got, want)


def test_a_pile_of_one_triangle_shows_its_first() -> None:
    corners = np.float32([[0, 0, 1.25], [20, 1, 7.75], [3, 18, -2.5]])
    pile = Heap(
        np.tile(corners, (40, 1)),
        np.repeat(np.arange(40, dtype=np.float32), 3)[:, None] * np.ones(2, np.float32),
        np.arange(120, dtype=np.int32).reshape(-1, 3),
        np.arange(40, dtype=np.uint8) % 5 + 1,
        (20, 20),
    )
    for bench in in_both_orders():
        (got,) = Grids(bench).draw([pile])
        assert set(np.unique(got.label)) == {0, 1}
        assert not got.flow.any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e30])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_vertices_of_no_numbers_draw_nothing_of_their_own(bad: float, column: int) -> None:
    one = heap(7, 30, (24, 24))
    broken = (one.triangles == 5).any(1)
    one.vertices[5, column] = bad
    (got,) = Grids(Bench()).draw([one])  # the memory's guards are looked at
    assert got.label.max() <= 5
    if not np.isfinite(bad):
        rest = Heap(one.vertices, one.offsets, one.triangles[~broken], one.labels[~broken], one.grid)
        rest.vertices[5] = 0.0
        keep = on_cpu(rest)
        if np.isnan(bad) or column < 2:
            assert np.array_equal(got.label, keep.label)


def test_memory_is_clean_for_the_next_frame() -> None:
    grids = Grids(Bench())
    first, second = heap(1, 80, (40, 30)), heap(2, 80, (25, 37))
    for one in (first, second, first):
        (got,) = grids.draw([one])
        same(got, on_cpu(one))


def test_three_at_once_are_three_alone() -> None:
    heaps = [heap(20, 60, grid) for grid in ((20, 31), (33, 9), (12, 12))]
    for one in heaps[1:]:
        one.triangles, one.labels = heaps[0].triangles, heaps[0].labels
    for one, got in zip(heaps, Grids(Bench(), 3).draw(heaps), strict=True):
        same(got, on_cpu(one))


def box_of(report: np.ndarray, prefix: str = "") -> Box | None:
    box = Box(*(int(report[prefix + name]) for name in ("x0", "y0", "x1", "y1")))
    return box if box.x0 < box.x1 else None


@given(
    st.integers(0, 2**20), st.floats(-300, 900), st.floats(-300, 900), st.floats(1.0, 20.0), st.integers(1, 7)
)
@settings(max_examples=60, deadline=None)
def test_the_changed_box_is_the_cpu_lanes(seed: int, x: float, y: float, cell: float, count: int) -> None:
    rng = np.random.default_rng(seed)
    one = heap(seed, int(rng.integers(1, 6)), (int(rng.integers(2, 40)), int(rng.integers(2, 40))))
    one.offsets *= rng.choice([0.001, 0.01, 0.1, 1.0])
    origin = tuple(float(v) for v in np.float32([x, y, cell]))
    size = (int(rng.integers(1, 700)), int(rng.integers(1, 700)))
    (got,) = Grids(Bench()).draw([one], origin, Box(0, 0, *size), size, count)
    field = Field(got.soft, np.zeros((0, 0), np.float32), np.float32(origin))
    want = _changed_box(field, 0.002, *size)
    assert box_of(got.report) == box_of(got.report, "wanted_") == want
    extent = changed_extent(got.soft, np.zeros((0, 0), np.float32), STILL_PX * 0.7, 0.0)
    if extent[2] >= extent[0]:
        assert tuple(int(got.report[name]) for name in ("left", "top", "right", "bottom")) == extent
    assert got.report["finished"] == count


@pytest.mark.parametrize(
    ("region", "cut"),
    [
        (Box(0, 0, 200, 150), Box(46, 56, 92, 106)),
        (Box(60, 70, 80, 90), Box(60, 70, 80, 90)),
        (Box(48, 58, 90, 112), Box(48, 58, 90, 106)),
        (Box(100, 0, 150, 150), None),
        (Box(0, 112, 200, 150), None),
    ],
    ids=["holds it", "within it", "cuts it", "beside it", "below it"],
)
def test_the_box_is_cut_to_the_region_and_the_wanted_box_is_reported(region: Box, cut: Box | None) -> None:
    square = np.float32([[2, 2, 0], [22, 2, 0], [22, 24, 0], [2, 24, 0]])
    one = Heap(
        square, np.ones((4, 2), np.float32), np.int32([[0, 1, 2], [0, 2, 3]]), np.uint8([1, 1]), (30, 30)
    )
    (got,) = Grids(Bench()).draw([one], (45.0, 55.0, 2.0), region, (200, 150))
    assert box_of(got.report, "wanted_") == Box(46, 56, 92, 106)
    assert box_of(got.report) == cut


def test_nothing_to_draw_is_no_box() -> None:
    one = heap(1, 10, (0, 0))
    (got,) = Grids(Bench()).draw([one])
    assert box_of(got.report) is box_of(got.report, "wanted_") is None
