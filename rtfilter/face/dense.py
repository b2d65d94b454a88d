"""The dense face: a finer mesh of the skin with normals and UV that follows the 478 landmarks.

Its first 468 vertices are the surface's landmarks, so both meshes agree where they share a vertex; between
them it takes shape and motion from scans. For what is painted on skin: light, wrinkles, texture. Arrays
only. Its UV of the landmarks is the layout of the skin maps (`face.uv`).
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from importlib import resources
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.errors import InputError
from rtfilter.face.landmarks import SURFACE_COUNT

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]

DENSE_ASSET = "face_dense.npz"
INDICES = ("triangles", "corners")
_DAMAGE = (
    ValueError, OSError, EOFError, KeyError, AttributeError, TypeError, BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class DenseFace:
    """V vertices in the head frame of `MorphableModel`, in IODs.

    mean_iod: float32 [V, 3]. expression_basis: float32 [52, V, 3], displacement at coefficient 1. normals:
    float32 [V, 3], the mean's, unit length, outwards. uv: float32 [V, 2], 0..1: place in a texture in the
    layout of the scans, u to the subject's left, v up. triangles: int32 [T, 3], counter-clockwise seen from
    outside in a frame with y up. corners: int32 [V, 3], the landmarks around each vertex; shares: float32
    [V, 3], their weights, of sum 1.
    """

    mean_iod: F32
    expression_basis: F32
    normals: F32
    uv: F32
    triangles: I32
    corners: I32
    shares: F32

    def shape_iod(self, landmarks_iod: npt.NDArray[np.floating[Any]], expression: F32) -> F32:
        """The vertices [V, 3] of a face of which the landmarks [478, 3] and the expression [52] are known.

        What the landmarks differ by from the model of the mean face is spread over the vertices between
        them: the first 468 vertices are the landmarks themselves.
        """
        basis = self.expression_basis.reshape(BLENDSHAPE_COUNT, -1)
        modelled = self.mean_iod + np.einsum("e,en->n", expression.astype(np.float32), basis).reshape(-1, 3)
        off = landmarks_iod[:SURFACE_COUNT].astype(np.float32) - modelled[:SURFACE_COUNT]
        return np.asarray(modelled + np.einsum("vk,vkc->vc", self.shares, off[self.corners]), np.float32)

    def normals_of(self, shape_iod: F32) -> F32:
        """Unit normals [V, 3] of vertices [V, 3]: the mean of the triangles around, by area."""
        return vertex_normals(shape_iod, self.triangles)

    @classmethod
    def builtin(cls) -> DenseFace:
        """The committed mesh."""
        data = resources.files("rtfilter.face").joinpath("assets", DENSE_ASSET).read_bytes()
        return cls.from_npz(io.BytesIO(data), "the built-in dense face")

    @classmethod
    def from_npz(cls, file: io.BytesIO, name: str) -> DenseFace:
        """Parse and check. Raises InputError with the array at fault, what came and what was expected."""
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in cls.__dataclass_fields__}
        except _DAMAGE as error:
            raise InputError(f"{name}: not a dense face (.npz as in docs/face-model.md): {error}") from error
        count = len(arrays["mean_iod"])
        shapes: dict[str, tuple[int | None, ...]] = {
            "mean_iod": (count, 3),
            "expression_basis": (BLENDSHAPE_COUNT, count, 3),
            "normals": (count, 3),
            "uv": (count, 2),
            "triangles": (None, 3),
            "corners": (count, 3),
            "shares": (count, 3),
        }
        for key, shape in shapes.items():
            got = arrays[key]
            fits = got.ndim == len(shape) and all(
                s in (None, n) for s, n in zip(shape, got.shape, strict=True)
            )
            if not fits or not np.isfinite(got).all():
                raise InputError(f"{name}: {key!r} is {got.dtype} {list(got.shape)}, expected {list(shape)}")
        for key, end in (("triangles", count), ("corners", SURFACE_COUNT)):
            if arrays[key].min(initial=0) < 0 or arrays[key].max(initial=0) >= end:
                raise InputError(f"{name}: an index in {key!r} is outside 0..{end - 1}")
        kinds: dict[str, Any] = dict.fromkeys(arrays, np.float32) | dict.fromkeys(INDICES, np.int32)
        read: dict[str, Any] = {key: np.ascontiguousarray(arrays[key], kinds[key]) for key in arrays}
        return cls(**read)


def vertex_normals(shape_iod: F32, triangles: I32) -> F32:
    """Unit normals [V, 3] of a mesh of vertices [V, 3] and triangles [T, 3], by area."""
    a, b, c = (shape_iod[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    total = np.zeros_like(shape_iod)
    for k in range(3):
        np.add.at(total, triangles[:, k], face)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / np.maximum(length, 1e-12), np.float32)
