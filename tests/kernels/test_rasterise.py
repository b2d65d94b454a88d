"""Mesh to flow, against a slow NumPy reference written from the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.kernels.cpu.rasterise import (
    EYE_LEFT,
    EYE_RIGHT,
    MOUTH,
    OUTSIDE,
    SHARP,
    SKIN,
    rasterise_flow,
    soften_flow,
)

Grid = tuple[np.ndarray, np.ndarray, np.ndarray]
FAR = 3.0e38


def rasterised(
    vertices: np.ndarray, offsets: np.ndarray, triangles: np.ndarray, shape: tuple[int, int]
) -> Grid:
    """Flow, label and depth; triangle t has label t + 1."""
    labels = np.arange(1, len(triangles) + 1, dtype=np.uint8)
    # Filled with rubbish: every cell must be written.
    flow = np.full((*shape, 2), 77.0, np.float32)
    label, depth = np.full(shape, 99, np.uint8), np.full(shape, -77.0, np.float32)
    shown = np.full(shape, 99, np.int32)
    rasterise_flow(
        vertices.astype(np.float32),
        offsets.astype(np.float32),
        triangles.astype(np.int32),
        labels,
        flow,
        label,
        depth,
        shown,
    )
    assert np.array_equal(shown + 1, label), "the triangle of each cell, or -1"
    return flow, label, depth


def reference(
    vertices: np.ndarray, offsets: np.ndarray, triangles: np.ndarray, shape: tuple[int, int]
) -> tuple[Grid, np.ndarray]:
    """The same in float64, and which cells no rounding can decide otherwise."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    flow, label, depth = np.zeros((*shape, 2)), np.zeros(shape, np.uint8), np.full(shape, FAR)
    sure = np.ones(shape, bool)
    for t, (a, b, c) in enumerate(triangles):
        p, q, r = (vertices[k, :2].astype(np.float32).astype(np.float64) for k in (a, b, c))
        area = (q[0] - p[0]) * (r[1] - p[1]) - (r[0] - p[0]) * (q[1] - p[1])
        if abs(area) < 1e-3:
            sure &= abs(area) == 0.0
            continue
        u = ((x - p[0]) * (r[1] - p[1]) - (r[0] - p[0]) * (y - p[1])) / area
        v = ((q[0] - p[0]) * (y - p[1]) - (x - p[0]) * (q[1] - p[1])) / area
        share = np.stack([1 - u - v, u, v], axis=2)
        least = share.min(2)
        sure &= np.abs(least) > 1e-3
        z = share @ vertices[[a, b, c], 2]
        inside = least > 0
        sure &= ~inside | (np.abs(z - depth) > 1e-3)
        nearer = inside & (z < depth)
        depth[nearer], label[nearer] = z[nearer], t + 1
        flow[nearer] = (share @ offsets[[a, b, c]])[nearer]
    return (flow, label, depth), sure


@given(st.integers(0, 2**20), st.integers(1, 12), st.sampled_from([(12, 17), (1, 9), (9, 1), (2, 2)]))
@settings(max_examples=80, deadline=None)
def test_random_triangles_agree_with_the_reference(seed: int, count: int, shape: tuple[int, int]) -> None:
    """Both windings, depth order, partly and wholly outside the grid."""
    rng = np.random.default_rng(seed)
    vertices = rng.uniform((-8, -8, -5), (shape[1] + 8, shape[0] + 8, 5), (3 * count, 3))
    offsets = rng.normal(size=(3 * count, 2))
    triangles = rng.permutation(3 * count).reshape(count, 3)
    flow, label, depth = rasterised(vertices, offsets, triangles, shape)
    (want_flow, want_label, want_depth), sure = reference(vertices, offsets, triangles, shape)
    assert np.array_equal(label[sure], want_label[sure])
    assert flow[sure] == pytest.approx(want_flow[sure], abs=2e-3)
    assert depth[sure] == pytest.approx(want_depth[sure], rel=1e-6, abs=2e-3)


QUAD = np.array([[2, 2, 0], [10, 2, 0], [10, 10, 0], [2, 10, 0]], np.float64)


@pytest.mark.parametrize(
    "triangles", [[[0, 1, 2], [0, 2, 3]], [[2, 1, 0], [0, 2, 3]], [[2, 1, 0], [3, 2, 0]]]
)
def test_both_windings_fill_and_no_cell_falls_between_two_triangles(triangles: list[list[int]]) -> None:
    """The shared edge runs exactly through cell centres."""
    offsets = np.tile([[1.5, -2.0]], (4, 1))
    flow, label, _ = rasterised(QUAD, offsets, np.array(triangles), (12, 12))
    inside = np.zeros((12, 12), bool)
    inside[2:10, 2:10] = True
    assert np.array_equal(label > 0, inside)
    assert flow[inside] == pytest.approx(np.tile([[1.5, -2.0]], (64, 1)))
    assert not flow[~inside].any()


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_the_nearer_triangle_wins_in_any_order(order: list[int]) -> None:
    vertices = np.concatenate([QUAD, QUAD - (0, 0, 3)])
    triangles = np.array([[0, 1, 2], [4, 5, 6]])[order]
    offsets = np.repeat([[1.0, 0.0], [0.0, 5.0]], 4, axis=0)
    flow, _, depth = rasterised(vertices, offsets, triangles, (12, 12))
    assert flow[3, 8].tolist() == [0.0, 5.0]
    assert depth[3, 8] == -3.0


def test_triangles_that_cross_meet_where_their_depths_do() -> None:
    vertices = np.array([[0, 0, 0], [16, 0, 16], [0, 16, 0], [0, 0, 8], [16, 0, 8], [0, 16, 8]], np.float64)
    _, label, _ = rasterised(vertices, np.zeros((6, 2)), np.array([[0, 1, 2], [3, 4, 5]]), (12, 16))
    assert label[2, :12].tolist() == [1] * 8 + [2] * 4


@pytest.mark.parametrize(
    "corners",
    [
        [[3, 3, 0], [3, 3, 0], [3, 3, 0]],
        [[1, 1, 0], [5, 5, 0], [9, 9, 0]],
        [[1, 4.5, 0], [9, 4.5, 0], [5, 4.5, 0]],
        [[-9, -9, 0], [-3, -9, 0], [-9, -3, 0]],
        [[40, 40, 0], [60, 40, 0], [40, 60, 0]],
        [[1e30, 1e30, 0], [1e31, 1e30, 0], [1e30, 1e31, 0]],
        [[3.1, 3.1, 0], [3.3, 3.1, 0], [3.1, 3.3, 0]],
    ],
    ids=[
        "a point",
        "a diagonal",
        "a row",
        "left and above",
        "right and below",
        "very far",
        "between centres",
    ],
)
def test_what_covers_no_centre_leaves_the_grid_empty(corners: list[list[float]]) -> None:
    flow, label, depth = rasterised(
        np.array(corners, np.float64), np.ones((3, 2)), np.array([[0, 1, 2]]), (8, 8)
    )
    assert not label.any()
    assert not flow.any()
    assert (depth > 1e38).all()


def test_a_triangle_far_beyond_every_border_fills_the_grid() -> None:
    vertices = np.array([[-100, -100, 1], [300, -100, 1], [-100, 300, 1]], np.float64)
    flow, label, _ = rasterised(vertices, np.full((3, 2), 2.5), np.array([[0, 1, 2]]), (7, 9))
    assert (label == 1).all()
    assert flow == pytest.approx(np.full((7, 9, 2), 2.5), abs=1e-5)


@given(st.integers(0, 2**20))
@settings(max_examples=40, deadline=None)
def test_softening_follows_its_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 9)), int(rng.integers(1, 9)))
    flow = rng.normal(size=(*shape, 2)).astype(np.float32)
    label = rng.choice([OUTSIDE, SKIN, SHARP, MOUTH, EYE_RIGHT, EYE_LEFT], shape).astype(np.uint8)
    out = np.empty_like(flow)
    soften_flow(flow, label, out)
    want = flow.astype(np.float64)
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    for i in range(1, shape[0] - 1):
        for j in range(1, shape[1] - 1):
            if label[i, j] <= SKIN:
                want[i, j] = (kernel[..., None] * flow[i - 1 : i + 2, j - 1 : j + 2]).sum((0, 1))
    assert out == pytest.approx(want, abs=1e-5)
    assert np.array_equal(out[label > SKIN], flow[label > SKIN])


@pytest.mark.parametrize("level", [0.0, 1.0, -3.25, 1e4])
def test_softening_keeps_a_constant(level: float) -> None:
    flow = np.full((6, 7, 2), level, np.float32)
    out = np.empty_like(flow)
    soften_flow(flow, np.full((6, 7), SKIN, np.uint8), out)
    assert np.array_equal(out, flow)
