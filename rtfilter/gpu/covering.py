"""`Covering`: what an edit leaves alone of a face on a device, found on the host. Used by `device_person`.

A frame's mask must be uploaded with the frame, before its landmarks are known. So it is made of the frame's
own pixels, in the square around the landmarks of the frame before.
"""

from __future__ import annotations

import numpy as np

from rtfilter.engines.runner import Network
from rtfilter.engines.spec import F32
from rtfilter.face.deform import Room
from rtfilter.face.model import MorphableModel
from rtfilter.face.visibility import ALL_PARTS
from rtfilter.frame import Frame
from rtfilter.occlusion.glasses import Glasses
from rtfilter.occlusion.watch import OcclusionWatch
from rtfilter.tracking.base import Landmarks


class Covering:
    """Of one person; for one thread.

    network, rims: of `engines.networks.OCCLUSION` and `RIMS`, shared by all of a stream.
    """

    def __init__(self, model: MorphableModel, network: Network, rims: Network) -> None:
        self._watch = OcclusionWatch(network, model.triangles, Glasses(rims, model))
        self._place: Landmarks | None = None
        self._lost = False
        self._found: tuple[Frame, Room, F32] | None = None

    def follow(self, points_px: F32, score: float, person: int) -> None:
        """Take in where the face is: float32 [478, 3]; copied."""
        self._place, self._lost, self._found = Landmarks(points_px.copy(), score, person), False, None

    def lose(self) -> None:
        """There is no face: what was shown fades where it was."""
        self._lost = True

    def of(self, frame: Frame, time_s: float) -> tuple[Room | None, F32]:
        """The room in a frame, and float32 [P] how much of their edit parts keep; None and all before a face.

        Of one frame it is found once, unless `follow` came in between.
        """
        place = self._place
        if place is None or not np.isfinite(place.points_px).all():
            return None, ALL_PARTS
        if self._found is None or self._found[0] is not frame:
            seen = self._watch.see(frame, place, time_s, learn=not self._lost)
            self._found = frame, seen.room, seen.parts
        return self._found[1:]
