"""A triangle mesh to register on: shortest ways along its edges, and the nearest point of its faces.

Called by `learn.model.contours` and `learn.model.binding`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

NEAREST = 32  # vertices around a point whose faces are tried


class Surface:
    """vertices: float64 [V, 3]. triangles: int32 [T, 3]. edges: int32 [E, 2]."""

    def __init__(self, vertices: F64, triangles: I32, edges: I32) -> None:
        self.vertices, self.triangles = vertices, triangles
        length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
        count = len(vertices)
        one_way = sparse.csr_matrix((length, (edges[:, 0], edges[:, 1])), shape=(count, count))
        self._graph = (one_way + one_way.T).tocsr()
        self._tree = cKDTree(vertices)
        ends = sparse.csr_matrix(
            (np.ones(triangles.size), (triangles.ravel(), np.repeat(np.arange(len(triangles)), 3))),
            shape=(count, len(triangles)),
        )
        self._faces_of = [ends.indices[a:b] for a, b in zip(ends.indptr[:-1], ends.indptr[1:], strict=True)]

    def path(self, marks: Sequence[int]) -> list[int]:
        """The vertices of the shortest way along edges through `marks`, in their order."""
        way = [int(marks[0])]
        for start, end in pairwise(marks):
            _, before = dijkstra(self._graph, indices=start, return_predecessors=True)
            part = [int(end)]
            while part[-1] != start:
                part.append(int(before[part[-1]]))
            way += part[-2::-1]
        return way

    def distance(self, sources: Sequence[int]) -> F64:
        """The shortest distance [V] along edges to the nearest of `sources`."""
        return np.asarray(dijkstra(self._graph, indices=sources, min_only=True))

    def beyond(self, loop: Sequence[int], outside: int) -> Bools:
        """Vertices [V] that `loop` cuts off from the vertex `outside`; those of the loop are not."""
        kept = np.setdiff1d(np.arange(len(self.vertices)), loop)
        _, part = connected_components(self._graph[kept][:, kept], directed=False)
        cut = np.zeros(len(self.vertices), bool)
        cut[kept] = part != part[np.searchsorted(kept, outside)]
        return cut

    def along(self, way: Sequence[int], shares: F64) -> sparse.csr_matrix:
        """Weights [N, V] of the points at `shares` [N], 0..1, of the length of a way of vertices."""
        points = self.vertices[list(way)]
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        place = np.interp(shares, length / length[-1], np.arange(len(way)))
        first = np.minimum(place.astype(int), len(way) - 2)
        after = place - first
        rows = np.arange(len(shares))
        ways = np.asarray(way)
        return sparse.csr_matrix(
            (
                np.concatenate([1 - after, after]),
                (np.concatenate([rows, rows]), np.concatenate([ways[first], ways[first + 1]])),
            ),
            shape=(len(shares), len(self.vertices)),
        )

    def closest(self, points: F64, allowed: Bools) -> sparse.csr_matrix:
        """Barycentric weights [N, V] of the nearest points on faces of `allowed` vertices [V] alone."""
        usable = allowed[self.triangles].all(1)
        _, near = self._tree.query(points, k=NEAREST)
        rows, columns, weights = [], [], []
        for row, (point, vertices) in enumerate(zip(points, near, strict=True)):
            faces = np.unique(np.concatenate([self._faces_of[v] for v in vertices]))
            corners = self.triangles[faces[usable[faces]]]
            share = closest_on_triangles(point, self.vertices[corners])
            reached = np.einsum("tk,tkc->tc", share, self.vertices[corners])
            best = int(np.argmin(((reached - point) ** 2).sum(1)))
            rows += [row] * 3
            columns += corners[best].tolist()
            weights += share[best].tolist()
        return sparse.csr_matrix((weights, (rows, columns)), shape=(len(points), len(self.vertices)))


def closest_on_triangles(point: F64, corners: F64) -> F64:
    """Barycentric coordinates [T, 3] of each triangle's point that is nearest to `point` [3].

    corners: float64 [T, 3, 3]. The nearest of the plane's foot point, where it is inside, and of the three
    edges' nearest points.
    """
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    candidates = []
    u, v, w = b - a, c - a, point - a
    uu, uv, vv = (u * u).sum(1), (u * v).sum(1), (v * v).sum(1)
    wu, wv = (w * u).sum(1), (w * v).sum(1)
    area = np.maximum(uu * vv - uv * uv, 1e-30)
    s, t = (vv * wu - uv * wv) / area, (uu * wv - uv * wu) / area
    candidates.append((np.stack([1 - s - t, s, t], 1), (s >= 0) & (t >= 0) & (s + t <= 1)))
    for first, second in ((0, 1), (1, 2), (2, 0)):
        start, way = corners[:, first], corners[:, second] - corners[:, first]
        share = np.clip(((point - start) * way).sum(1) / np.maximum((way * way).sum(1), 1e-30), 0, 1)
        edge = np.zeros((len(corners), 3))
        edge[:, first], edge[:, second] = 1 - share, share
        candidates.append((edge, np.ones(len(corners), bool)))
    bary = np.stack([candidate for candidate, _ in candidates])
    off = ((np.einsum("ktj,tjc->ktc", bary, corners) - point) ** 2).sum(2)
    off[~np.stack([valid for _, valid in candidates])] = np.inf
    return np.asarray(bary[np.argmin(off, axis=0), np.arange(len(corners))])
