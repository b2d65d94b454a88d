"""`Person`: one followed face of the CPU lane, from its landmarks to its displacement. Made by `cpu.lane`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rtfilter.controls import Controls
from rtfilter.face.deform import Displacement
from rtfilter.face.edit import FaceEditor, Held
from rtfilter.face.fit import FaceFit, FaceState
from rtfilter.face.landmarks import share_inside
from rtfilter.face.light import LightWatch
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.gpu.lane import PersonReport
from rtfilter.render.luma import is_alike, look
from rtfilter.tracking.base import Landmarks
from rtfilter.tracking.follow import REMEMBER_S

if TYPE_CHECKING:
    from rtfilter.occlusion.watch import OcclusionWatch


class Person:
    """What is learned of one face, and how far its edit has come. Called in the order of its methods.

    fit: may be shared by several people. editor, occlusion: theirs alone. skin: the maps that are painted on
    them.
    """

    def __init__(self, fit: FaceFit, editor: FaceEditor, occlusion: OcclusionWatch, skin: SkinMaps) -> None:
        self._fit, self._editor, self._occlusion = fit, editor, occlusion
        self._light = LightWatch(editor.shading)
        self._identity, self._edit = fit.first_identity(), editor.first_state()
        self._landmarks: Landmarks | None = None
        self._state: FaceState | None = None
        # What the last frame with the face was edited with, where, which it was, and whether what covers the
        # face counted.
        self._held: Held | None = None
        self._place: Landmarks | None = None
        self._frame: Frame | None = None
        self._covered = True
        self._seen_s = 0.0
        self.use_skin(skin)

    @property
    def light(self) -> LightWatch:
        """The light on this face."""
        return self._light

    @property
    def strength(self) -> float:
        """The fade, 0..1."""
        return self._edit.strength

    def forgotten(self, time_s: float) -> bool:
        """Whether the face was last seen so long ago that one that comes is another's."""
        return not 0.0 <= time_s - self._seen_s <= REMEMBER_S

    def fit(self, landmarks: Landmarks, time_s: float) -> None:
        """Take in the landmarks of a frame."""
        self._landmarks, self._seen_s = landmarks, time_s
        self._state, self._identity = self._fit.step(self._identity, landmarks.points_px, time_s)

    def edit(self, frame: Frame, controls: Controls, time_s: float) -> Displacement:
        """What the frame that was fitted is edited with."""
        landmarks, state = self._landmarks, self._state
        assert landmarks is not None, "fit comes first"
        assert state is not None
        inside = share_inside(landmarks.points_px, frame.width, frame.height)
        offset, self._edit = self._editor.step(self._edit, state, controls, inside, time_s)
        self._place, self._covered, self._frame = landmarks, controls.occlusion, frame
        held = Held(state, landmarks.points_px, offset, controls.skin, self._light.value)
        return self._displacement(frame, landmarks, held, time_s)

    def look(self, frame: Frame) -> None:
        """See the light on the frame's face, for the frames after it."""
        if self._landmarks is not None and self._state is not None:
            look(self._light, frame, self._landmarks.points_px, self._state)

    def fade(self, frame: Frame, time_s: float) -> Displacement | None:
        """In a frame in which the face was not found: the last edit where it was last seen, fading; None once
        that is over, or where something else is to be seen there."""
        self._landmarks = self._state = None
        if self._held is None or self._place is None or self._frame is None:
            return None
        self._edit = self._editor.fade_out(self._edit, time_s)
        iod_px = self._held.face.pose.scale_px_per_iod
        if self._edit.strength <= 0.0 or not is_alike(self._frame, frame, self._place.points_px, iod_px):
            self._edit, self._held, self._frame = self._editor.first_state(), None, None
            return None
        return self._displacement(frame, self._place, self._held, time_s)

    @property
    def report(self) -> PersonReport:
        """What was seen and done in the frame that was edited."""
        assert self._landmarks is not None, "edit comes first"
        assert self._state is not None
        assert self._held is not None
        return PersonReport(self._landmarks, self._state, self._held.offset, self.strength)

    def use_skin(self, skin: SkinMaps) -> None:
        """Paint these maps from now on."""
        self._skin = skin
        self._editor.use_skin(skin)

    def _displacement(self, frame: Frame, place: Landmarks, held: Held, time_s: float) -> Displacement:
        """What is edited, within the room of the frame; place: where the face is, or was last seen."""
        room = None
        if self._covered:
            seen = self._occlusion.see(frame, place, time_s, learn=self._landmarks is not None)
            held, room = held._replace(parts=seen.parts), seen.room
        self._held = held
        return replace(self._editor.displace(self._edit, held), skin=self._skin, room=room)
