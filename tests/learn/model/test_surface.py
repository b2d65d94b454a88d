"""Registration's mesh: nearest points, ways along edges, and what a loop cuts off, on a plane grid."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.learn.model.scans import edges_of, triangles_of
from rtfilter.learn.model.surface import Surface, closest_on_triangles

SIDE = 7


def grid() -> Surface:
    """A plane of 7 x 7 vertices, 1 apart, z = 0; vertex (x, y) is number 7 y + x."""
    y, x = np.mgrid[:SIDE, :SIDE]
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(SIDE * SIDE)], axis=1).astype(np.float64)
    corner = np.array([SIDE * j + i for j in range(SIDE - 1) for i in range(SIDE - 1)])
    quads = np.stack([corner, corner + 1, corner + SIDE + 1, corner + SIDE], axis=1).astype(np.int32)
    return Surface(vertices, triangles_of(quads), edges_of(quads))


def test_quads_become_triangles_and_edges() -> None:
    quads = np.array([[0, 1, 2, 3], [2, 3, 4, -1]], np.int32)
    assert triangles_of(quads).tolist() == [[0, 1, 2], [2, 3, 4], [0, 2, 3]]
    assert edges_of(quads).tolist() == [[0, 1], [0, 3], [1, 2], [2, 3], [2, 4], [3, 4]]


def test_the_nearest_point_of_a_triangle_is_no_farther_than_any_other() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(3), 4000)
    for _ in range(20):
        corners, point = rng.normal(size=(5, 3, 3)), 2 * rng.normal(size=3)
        bary = closest_on_triangles(point, corners)
        assert bary.min() >= 0
        assert bary.sum(1) == pytest.approx(1.0)
        nearest = np.linalg.norm(np.einsum("tk,tkc->tc", bary, corners) - point, axis=1)
        sampled = np.linalg.norm(np.einsum("sk,tkc->tsc", shares, corners) - point, axis=2).min(1)
        assert (nearest <= sampled + 1e-9).all()
        assert nearest == pytest.approx(sampled, abs=0.15)


def test_points_land_on_the_surface_below_them_and_only_where_it_is_allowed() -> None:
    surface = grid()
    points = np.array([[2.3, 3.6, 0.4], [-1.0, 2.0, 0.0], [4.2, 1.1, -2.0]])
    everywhere = surface.closest(points, np.ones(SIDE * SIDE, bool)) @ surface.vertices
    assert everywhere == pytest.approx(np.array([[2.3, 3.6, 0.0], [0.0, 2.0, 0.0], [4.2, 1.1, 0.0]]))
    left = surface.vertices[:, 0] <= 3
    kept = surface.closest(points, left) @ surface.vertices
    assert kept[2] == pytest.approx([3.0, 1.1, 0.0])


def test_a_way_follows_edges_through_its_marks_and_is_measured_by_length() -> None:
    surface = grid()
    way = surface.path([0, 3, 3 + 4 * SIDE])
    assert way == [0, 1, 2, 3, 3 + SIDE, 3 + 2 * SIDE, 3 + 3 * SIDE, 3 + 4 * SIDE]
    places = surface.along(way, np.array([0.0, 0.25, 1.0])) @ surface.vertices
    assert places == pytest.approx(np.array([[0, 0, 0], [1.75, 0, 0], [3, 4, 0]], float))


def test_a_loop_cuts_off_what_lies_within() -> None:
    surface = grid()
    ring = [(2, 2), (4, 2), (4, 4), (2, 4), (2, 2)]
    loop = surface.path([SIDE * y + x for x, y in ring])
    assert np.flatnonzero(surface.beyond(loop, outside=0)).tolist() == [SIDE * 3 + 3]
    assert surface.distance([0])[SIDE * 3 + 3] == pytest.approx(6.0)
