"""Displacement of landmarks in the picture, and the room it has: from `face.edit` to the renderers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from rtfilter.face.landmarks import LANDMARK_COUNT
from rtfilter.face.skin import SkinMaps

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]


def _no_weights() -> F32:
    return np.zeros(0, np.float32)


def _no_light() -> F32:
    return np.zeros(LANDMARK_COUNT, np.float32)


@dataclass(frozen=True, slots=True)
class Room:
    """How far everything in a square around the face is from what must not change: hands, walls, rims.

    distance: float32 [S, S], S at least 2, in pixels of the *picture*, at the centres of the square's pixels.
        0 is held itself: the renderers keep it bit for bit. Elsewhere no shift is longer than a share of the
        distance. Beyond the square it is that of its edge. What is no number counts as 0.
    room_from_picture: float64 [2, 3], from picture pixels to the square's pixels, centres at + 0.5 in both.
    """

    distance: F32
    room_from_picture: F64

    def __post_init__(self) -> None:
        distance, matrix = self.distance, self.room_from_picture
        rows, columns = distance.shape if distance.ndim == 2 else (0, 0)
        if distance.dtype != np.float32 or rows != columns or rows < 2:
            got = f"{distance.dtype} {list(distance.shape)}"
            raise ValueError(f"Room.distance: expected float32 [S, S], got {got}")
        if matrix.shape != (2, 3):
            raise ValueError(f"Room.room_from_picture: expected [2, 3], got {list(matrix.shape)}")


@dataclass(frozen=True, slots=True)
class Displacement:
    """The displacement of every landmark in the image, and how the skin's brightness changes with it.

    points_px: float32 [478, 3], the landmarks; z smaller is nearer.
    offset_px: float32 [478, 2], added to them.
    iod_px: pixels of one frontal inter-ocular distance, the scale of the mesh around the face.
    skin_weights: float32 [K], of the renderer's skin maps (`face.skin.SkinMaps`); empty is none.
    gain_log: float32 [478], log gain of the skin at the landmarks: the change of light.
    room: what must not change around and over the face; None: everything may.
    skin: the maps that `skin_weights` weigh; None: the renderer's own.

    All zero means untouched pixels. Both gains are faded like the offset.
    """

    points_px: F32
    offset_px: F32
    iod_px: float
    skin_weights: F32 = field(default_factory=_no_weights)
    gain_log: F32 = field(default_factory=_no_light)
    room: Room | None = None
    skin: SkinMaps | None = None
