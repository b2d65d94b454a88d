"""The renderers' face mesh: labelled triangles, a ring that fades the edit out, and irises' cores."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm
from rtfilter.face.deform import Displacement
from rtfilter.face.uv import skin_uv
from rtfilter.kernels.cpu.extend import extend_iris, extend_ring
from rtfilter.kernels.cpu.parts import extend_parts
from rtfilter.kernels.cpu.rasterise import EYE_LEFT, EYE_RIGHT, MOUTH, OUTSIDE, SHARP, SKIN
from rtfilter.kernels.topology import MeshTopology, Opening
from rtfilter.render.openings import BEHIND_IOD, DESIGN, OPENINGS, opening_triangles
from rtfilter.render.room import shapes

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]

# Distance of the ring's loops from the face oval in IODs, and the share of the oval's motion that
# each carries: a smooth fall to zero within about 2 cm.
RING_IOD = (0.06, 0.14, 0.24)
RING_SHARE = (0.78, 0.28, 0.0)

# The middle of an iris is rigid, so that pupil and highlights stay round, and what is between it and the
# lids stretches. Its radius in iris radii, and the most of the way to the lids that it takes, before and
# after the edit: a fold would show the highlight twice.
CORE_RADIUS = 0.62
CORE_SHARE = 0.6
# An iris closer to a lid's line than this many of its radii is let go by degrees: the eye is closing.
IRIS_CLEARANCE = 0.3
_LOOPS = np.array(list(zip(RING_IOD, RING_SHARE, strict=True)), np.float32)
_CORE = np.array([CORE_RADIUS, CORE_SHARE, IRIS_CLEARANCE], np.float32)
# Label, iris, and the lids once around.
_EYES = (
    (EYE_RIGHT, lm.IRIS_RIGHT, lm.EYE_RIGHT_OUTLINE),
    (EYE_LEFT, lm.IRIS_LEFT, lm.EYE_LEFT_OUTLINE),
)

_LIPS = frozenset(index for name, rows in vars(lm).items() if name.startswith("LIPS_") for index in rows)
_LIDS = frozenset((*lm.EYE_RIGHT_OUTLINE, *lm.EYE_LEFT_OUTLINE))


class RingedMesh:
    """Triangles over the 478 landmarks, `len(RING_IOD)` loops of 36 ring vertices, and what openings show."""

    def __init__(self, triangles: I32, holes: dict[str, I32], rigid_parts: bool = True) -> None:
        """triangles: int32 [T, 3] of the skin. holes: `mouth` triangles.

        rigid_parts: teeth and eyeballs are rigid, and lips and lids slide over them. Without, the mouth's
        inside and the eyes, but for a core within the iris, stretch with their rims: to compare with.
        """
        oval = np.array(lm.FACE_OVAL, dtype=np.int32)
        self._oval = oval
        loops = [oval] + [
            lm.LANDMARK_COUNT + k * len(oval) + np.arange(len(oval), dtype=np.int32)
            for k in range(len(RING_IOD))
        ]
        ring = [
            (inner[i], inner[j], outer[i]) if half == 0 else (inner[j], outer[j], outer[i])
            for inner, outer in pairwise(loops)
            for i in range(len(oval))
            for j in [(i + 1) % len(oval)]
            for half in (0, 1)
        ]
        parts = [
            (triangles, np.array([_skin_label(face) for face in triangles], np.uint8)),
            (np.array(ring, np.int32), np.full(len(ring), OUTSIDE, np.uint8)),
        ]
        self._eyes: list[tuple[I32, I32, int]] = []
        self._count = lm.LANDMARK_COUNT + len(RING_IOD) * len(oval)
        self._openings: list[tuple[Opening, int]] = []
        self.eyes = tuple(each for each in OPENINGS if each.eye and rigid_parts)
        for opening in OPENINGS if rigid_parts else ():
            faces = opening_triangles(opening.rim, self._count)
            parts.append((faces, np.full(len(faces), opening.label, np.uint8)))
            self._openings.append((opening, self._count))
            self._count += opening.vertex_count
        self._loops = tuple((part.rim, part.above, part.below) for part, _ in self._openings)
        self._ends = np.array([part.end for part, _ in self._openings], np.float32)
        self._firsts = np.array([first for _, first in self._openings], np.int32)
        if not rigid_parts:
            parts.append((holes["mouth"], np.full(len(holes["mouth"]), MOUTH, np.uint8)))
        for label, iris, around in () if rigid_parts else _EYES:
            lids = np.array(around, np.int32)
            faces = _eye_triangles(lids, self._count)
            parts.append((faces, np.full(len(faces), label, np.uint8)))
            self._eyes.append((np.array(iris, np.int32), lids, self._count))
            self._count += len(lids) + 1
        self.triangles = np.ascontiguousarray(np.concatenate([faces for faces, _ in parts]).astype(np.int32))
        self.labels = np.concatenate([labels for _, labels in parts])

    def topology(self) -> MeshTopology:
        """Its constant part, for `kernels.warp`, which knows rigid parts alone."""
        if self._eyes:
            raise ValueError("a mesh whose openings stretch: the kernels have rigid parts only")
        openings = tuple(opening for opening, _ in self._openings)
        surface = (lm.LANDMARK_COUNT, self.triangles, self.labels, self._oval, _LOOPS)
        return MeshTopology(*surface, openings, DESIGN, BEHIND_IOD, skin_uv(), shapes())

    def extend(self, displacement: Displacement) -> tuple[F32, F32]:
        """Destination vertices [V, 3] and offsets [V, 2] in pixels, ring and openings included."""
        points, offset = displacement.points_px, displacement.offset_px
        vertices, offsets = np.empty((self._count, 3), np.float32), np.empty((self._count, 2), np.float32)
        extend_ring(points, offset, displacement.iod_px, self._oval, _LOOPS, vertices, offsets)
        if self._openings:
            how = (self._loops, self._ends, self._firsts, DESIGN, BEHIND_IOD)
            extend_parts(points, offset, displacement.iod_px, *how, vertices, offsets)
        for iris, lids, first in self._eyes:
            extend_iris(points, offset, iris, lids, _CORE, first, vertices, offsets)
        return vertices, offsets


def _eye_triangles(lids: I32, first: int) -> I32:
    """An eye's opening: a fan for the core, whose vertices start at `first`, its middle last, and a strip
    from there to the lids."""
    count = len(lids)
    core, middle = first + np.arange(count), first + count
    faces = []
    for k in range(count):
        n = (k + 1) % count
        faces += [(lids[k], lids[n], core[k]), (lids[n], core[n], core[k]), (core[k], core[n], middle)]
    return np.array(faces, np.int32)


def _skin_label(face: npt.NDArray[np.int32]) -> int:
    corners = set(face.tolist())
    return SHARP if corners <= _LIPS or corners & _LIDS else SKIN
