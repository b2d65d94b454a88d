"""`Wearer`: one followed face that may be a profile's person, and how far its skin maps are exchanged.

Made by `profiles.live`, for every face of a stream.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import Controls
from rtfilter.face.fit import FaceState
from rtfilter.frame import Frame
from rtfilter.profiles.recognise import SIDE, View, log_odds, view_of
from rtfilter.render.unwrap import Unwrapper

F32 = npt.NDArray[np.float32]

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
class Sought:
    """Whom a profile shows, and what unwraps a face to compare with."""

    view: View
    unwrapper: Unwrapper


class Wearer:
    """Whether a face wears the profile's maps.

    own: before anything was seen. exchange: called when the other maps are to be painted, with whether they
    are the profile's.

    Attributes:
        wanted: whether the profile's maps are.
        painted: whether they still, or already, are.
        seen_s: when the face was last there.
    """

    def __init__(self, sought: Sought, own: bool, exchange: Callable[[bool], None]) -> None:
        self._sought, self._exchange = sought, exchange
        self.wanted = self.painted = own
        self._share = 1.0
        self._faded_s: float | None = None
        self.forget()

    def forget(self) -> None:
        """Forget what was seen, but not what was decided."""
        self._looked_s = self._since_s = self.seen_s = -math.inf
        self._evidence, self._looks = 0.0, 0.0
        self._texture = np.zeros((SIDE, SIDE, 3), np.float32)
        self._weight = np.zeros((SIDE, SIDE), np.float32)

    def controls(self, controls: Controls, time_s: float) -> Controls:
        """The controls of a frame: while maps are exchanged, with less of them."""
        elapsed_s = 0.0 if self._faded_s is None else max(time_s - self._faded_s, 0.0)
        self._faded_s = time_s
        step = min(elapsed_s / (0.5 * FADE_S), 1.0)
        if self.painted != self.wanted:
            self._share -= step
            if self._share <= 0.0:
                self._share, self.painted = 0.0, self.wanted
                self._exchange(self.painted)
        elif self._share < 1.0:
            self._share = min(self._share + step, 1.0)
        return controls if self._share >= 1.0 else replace(controls, skin=controls.skin * self._share)

    def see(self, frame: Frame, points_px: F32, face: FaceState, time_s: float) -> None:
        """Look at the face of a frame, if it is time to."""
        if time_s - self.seen_s > GONE_S or time_s < self.seen_s:
            self.forget()
            self._since_s = time_s
        self.seen_s = time_s
        yaw, pitch, _ = face.pose.yaw_pitch_roll_deg
        due = time_s - self._since_s >= SETTLED_S and time_s - self._looked_s >= LOOK_EVERY_S
        if not due or abs(yaw) > FRONTAL_DEG or abs(pitch) > FRONTAL_DEG:
            return
        self._looked_s = time_s
        texture, weight = self._sought.unwrapper.unwrap(frame.rgb, points_px)
        self._texture = MEMORY * self._texture + texture * weight[..., None]
        self._weight = MEMORY * self._weight + weight
        self._looks = MEMORY * self._looks + 1.0
        self._judge(face)

    def _judge(self, face: FaceState) -> None:
        mean = self._texture / np.maximum(self._weight, 1e-3)[..., None]
        weight = np.asarray(self._weight / self._looks, np.float32)
        seen = view_of(mean, weight, self._sought.unwrapper.mask, face.neutral_iod)
        odds = log_odds(self._sought.view, seen)
        self._evidence += float(np.clip(odds, -LOOK_MAX, LOOK_MAX))
        self._evidence = float(np.clip(self._evidence, -CERTAIN, CERTAIN))
        if abs(self._evidence) >= DECIDED:
            self.wanted = self._evidence > 0.0
