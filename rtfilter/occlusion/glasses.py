"""Glasses of one person: found once, and kept from then on, so that their rims stay rigid.

A small network looks for rims in the band over the eyes, which stays with the head. What it finds is averaged
over looks, so that rims stay where a blink, a brow or a reflection hides them. Clear lenses are no rims: eyes
and lids behind them move. Called by `occlusion.watch`.
"""

from __future__ import annotations

from importlib import resources
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.engines.networks import RIMS
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.engines.runner import Network
from rtfilter.face.model import MorphableModel
from rtfilter.occlusion.band import COLUMNS, ROWS, Band
from rtfilter.occlusion.square import SIDE_PX, square_from_picture
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8
from rtfilter.tracking.roi import Roi

F32 = npt.NDArray[np.float32]

ASSET: Final = "rims.onnx"
FIRST_LOOKS: Final = 6  # all of these are taken, until it is known whether there are glasses
EVERY: Final = 6  # looks, from then on: half a second
MEMORY: Final = 12  # looks that the averages go back over
SURE_AFTER: Final = 3  # looks
# Mean probability of glasses from which they are worn, and below which they were taken off.
WORN: Final = (0.65, 0.4)
TAKEN_OFF_SHARE: Final = 0.4  # of the way to a new answer: off within two or three looks
LINE: Final = 0.3  # mean probability of rims from which a place is held
FACING_DEG: Final = (28.0, 25.0)  # yaw and pitch up to which the band shows both lenses
LEAST_IOD_PX: Final = 36.0  # of the picture; rims of a smaller face are no lines any more


def rims_on_the_processor() -> OnnxRunner:
    """The network on one core, for one face."""
    return OnnxRunner(resources.files("rtfilter.occlusion").joinpath("assets", ASSET).read_bytes(), RIMS)


class Glasses:
    """What is known of one person's glasses.

    network: of `engines.networks.RIMS`, for one face; may be shared by several people in one thread.

    Attributes:
        worn: whether there are glasses.
    """

    def __init__(self, network: Network, model: MorphableModel) -> None:
        self._network, self._band = network, Band(model)
        self.reset()

    def reset(self) -> None:
        """Forget them."""
        self.worn = False
        self._answer = 0.0
        self._looks = self._taken = 0
        self._rims = np.zeros((ROWS // 2, COLUMNS // 2), np.float32)

    def see(self, pixels: U8 | Planes, points_px: F32) -> None:
        """Take a look into account; most looks cost nothing. points_px: float32 [478, 3], of the picture."""
        self._looks += 1
        if self._taken >= FIRST_LOOKS and self._looks % EVERY:
            return
        pose = self._band.pose(points_px)
        yaw, pitch, _ = pose.yaw_pitch_roll_deg
        if abs(yaw) > FACING_DEG[0] or abs(pitch) > FACING_DEG[1] or pose.scale_px_per_iod < LEAST_IOD_PX:
            return
        found = self._network.run(pixels=self._band.see(pixels, pose)[None])
        self._taken += 1
        share = max(1.0 / self._taken, TAKEN_OFF_SHARE)
        self._answer += share * (float(found["worn"][0, 0]) - self._answer)
        if self._taken >= SURE_AFTER:
            self.worn = self._answer > (WORN[1] if self.worn else WORN[0])
        if not self.worn and self._taken > FIRST_LOOKS:
            self._rims[:] = 0.0  # the next pair may be another one
        step = max(1.0 / self._taken, 1.0 / MEMORY)
        self._rims += np.float32(step) * (found["rims"][0, 0] - self._rims)

    def held(self, roi: Roi, points_px: F32) -> F32:
        """How surely each pixel of the face's square shows rims, float32 [96, 96]; held from 0.5 on."""
        if not self.worn:
            return np.zeros((SIDE_PX, SIDE_PX), np.float32)
        picture_from_band = self._band.picture_from_band(self._band.pose(points_px))
        picture_from_band[:, :2] *= 2.0  # of pixels of two by two
        matrix = square_from_picture(roi)
        whole = matrix[:, :2] @ picture_from_band
        whole[:, 2] += matrix[:, 2]
        whole[:, 2] += 0.5 * whole[:, :2].sum(1) - 0.5  # between pixel indices
        level = np.minimum(self._rims * np.float32(0.5 / LINE), np.float32(1.0))
        size = (SIDE_PX, SIDE_PX)
        return np.asarray(cv2.warpAffine(level, whole, size, flags=cv2.INTER_LINEAR), np.float32)
