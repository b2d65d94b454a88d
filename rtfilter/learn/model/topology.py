"""The mesh of the 478 landmarks, from MediaPipe's list of edges: triangles, holes and mirror.

Called by `learn.model.rigging`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm

I32 = npt.NDArray[np.int32]


def triangles_from_edges(edges: Iterable[tuple[int, int]]) -> I32:
    """The mesh faces [T, 3] among the 3-cliques of an edge list.

    A clique that is no face (three faces around one vertex also make one) shares each of its edges
    with two real faces, so all three of its edges are used three times.
    """
    undirected = {(min(a, b), max(a, b)) for a, b in edges}
    neighbours: dict[int, set[int]] = {}
    for a, b in undirected:
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)
    cliques = {tuple(sorted((a, b, c))) for a, b in undirected for c in neighbours[a] & neighbours[b]}
    uses = Counter(edge for clique in cliques for edge in _edges(clique))
    faces = [clique for clique in cliques if any(uses[edge] <= 2 for edge in _edges(clique))]
    return np.array(sorted(faces), dtype=np.int32)


def strip(corners: tuple[int, int], upper: Sequence[int], lower: Sequence[int]) -> list[tuple[int, int, int]]:
    """Fills an eye or mouth opening with triangles between its upper and lower contour."""
    first, last = corners
    faces = [(first, upper[0], lower[0])]
    for i in range(len(upper) - 1):
        faces += [(upper[i], upper[i + 1], lower[i]), (upper[i + 1], lower[i + 1], lower[i])]
    return [*faces, (upper[-1], last, lower[-1])]


def hole_triangles() -> dict[str, I32]:
    """Triangles of the three openings by name: `mouth`, `eye_right`, `eye_left`."""
    inner_corners = (lm.INNER_CORNER_RIGHT, lm.INNER_CORNER_LEFT)
    holes = {
        "mouth": strip(inner_corners, lm.LIPS_INNER_UPPER, lm.LIPS_INNER_LOWER),
        "eye_right": strip(lm.EYE_RIGHT_CORNERS, lm.EYE_RIGHT_UPPER, lm.EYE_RIGHT_LOWER),
        "eye_left": strip(lm.EYE_LEFT_CORNERS, lm.EYE_LEFT_UPPER, lm.EYE_LEFT_LOWER),
    }
    return {name: np.array(faces, dtype=np.int32) for name, faces in holes.items()}


def mirror_permutation(
    shape: npt.NDArray[np.floating[Any]], rounds: int = 6
) -> tuple[I32, npt.NDArray[np.float64]]:
    """The landmarks' mirror permutation, and `shape` [N, 3] turned so that x -> -x mirrors it.

    Assigns mirrored vertices to vertices and removes half of the remaining rotation, alternately.
    Raises ValueError when the assignment is not its own inverse.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.transform import Rotation

    centred = shape - shape.mean(0)
    permutation = np.arange(len(shape))
    for _ in range(rounds):
        flipped = centred * (-1, 1, 1)
        cost = ((centred[:, None] - flipped[None]) ** 2).sum(-1)
        permutation = linear_sum_assignment(cost)[1]
        rotation = Rotation.align_vectors(centred, flipped[permutation])[0]
        centred = Rotation.from_rotvec(-0.5 * rotation.as_rotvec()).apply(centred)
        centred[:, 0] -= 0.5 * (centred[:, 0] + centred[permutation, 0]).mean()
    if not np.array_equal(permutation[permutation], np.arange(len(shape))):
        raise ValueError("mirror: the shape is too asymmetric to pair its landmarks")
    return permutation.astype(np.int32), centred


def _edges(face: Sequence[int]) -> tuple[tuple[int, int], ...]:
    a, b, c = sorted(face)
    return (a, b), (b, c), (a, c)
