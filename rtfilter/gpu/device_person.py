"""`DevicePerson`: one followed face of the CUDA lane: its state on the device, the works of its frames.

Made by `cuda_lane`, which has the works done.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rtfilter.engines.expression.host import StreamTimes, TargetWriter, face_state
from rtfilter.engines.expression.layout import REPORT, TARGET
from rtfilter.engines.runner import Network
from rtfilter.engines.spec import F32
from rtfilter.face.light import LightWatch, Shading
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SkinMaps
from rtfilter.face.visibility import ALL_PARTS
from rtfilter.frame import Frame
from rtfilter.gpu.covering import Covering
from rtfilter.gpu.lane import PersonReport
from rtfilter.gpu.region import region_in, region_of, region_with
from rtfilter.gpu.step import Step
from rtfilter.gpu.work import Work
from rtfilter.occlusion.others import beside_others
from rtfilter.render.luma import is_alike, look
from rtfilter.system.arrays import Box
from rtfilter.tracking.base import Landmarks
from rtfilter.tracking.follow import REMEMBER_S
from rtfilter.tracking.roi import Roi


@dataclass(frozen=True)
class Shared:
    """What all people of a lane have in common.

    occlusion, rims: the networks that look for what covers a face, and for rims of glasses.
    """

    model: MorphableModel
    fade_s: float
    shading: Shading
    occlusion: Network
    rims: Network


class DevicePerson:
    """What is learned of one face, and how far its edit has come.

    first_row: of their two rows of the state table, of which one is committed. skin: the maps that are
    painted on them.

    Attributes:
        number: see `Landmarks.person`.
        shown: whether an edit was shown in the last frame.
        seen_s: when the face was last there; infinity before the first time.
        last: the work of the last launch.
    """

    def __init__(self, first_row: int, number: int, shared: Shared, skin: SkinMaps) -> None:
        self.first_row, self.number, self.skin = first_row, number, skin
        self._model, self._times = shared.model, StreamTimes()
        self._target = TargetWriter(shared.fade_s, learned=shared.model.editor is not None)
        self.light = LightWatch(shared.shading)
        self._covering = Covering(shared.model, shared.occlusion, shared.rims)
        self._row, self.is_new, self.shown = 0, True, False
        self._region = Box(0, 0, 1, 1)
        self.seen_s = math.inf  # so that nobody who comes in the same frame gets this place
        # The last frame with the face, where it is in that, and its size.
        self._frame: Frame | None = None
        self._points_px: F32 | None = None
        self._scale_px, self._there = 0.0, False
        self.last = Work()

    @property
    def region(self) -> Box:
        """The part of the picture that was uploaded last."""
        return self._region

    @property
    def place(self) -> F32 | None:
        """The landmarks in the last frame; None where the face was not found in it."""
        return self._points_px if self._there else None

    @property
    def seen(self) -> tuple[F32 | None, float]:
        """What the mesh network saw in the last work: landmarks, None for no face, and presence."""
        results = self.last.results
        return results["points_px"][0] if results["present"][0] else None, float(results["presence"][0])

    @property
    def strength(self) -> float:
        """The fade in the last work, 0..1."""
        return self._number("strength")

    @property
    def iod_px(self) -> float:
        """The size of the face in the last work."""
        return self._number("scale_px_per_iod")

    @property
    def begins(self) -> bool:
        """Whether the last work made the first state: the frame itself is yet to be run, from that one."""
        return self._times.seeding and bool(self._number("present"))

    def forgotten(self, time_s: float) -> bool:
        """Whether the face was last seen so long ago that one that comes is another's."""
        return not 0.0 <= time_s - self.seen_s <= REMEMBER_S

    def work(self, step: Step, roi: Roi | None) -> Work:
        """The whole step at `roi`, or without a face, from the committed state."""
        if roi is None:
            # What fades is where it was last seen.
            self._covering.lose()
            self._region = region_in(self._region, step.frame.width, step.frame.height)
        else:
            self._region = region_of(roi, step.frame.width, step.frame.height)
        return self._work(step, roi)

    def larger_work(self, step: Step) -> Work | None:
        """The last work with a larger region, if it would change more than its own."""
        wanted = self.last.wanted
        if wanted is None or self._region.holds(wanted):
            return None
        self._region = region_with(self._region, wanted, step.frame.width, step.frame.height)
        return self._work(step, self.last.roi)

    def commit(self, frame: Frame, time_s: float) -> None:
        """Go on from the state that the last work made, of that frame."""
        points_px, presence = self.seen
        self._there = present = bool(self._number("present"))
        self._times.ran(time_s, present)
        if present and points_px is not None:
            self.seen_s = time_s
            self._frame, self._points_px, self._scale_px = frame, points_px.copy(), self.iod_px
            self._covering.follow(points_px, presence, self.number)
        self._row, self.is_new = 1 - self._row, False
        self.shown = bool(self._number("shown"))

    def look(self, frame: Frame, time_s: float) -> None:
        """See the light on the frame's face, for the frames after it."""
        points_px, _ = self.seen
        if points_px is not None and self.light.due(time_s):
            look(self.light, frame, points_px, face_state(self._report, len(self._model.identity_scale)))

    def report(self) -> PersonReport:
        """Of the last work, which had the face; everything is copied."""
        points_px, presence = self.seen
        assert points_px is not None
        landmarks = Landmarks(points_px.copy(), presence, self.number)
        offset = REPORT.of(self._report, "offset").astype(np.float64)
        state = face_state(self._report, len(self._model.identity_scale))
        return PersonReport(landmarks, state, offset, self.strength)

    def _work(self, step: Step, roi: Roi | None) -> Work:
        frame, controls = step.frame, step.controls_of(self.number)
        room, parts = None, ALL_PARTS
        if controls.occlusion:
            room, parts = self._covering.of(frame, step.time_s)
        if self._points_px is not None:
            others = [place for number, place in step.places.items() if number != self.number]
            room = beside_others(room, self._points_px, others)
        self.last = work = Work(step.upload(self._region), roi, skin=self.skin, room=room)
        first = self.first_row
        work.rows = (-1 if self.is_new else first + self._row, first + 1 - self._row)
        how = (frame.width, frame.height, self.light.value, parts)
        self._target.write(work.target, controls, self._times, step.time_s, *how)
        if roi is None and not self._is_alike(frame):
            TARGET.of(work.target, "fade_s")[:] = 0.0  # nothing of the edit is left
        return work

    def _is_alike(self, frame: Frame) -> bool:
        """Whether the frame shows the face's place as the last one with it did."""
        if self._frame is None or self._points_px is None:
            return False
        return is_alike(self._frame, frame, self._points_px, self._scale_px)

    @property
    def _report(self) -> F32:
        row: F32 = self.last.results["report"][0]
        return row

    def _number(self, field: str) -> float:
        return float(self._report[REPORT[field].start])
