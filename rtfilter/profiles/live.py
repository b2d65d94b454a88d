"""`ProfiledLane`: a lane that paints a person's own skin maps. Opened by `filter`.

The person's own maps are painted as long as nothing speaks against it being the person. Somebody else gets
the built-in ones, after a fade; the person who comes back gets their own again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import Controls
from rtfilter.errors import Notify
from rtfilter.face.fit import FaceState
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.gpu.lane import Lane, StepResult
from rtfilter.profiles.recognise import SIDE, View, log_odds, smaller, view_of
from rtfilter.render.unwrap import Unwrapper

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

LOOK_EVERY_S: Final = 0.5
SETTLED_S: Final = 1.5  # the neutral of a new face is a guess before
FRONTAL_DEG: Final = 20.0
MEMORY: Final = 0.75  # of the mean texture, from look to look
LOOK_MAX: Final = 1.5  # log odds that one look may add: looks are not independent
DECIDED: Final = 4.0
CERTAIN: Final = 6.0
GONE_S: Final = 1.0  # a face that was away for longer may be another's
FADE_S: Final = 0.5  # half of it out, half of it in


@dataclass(frozen=True)
class Worn:
    """What of a `profile.Profile` is used while frames are filtered."""

    name: str
    skin: SkinMaps
    neutral_iod: F32
    texture: U8
    weight: U8


class ProfiledLane:
    """`lane` with the maps of `profile` while the person is the profile's; a `gpu.lane.Lane`.

    notify: called with one line, once, when it is somebody else.
    """

    def __init__(self, lane: Lane, profile: Worn, model: MorphableModel, notify: Notify) -> None:
        self._lane, self._profile, self._notify = lane, profile, notify
        self._unwrapper = Unwrapper(SIDE, model.triangles)
        texture, weight = smaller(profile.texture, profile.weight)
        self._own = view_of(texture, weight, self._unwrapper.mask, profile.neutral_iod)
        self._others = SkinMaps.builtin()
        self._told = False
        self._wanted = self._painted = True
        self._share = 1.0
        self._faded_s: float | None = None
        self._seen_s = self._looked_s = self._since_s = -math.inf
        self._evidence = self._looks = 0.0
        self._texture = np.zeros((SIDE, SIDE, 3), np.float32)
        self._weight = np.zeros((SIDE, SIDE), np.float32)
        lane.use_skin(profile.skin)

    @property
    def name(self) -> str:
        """See `Lane.name`."""
        return self._lane.name

    @property
    def why(self) -> str:
        """See `Lane.why`."""
        return self._lane.why

    @property
    def own(self) -> bool:
        """Whether the person's own maps are wanted: nothing speaks against it being the person."""
        return self._wanted

    def step(self, frame: Frame, controls: Controls) -> StepResult:
        """See `Lane.step`."""
        time_s = frame.pts_ns * 1e-9
        result = self._lane.step(frame, self._faded(controls, time_s))
        landmarks, face = result.report.landmarks, result.report.state
        if landmarks is not None and face is not None:
            self._see(frame, landmarks.points_px, face, time_s)
        return result

    def use_skin(self, skin: SkinMaps) -> None:
        """See `Lane.use_skin`: for anybody but the person of the profile."""
        self._others = skin
        if not self._painted:
            self._lane.use_skin(skin)

    def reset(self) -> None:
        """See `Lane.reset`. It is the person, until something speaks against it."""
        self._lane.reset()
        self._forget()
        if not self._painted:  # while bypassed, every frame is a reset
            self._lane.use_skin(self._profile.skin)
        self._wanted = self._painted = True
        self._share, self._faded_s = 1.0, None

    def close(self) -> None:
        """See `Lane.close`."""
        self._lane.close()

    def _faded(self, controls: Controls, time_s: float) -> Controls:
        """The controls of a frame: while maps are exchanged, with less of them."""
        elapsed_s = 0.0 if self._faded_s is None else max(time_s - self._faded_s, 0.0)
        self._faded_s = time_s
        step = min(elapsed_s / (0.5 * FADE_S), 1.0)
        if self._painted != self._wanted:
            self._share -= step
            if self._share <= 0.0:
                self._share, self._painted = 0.0, self._wanted
                self._lane.use_skin(self._profile.skin if self._painted else self._others)
        elif self._share < 1.0:
            self._share = min(self._share + step, 1.0)
        return controls if self._share >= 1.0 else replace(controls, skin=controls.skin * self._share)

    def _see(self, frame: Frame, points_px: F32, face: FaceState, time_s: float) -> None:
        """Look at the face of a frame, if it is time to."""
        if time_s - self._seen_s > GONE_S or time_s < self._seen_s:
            self._forget()
            self._since_s = time_s
        self._seen_s = time_s
        yaw, pitch, _ = face.pose.yaw_pitch_roll_deg
        due = time_s - self._since_s >= SETTLED_S and time_s - self._looked_s >= LOOK_EVERY_S
        if not due or abs(yaw) > FRONTAL_DEG or abs(pitch) > FRONTAL_DEG:
            return
        self._looked_s = time_s
        texture, weight = self._unwrapper.unwrap(frame.rgb, points_px)
        self._texture = MEMORY * self._texture + texture * weight[..., None]
        self._weight = MEMORY * self._weight + weight
        self._looks = MEMORY * self._looks + 1.0
        self._judge(face)

    def _judge(self, face: FaceState) -> None:
        mean = self._texture / np.maximum(self._weight, 1e-3)[..., None]
        weight = np.asarray(self._weight / self._looks, np.float32)
        seen: View = view_of(mean, weight, self._unwrapper.mask, face.neutral_iod)
        odds = log_odds(self._own, seen)
        self._evidence += float(np.clip(odds, -LOOK_MAX, LOOK_MAX))
        self._evidence = float(np.clip(self._evidence, -CERTAIN, CERTAIN))
        if self._wanted and self._evidence <= -DECIDED:
            self._wanted = False
            if not self._told:
                self._notify(
                    f"this is not the person of profile {self._profile.name}: its texture fades out, and the "
                    "built-in skin is used. Is it you? Then enrol again in this light: "
                    f"rtfilter enroll --name {self._profile.name} --force"
                )
            self._told = True
        elif not self._wanted and self._evidence >= DECIDED:
            self._wanted = True

    def _forget(self) -> None:
        """Forget what was seen, but not what was decided."""
        self._seen_s = self._looked_s = self._since_s = -math.inf
        self._evidence, self._looks = 0.0, 0.0
        self._texture = np.zeros((SIDE, SIDE, 3), np.float32)
        self._weight = np.zeros((SIDE, SIDE), np.float32)
