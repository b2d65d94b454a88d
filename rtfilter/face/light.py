"""The light on a face, four numbers, and what an edit does to its shading. Arrays only.

First-order spherical harmonics: what a matt surface sends back is near `ambient + direction . normal`
(Ramamoorthi and Hanrahan 2001). An edit turns normals; to first order by `basis . offset`. The lanes see the
light (`LightWatch`), `face.edit` uses it, and `engines.expression` has the same arithmetic as a graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.face import landmarks as lm
from rtfilter.face.dense import vertex_normals
from rtfilter.face.fit import FaceState
from rtfilter.face.model import MorphableModel
from rtfilter.face.uv import outwards
from rtfilter.kernels.cpu.edit import shaded

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

STEP: Final = 0.5  # of a coefficient, for the derivative of normals
# Measured by `bench reenact` (docs/reenactment.md): normals of a mesh turn more than a skin's.
STRENGTH: Final = 0.5
LIMIT_LOG: Final = 0.35
DARKEST: Final = 0.1  # of the mean shading: skin in the shadow is not lit by dividing
LEAST_SHADING: Final = 1e-3

NO_LIGHT: Final = np.zeros(4, np.float32)  # under which nothing changes
NO_LIGHT.flags.writeable = False

SEE_EVERY_S: Final = 0.25
MEMORY: Final = 8  # looks that the average goes back
LEAST_FACING: Final = 0.15  # cosine to the line of sight; what is turned further away is not measured
ROBUST_STEPS: Final = 4
RIDGE: Final = 1e-3
# Where shading is not painted. At the face's outline it would end in an edge. Within the mouth the mesh ends,
# and the normals of its rim are anyone's: between closed lips that was a line of bright and dark blocks.
_UNLIT: Final = (
    *(*lm.FACE_OVAL, *lm.LIPS_CORNER_RIGHT, *lm.LIPS_CORNER_LEFT),
    *(*lm.LIPS_INNER_UPPER, *lm.LIPS_INNER_LOWER, *lm.LIPS_WET_UPPER, *lm.LIPS_WET_LOWER),
)
_BROWS: Final = (
    *(*lm.BROW_RIGHT_UPPER, *lm.BROW_LEFT_UPPER),
    *(*lm.BROW_RIGHT_LOWER, *lm.BROW_LEFT_LOWER),
)


@dataclass(frozen=True)
class Shading:
    """How expressions turn the skin of the mean face, in the head frame; irises have no normals, and get 0.

    normals: float64 [478, 3], unit length, outwards. turned: float64 [52, 478, 3], their change with each
    coefficient.
    """

    normals: F64
    turned: F64

    @classmethod
    def of(cls, model: MorphableModel) -> Shading:
        """Of the landmarks' mesh."""
        mean, triangles = model.mean_iod, outwards(model.triangles)
        rest = vertex_normals(mean, triangles).astype(np.float64)
        turned = np.empty((BLENDSHAPE_COUNT, lm.LANDMARK_COUNT, 3))
        for index, moved in enumerate(model.expression_basis):
            turned[index] = (vertex_normals(mean + np.float32(STEP) * moved, triangles) - rest) / STEP
        return cls(rest, turned)

    @cached_property
    def _flat(self) -> F32:
        return self.turned.reshape(BLENDSHAPE_COUNT, -1).astype(np.float32)

    def gain_log(self, light: F32, rotation: F64, offset: F64) -> F32:
        """Log gain float32 [478] at the landmarks that an offset [52] makes; 0 for no offset or no light.

        light: float32 [4], see `LightWatch.value`. rotation: of the pose, [3, 3].
        """
        if light is NO_LIGHT:
            return np.zeros(lm.LANDMARK_COUNT, np.float32)
        how = (PAINTED, STRENGTH, (DARKEST, LEAST_SHADING), LIMIT_LOG)
        return np.asarray(shaded(light, rotation, offset, self.normals, self._flat, *how))

    def light(self, luma: F64, face: FaceState) -> F64:
        """The light float64 [4] that explains the luma [478] at the landmarks; ridge and robust least squares
        over bare skin that faces the camera."""
        moved = np.einsum("e,en->n", face.expression.astype(np.float32), self._flat).reshape(-1, 3)
        normals = (self.normals + moved) @ face.pose.rotation.T
        skin = BARE_SKIN[normals[BARE_SKIN, 2] < -LEAST_FACING]
        rows, values = np.concatenate([np.ones((len(skin), 1)), normals[skin]], axis=1), luma[skin]
        ridge = (RIDGE * len(skin) + 1e-9) * np.diag([1e-6, 1.0, 1.0, 1.0])
        weights, light = np.ones(len(skin)), np.zeros(4)
        for _ in range(ROBUST_STEPS if len(skin) else 0):
            light = np.linalg.solve((rows.T * weights) @ rows + ridge, (rows.T * weights) @ values)
            off = values - rows @ light
            weights = 1.0 / (1.0 + np.square(off / (3.0 * float(np.median(np.abs(off))) + 1e-6)))
        return np.asarray(light)


def _bare_skin() -> npt.NDArray[np.int64]:
    """Landmarks on skin: neither lips, lids nor brows."""
    parts = {name: np.ravel(rows) for name, rows in vars(lm).items() if name.startswith(("LIPS_", "EYE_"))}
    taken = {int(index) for rows in parts.values() for index in rows} | set(_BROWS)
    return np.array(sorted(set(range(lm.SURFACE_COUNT)) - taken), np.int64)


def _painted() -> F32:
    painted = np.ones(lm.LANDMARK_COUNT, np.float32)
    painted[list(_UNLIT)] = 0.0
    painted.flags.writeable = False
    return painted


BARE_SKIN: Final = _bare_skin()
PAINTED: Final = _painted()  # float32 [478], 0 or 1: at which landmarks the change of shading is painted


class LightWatch:
    """The light of one stream: an average of the last looks.

    value: float32 [4] in the camera's frame, ambient and direction, of encoded luma 0..1; a new array after
    each look. Zero before the first one: no light is known, and none is changed.
    """

    def __init__(self, shading: Shading) -> None:
        self._shading = shading
        self.reset()

    def reset(self) -> None:
        """Forget the light."""
        self.value = NO_LIGHT
        self._looks, self._seen_s = 0, 0.0

    def due(self, time_s: float) -> bool:
        """Whether it is time for another look."""
        return self._looks == 0 or not 0.0 <= time_s - self._seen_s < SEE_EVERY_S

    def see(self, luma: F64, face: FaceState, time_s: float) -> None:
        """Take the luma 0..1 at the landmarks, float64 [478], of a frame into account."""
        light = self._shading.light(luma, face)
        if not np.isfinite(light).all() or light[0] <= 0.0:
            return
        self._looks, self._seen_s = min(self._looks + 1, MEMORY), time_s
        self.value = np.asarray(self.value + (light - self.value) / self._looks, np.float32)
