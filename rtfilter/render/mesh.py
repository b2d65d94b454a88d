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

_LIPS = frozenset(index for name, rows in vars(lm).items() if name.startswith("LIPS_") for index in rows)
_LIDS = frozenset(
    (
        *(*lm.EYE_RIGHT_CORNERS, *lm.EYE_RIGHT_UPPER, *lm.EYE_RIGHT_LOWER),
        *(*lm.EYE_LEFT_CORNERS, *lm.EYE_LEFT_UPPER, *lm.EYE_LEFT_LOWER),
    )
)


class RingedMesh:
    """Triangles over the 478 landmarks plus `len(RING_IOD)` loops of 36 ring vertices."""

    def __init__(self, triangles: I32, holes: dict[str, I32]) -> None:
        """triangles: int32 [T, 3] of the skin. holes: `mouth`, `eye_right` and `eye_left` triangles."""
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
            (holes["eye_right"], np.full(len(holes["eye_right"]), EYE_RIGHT, np.uint8)),
            (holes["eye_left"], np.full(len(holes["eye_left"]), EYE_LEFT, np.uint8)),
            (np.array(ring, np.int32), np.full(len(ring), OUTSIDE, np.uint8)),
        ]
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
        vertices = np.concatenate([face, np.concatenate([ring_xy, behind], axis=1)]).astype(np.float32)
        return vertices, np.concatenate([offset, *loops_offset]).astype(np.float32)


def _skin_label(face: npt.NDArray[np.int32]) -> int:
    corners = set(face.tolist())
    return SHARP if corners <= _LIPS or corners & _LIDS else SKIN
