"""The store kernel on the processor against its twin: every alignment, every edge, nothing beyond."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.kernels import blocks, launch, twins
from tests.kernels.on_host import Bench, Box, block, in_both_orders, padded_rows


def noise(width: int, height: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def stored(
    bench: Bench, size: tuple[int, int], corner: tuple[int, int], box: Box, spare: int = 0, first: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """What the kernel and what the twin make of a target of `size` at `corner`, whose first pixel lies at
    byte `first` of its memory, its rows `spare` bytes longer than they must be."""
    width, height = size
    x0, y0, x1, y1 = box
    changed = noise(max(x1 - x0, 1), max(y1 - y0, 1), 1)
    target = noise(width, height, 2)
    pitch = 3 * width + spare
    memory = np.zeros(first + height * pitch, np.uint8)
    rows = memory[first:].reshape(height, pitch)
    rows[:, : 3 * width] = target.reshape(height, -1)
    source = padded_rows(changed)
    parameters = block(
        blocks.STORE,
        changed_pitch=source.shape[1],
        target_pitch=pitch,
        target_offset=first,
        target_x=corner[0],
        target_y=corner[1],
        target_width=width,
        target_height=height,
    )
    reports = block(blocks.REPORT, x0=x0, y0=y0, x1=x1, y1=y1)
    there = bench.put(memory)
    launch.store(bench.stream, bench.put(parameters), bench.put(reports), bench.put(source), there)
    bench.stream.wait()
    if x1 > x0 and y1 > y0:
        twins.store(target, corner, box, changed)
    want = memory.copy()
    want[first:].reshape(height, pitch)[:, : 3 * width] = target.reshape(height, -1)
    return there.array.copy(), want


@pytest.mark.parametrize("first", range(5))
@pytest.mark.parametrize("spare", [0, 1, 2, 3, 7])
def test_any_alignment_of_the_target(first: int, spare: int) -> None:
    for bench in in_both_orders():
        for x0, x1 in ((2, 3), (2, 4), (2, 30), (4, 35), (6, 41)):
            got, want = stored(bench, (41, 7), (0, 0), (x0, 2, x1, 6), spare, first)
            assert np.array_equal(got, want)


@pytest.mark.parametrize(
    "box",
    [(4, 4, 4, 4), (0, 0, 41, 33), (40, 32, 41, 33), (0, 10, 2, 11), (38, 0, 60, 40), (6, 30, 12, 50)],
    ids=["empty", "all of it", "the last pixel", "a pixel pair", "beyond the right", "beyond the bottom"],
)
def test_boxes_at_the_edges(box: Box) -> None:
    got, want = stored(Bench(), (41, 33), (0, 0), box)
    assert np.array_equal(got, want)


@given(
    st.tuples(st.integers(1, 60), st.integers(1, 70)),
    st.tuples(st.integers(0, 20), st.integers(0, 20)),
    st.tuples(st.integers(0, 40), st.integers(0, 80), st.integers(0, 60), st.integers(0, 80)),
    st.integers(0, 5),
    st.integers(0, 5),
)
@settings(max_examples=80, deadline=None)
def test_any_box_in_any_target(
    size: tuple[int, int], corner: tuple[int, int], where: Box, spare: int, first: int
) -> None:
    x0, y0, wide, tall = where
    got, want = stored(
        Bench(), size, corner, (2 * (x0 // 2), y0, 2 * (x0 // 2) + wide, y0 + tall), spare, first
    )
    assert np.array_equal(got, want)


def test_into_mapped_memory() -> None:
    bench = Bench()
    host, target = bench.device.mapped((6, 30), np.uint8)
    changed = noise(4, 3, 0)
    source = padded_rows(changed)
    parameters = block(
        blocks.STORE, changed_pitch=source.shape[1], target_pitch=30, target_width=10, target_height=6
    )
    reports = block(blocks.REPORT, x0=2, y0=1, x1=6, y1=4)
    launch.store(bench.stream, bench.put(parameters), bench.put(reports), bench.put(source), target)
    assert not host.any(), "work has begun before it was waited for"
    bench.stream.wait()
    assert np.array_equal(host.reshape(6, 10, 3)[1:4, 2:6], changed)
