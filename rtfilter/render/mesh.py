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
# Label, iris, and the lids once around.
_EYES = (
    (
        EYE_RIGHT,
        lm.IRIS_RIGHT,
        (
            *(lm.EYE_RIGHT_CORNERS[0], *lm.EYE_RIGHT_UPPER),
            *(lm.EYE_RIGHT_CORNERS[1], *lm.EYE_RIGHT_LOWER[::-1]),
        ),
    ),
    (
        EYE_LEFT,
        lm.IRIS_LEFT,
        (
            *(lm.EYE_LEFT_CORNERS[0], *lm.EYE_LEFT_UPPER),
            *(lm.EYE_LEFT_CORNERS[1], *lm.EYE_LEFT_LOWER[::-1]),
        ),
    ),
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
        self._irises = np.array([iris for _, iris, _ in _EYES], np.int32)
        self._lids = np.array([lids for _, _, lids in _EYES], np.int32)
        first = lm.LANDMARK_COUNT + len(RING_IOD) * len(oval)
        for k, (label, _, lids) in enumerate(_EYES):
            faces = _eye_triangles(self._lids[k], first + k * (len(lids) + 1))
            parts.append((faces, np.full(len(faces), label, np.uint8)))
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
        cores, cores_offset = _iris_cores(points, offset, self._irises, self._lids)
        vertices = np.concatenate([face, np.concatenate([ring_xy, behind], axis=1), *cores])
        offsets = np.concatenate([offset, *loops_offset, *cores_offset])
        return vertices.astype(np.float32), offsets.astype(np.float32)


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


def _iris_cores(points: F32, offset: F32, irises: I32, lids: I32) -> tuple[F32, F32]:
    """Both cores' vertices [2, K + 1, 3] after the edit and their offsets [2, K + 1, 2], in pixels.

    irises: int32 [2, 5]. lids: int32 [2, K], once around each opening.
    """
    before, lid_offset = points[lids, :2], offset[lids]
    after = before + lid_offset
    centre, centre_offset = points[irises[:, 0], :2], offset[irises[:, 0]]
    radius = _length(points[irises[:, 1:], :2] - centre[:, None]).mean(1)
    both = np.concatenate([before, after])
    clearance = _clearance(both, np.concatenate([centre, centre + centre_offset])).reshape(2, 2).min(0)
    hold = np.minimum(np.maximum(clearance / np.maximum(IRIS_CLEARANCE * radius, 1e-6), 0.0), 1.0)[:, None]
    middle = (hold * centre + (1.0 - hold) * before.mean(1))[:, None]
    moved = (hold * centre_offset + (1.0 - hold) * lid_offset.mean(1))[:, None]
    outward = after - (middle + moved)
    far = _length(outward)
    room = CORE_SHARE * np.minimum(far, _length(before - middle))
    reach = np.minimum(room, CORE_RADIUS * radius[:, None]) / np.maximum(far, 1e-6)
    core = np.empty((2, lids.shape[1] + 1, 3), np.float32)
    core[:, :-1, :2] = middle + moved + outward * reach[..., None]
    core[:, -1:, :2] = middle + moved
    depth = points[lids, 2]
    core[:, :-1, 2], core[:, -1, 2] = depth, depth.mean(1)
    return core, np.broadcast_to(moved, (*core.shape[:2], 2))


def _clearance(polygons: F32, points: F32) -> F32:
    """Least distance [N] of points [N, 2] from the lines of polygons' [N, K, 2] sides; negative outside."""
    following = np.concatenate([polygons[:, 1:], polygons[:, :1]], axis=1)
    sides, away = following - polygons, points[:, None] - polygons
    cross = sides[..., 0] * away[..., 1] - sides[..., 1] * away[..., 0]
    # The sum is twice the area, whose sign says which way around the polygon goes.
    turn = np.sign(cross.sum(1, keepdims=True))
    return np.asarray((turn * cross / np.maximum(_length(sides), 1e-6)).min(1), np.float32)


def _length(vectors: F32) -> F32:
    return np.asarray(np.sqrt(np.einsum("...c,...c->...", vectors, vectors)))


def _skin_label(face: npt.NDArray[np.int32]) -> int:
    corners = set(face.tolist())
    return SHARP if corners <= _LIPS or corners & _LIDS else SKIN
