"""The dense face of scans and landmarks: FaceMesh's triangles, split where they are large.

A new vertex lies on the scans' skin. Its rest and motion are the scans', plus what footage and tracker
change at the landmarks around it. Called by `learn.model.build_face_model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.face import landmarks as lm
from rtfilter.face.dense import DenseFace, vertex_normals
from rtfilter.learn.model.assemble import Built
from rtfilter.learn.model.binding import similarity
from rtfilter.learn.model.contours import inside_openings
from rtfilter.learn.model.scans import FACE, Scans, edges_of, triangles_of
from rtfilter.learn.model.surface import Surface

F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]
Floats = npt.NDArray[np.floating[Any]]

LONGEST_IOD = 0.075  # edges above are split; FaceMesh's are 0.01 (lids) to 0.25 (cheeks)
ROUNDS = 4
# A point that moves otherwise than its neighbours by more than this was projected onto another lip.
ANOTHER_SKIN_IOD = 0.04


@dataclass(frozen=True)
class _Mesh:
    """triangles [T, 3]; binding [V, scan vertices]; shares [V, 468] of the landmarks."""

    triangles: I32
    binding: sparse.csr_matrix
    shares: sparse.csr_matrix


def build_dense(scans: Scans, built: Built) -> DenseFace:
    """The dense face that goes with a model."""
    model = built.model
    skin = scans.quads[(scans.quads < FACE.stop).all(1)]
    surface = Surface(scans.neutral[FACE], triangles_of(skin), edges_of(skin))
    allowed = ~inside_openings(surface, scans.landmarks68)
    binding = built.binding.tocsr()[: lm.SURFACE_COUNT]
    mesh = _Mesh(
        _oriented(model.mean_iod, model.triangles), binding, sparse.identity(lm.SURFACE_COUNT, format="csr")
    )
    mean = model.mean_iod.astype(np.float64)[: lm.SURFACE_COUNT]
    rotation, scale, move = similarity(binding @ scans.neutral, mean)
    for _ in range(ROUNDS):
        mesh = _split(mesh, scans, surface, allowed)
    rest = scale * (mesh.binding @ scans.neutral) @ rotation.T + move
    rest += mesh.shares @ (mean - rest[: lm.SURFACE_COUNT])
    prior = built.prior[:, : lm.SURFACE_COUNT]
    basis = np.empty((BLENDSHAPE_COUNT, *rest.shape))
    for index, shape in enumerate(scans.expression):
        fitted = model.expression_basis[index, : lm.SURFACE_COUNT].astype(np.float64)
        gain = float((fitted * prior[index]).sum() / max((prior[index] ** 2).sum(), 1e-9))
        moved = gain * (mesh.binding @ shape)
        basis[index] = moved + mesh.shares @ (fitted - moved[: lm.SURFACE_COUNT])
    uv = mesh.binding @ _vertex_uv(scans)
    corners, shares = _three_largest(mesh.shares)
    return DenseFace(
        mean_iod=rest.astype(np.float32),
        expression_basis=basis.astype(np.float32),
        normals=vertex_normals(rest.astype(np.float32), mesh.triangles),
        uv=uv.astype(np.float32),
        triangles=mesh.triangles,
        corners=corners,
        shares=shares.astype(np.float32),
    )


def save_dense(dense: DenseFace, path: Path) -> None:
    """Write what DenseFace.from_npz reads; the basis as float16, within 1e-4 IOD of a landmark's motion."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {name: getattr(dense, name) for name in dense.__dataclass_fields__}
    halves = {"expression_basis": np.float16}
    indices = {"triangles": np.uint16, "corners": np.uint16}
    np.savez_compressed(
        path,
        **{key: array.astype({**halves, **indices}.get(key, array.dtype)) for key, array in arrays.items()},
    )


def _split(mesh: _Mesh, scans: Scans, surface: Surface, allowed: npt.NDArray[np.bool_]) -> _Mesh:
    """Every edge above LONGEST_IOD gets a vertex in its middle, and its triangles are cut there."""
    triangles = mesh.triangles
    places = mesh.binding @ scans.neutral
    sides = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges = np.unique(sides, axis=0)
    long = edges[np.linalg.norm(places[edges[:, 0]] - places[edges[:, 1]], axis=1) > LONGEST_IOD]
    if not len(long):
        return mesh
    between = {(int(a), int(b)): len(places) + k for k, (a, b) in enumerate(long)}
    halfway = 0.5 * (mesh.binding[long[:, 0]] + mesh.binding[long[:, 1]])
    onto = surface.closest(halfway @ scans.neutral, allowed)
    onto.resize(len(long), len(scans.neutral))
    apart = np.zeros(len(long))
    for shape in scans.expression:
        apart = np.maximum(apart, np.linalg.norm(onto @ shape - halfway @ shape, axis=1))
    same = sparse.diags((apart < ANOTHER_SKIN_IOD).astype(np.float64))
    middle = same @ onto + (sparse.identity(len(long)) - same) @ halfway
    shares = 0.5 * (mesh.shares[long[:, 0]] + mesh.shares[long[:, 1]])
    cut = [part for face in triangles.tolist() for part in _parts(face, between)]
    return _Mesh(
        np.array(cut, np.int32),
        sparse.vstack([mesh.binding, middle]).tocsr(),
        sparse.vstack([mesh.shares, shares]).tocsr(),
    )


def _parts(face: list[int], between: dict[tuple[int, int], int]) -> list[tuple[int, int, int]]:
    """A triangle, cut at the middles of those of its edges that have one; the sense of rotation stays."""
    middles = [between.get((min(a, b), max(a, b))) for a, b in zip(face, face[1:] + face[:1], strict=True)]
    count = sum(middle is not None for middle in middles)
    for _ in range(3):  # turned so that the first edge is cut, and with two, the first two
        if middles[0] is not None and (count != 2 or middles[1] is not None):
            break
        face, middles = face[1:] + face[:1], middles[1:] + middles[:1]
    (a, b, c), (ab, bc, ca) = face, middles
    if ab is None:
        return [(a, b, c)]
    if bc is None:
        return [(a, ab, c), (ab, b, c)]
    if ca is None:
        return [(a, ab, c), (ab, bc, c), (ab, b, bc)]
    return [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]


def _vertex_uv(scans: Scans) -> F64:
    """The texture's place [V, 2] of each vertex; the face has no seam."""
    uv = np.zeros((len(scans.neutral), 2))
    used = (scans.quads >= 0) & (scans.quads_uv >= 0)
    uv[scans.quads[used]] = scans.uv[scans.quads_uv[used]]
    return uv


def _three_largest(shares: sparse.csr_matrix) -> tuple[I32, F64]:
    """The three landmarks of each vertex, and their weights: none lies outside of one FaceMesh triangle."""
    full = shares.toarray()
    corners = np.argsort(-full, axis=1)[:, :3]
    weights = np.take_along_axis(full, corners, axis=1)
    return corners.astype(np.int32), weights / weights.sum(1, keepdims=True)


def _oriented(shape: Floats, triangles: I32) -> I32:
    """Connected triangles [T, 3] with one sense of rotation: most normals look at the camera (-z)."""
    turned = triangles.tolist()
    around: dict[tuple[int, int], list[int]] = {}
    for index, (a, b, c) in enumerate(turned):
        for edge in ((a, b), (b, c), (c, a)):
            around.setdefault((min(edge), max(edge)), []).append(index)
    seen, waiting = {0}, [0]
    while waiting:
        a, b, c = turned[waiting.pop()]
        for first, second in ((a, b), (b, c), (c, a)):
            for other in around[min(first, second), max(first, second)]:
                if other in seen:
                    continue
                x, y, z = turned[other]
                if (first, second) in ((x, y), (y, z), (z, x)):  # a neighbour goes along an edge backwards
                    turned[other] = [x, z, y]
                seen.add(other)
                waiting.append(other)
    out = np.array(turned, np.int32)
    if vertex_normals(shape.astype(np.float32), out)[:, 2].sum() > 0:
        out = out[:, [0, 2, 1]]
    return out
