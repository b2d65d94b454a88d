"""The face mesh as the renderer needs it: labelled triangles, and a ring that fades the edit out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm
from rtfilter.face.deform import Displacement
from rtfilter.kernels.rasterise import EYE_LEFT, EYE_RIGHT, MOUTH, OUTSIDE, SHARP, SKIN

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]

# Distance of the ring's loops from the face oval in IODs, and the share of the oval's motion that
# each carries: a smooth fall to zero within about 3 cm.
RING_IOD = (0.07, 0.17, 0.30)
RING_SHARE = (0.78, 0.28, 0.0)

# The middle of an iris is rigid, so that pupil and highlights stay round, and what is between it and the
# lids stretches. Its radius in iris radii, and the most of the way to the lids that it takes, before and
# after the edit: a fold would show the highlight twice.
CORE_RADIUS = 0.62
CORE_SHARE = 0.6
# An iris closer to a lid's line than this many of its radii is let go by degrees: the eye is closing.
IRIS_CLEARANCE = 0.3
_EYES = (
    (EYE_RIGHT, lm.IRIS_RIGHT, lm.EYE_RIGHT_CORNERS, lm.EYE_RIGHT_UPPER, lm.EYE_RIGHT_LOWER),
    (EYE_LEFT, lm.IRIS_LEFT, lm.EYE_LEFT_CORNERS, lm.EYE_LEFT_UPPER, lm.EYE_LEFT_LOWER),
)

_LIPS = frozenset(index for name, rows in vars(lm).items() if name.startswith("LIPS_") for index in rows)
_LIDS = frozenset(
    (
        *(*lm.EYE_RIGHT_CORNERS, *lm.EYE_RIGHT_UPPER, *lm.EYE_RIGHT_LOWER),
        *(*lm.EYE_LEFT_CORNERS, *lm.EYE_LEFT_UPPER, *lm.EYE_LEFT_LOWER),
    )
)


class RingedMesh:
    """Triangles over the 478 landmarks, `len(RING_IOD)` loops of 36 ring vertices, and two irises' cores."""

    def __init__(self, triangles: I32, holes: dict[str, I32]) -> None:
        """triangles: int32 [T, 3] of the skin. holes: `mouth` triangles; the eyes are filled here."""
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
            (holes["mouth"], np.full(len(holes["mouth"]), MOUTH, np.uint8)),
            (np.array(ring, np.int32), np.full(len(ring), OUTSIDE, np.uint8)),
        ]
        self._eyes = []
        first = lm.LANDMARK_COUNT + len(RING_IOD) * len(oval)
        for label, iris, corners, upper, lower in _EYES:
            lids = np.array([corners[0], *upper, corners[1], *lower[::-1]], np.int32)
            self._eyes.append((np.array(iris, np.int32), lids))
            faces = _eye_triangles(lids, first)
            parts.append((faces, np.full(len(faces), label, np.uint8)))
            first += len(lids) + 1
        self.triangles = np.ascontiguousarray(np.concatenate([faces for faces, _ in parts]).astype(np.int32))
        self.labels = np.concatenate([labels for _, labels in parts])

    def extend(self, displacement: Displacement) -> tuple[F32, F32]:
        """Destination vertices [V, 3] and offsets [V, 2] in pixels, ring included.

        The ring lies behind the face, so that a turned cheek covers it and not the other way round.
        """
        points, offset = displacement.points_px, displacement.offset_px
        oval_xy, oval_offset = points[self._oval, :2], offset[self._oval]
        outward = oval_xy - oval_xy.mean(0)
        outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-6)
        loops_xy = [oval_xy + outward * (d * displacement.iod_px) for d in RING_IOD]
        loops_offset = [oval_offset * share for share in RING_SHARE]
        ring_xy = np.concatenate(loops_xy) + np.concatenate(loops_offset)
        behind = np.full((len(ring_xy), 1), points[:, 2].max() + displacement.iod_px, np.float32)
        face = points.copy()
        face[:, :2] += offset
        vertices, offsets = [face, np.concatenate([ring_xy, behind], axis=1)], [offset, *loops_offset]
        for iris, lids in self._eyes:
            core, core_offset = _iris_core(points, offset, iris, lids)
            vertices.append(core)
            offsets.append(core_offset)
        return np.concatenate(vertices).astype(np.float32), np.concatenate(offsets).astype(np.float32)


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


def _iris_core(points: F32, offset: F32, iris: I32, lids: I32) -> tuple[F32, F32]:
    """The core's vertices [K + 1, 3] after the edit and their offsets [K + 1, 2], in pixels."""
    centre = points[iris[0], :2]
    radius = float(np.linalg.norm(points[iris[1:], :2] - centre, axis=1).mean())
    before = points[lids, :2]
    after = before + offset[lids]
    clearance = min(_clearance(before, centre), _clearance(after, centre + offset[iris[0]]))
    hold = min(max(clearance / max(IRIS_CLEARANCE * radius, 1e-6), 0.0), 1.0)
    middle = hold * centre + (1.0 - hold) * before.mean(0)
    moved = hold * offset[iris[0]] + (1.0 - hold) * offset[lids].mean(0)
    outward = after - (middle + moved)
    far = np.linalg.norm(outward, axis=1)
    room = CORE_SHARE * np.minimum(far, np.linalg.norm(before - middle, axis=1))
    reach = np.minimum(room, CORE_RADIUS * radius) / np.maximum(far, 1e-6)
    core = np.empty((len(lids) + 1, 3), np.float32)
    core[:-1, :2] = middle + moved + outward * reach[:, None]
    core[-1, :2] = middle + moved
    core[:-1, 2], core[-1, 2] = points[lids, 2], points[lids, 2].mean()
    return core, np.broadcast_to(moved, (len(core), 2)).astype(np.float32)


def _clearance(polygon: F32, point: F32) -> float:
    """Least distance of `point` [2] from the lines of a polygon's [K, 2] sides; negative outside of one."""
    sides = np.roll(polygon, -1, axis=0) - polygon
    away = point - polygon
    cross = sides[:, 0] * away[:, 1] - sides[:, 1] * away[:, 0]
    turn = np.sign(
        (polygon[:, 0] * np.roll(polygon[:, 1], -1) - np.roll(polygon[:, 0], -1) * polygon[:, 1]).sum()
    )
    return float((turn * cross / np.maximum(np.linalg.norm(sides, axis=1), 1e-6)).min())


def _skin_label(face: npt.NDArray[np.int32]) -> int:
    corners = set(face.tolist())
    return SHARP if corners <= _LIPS or corners & _LIDS else SKIN
