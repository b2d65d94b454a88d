"""`ProfiledLane`: a lane that paints a person's own skin maps. Opened by `filter`.

Where one face is followed, the person's own maps are painted as long as nothing speaks against it being the
person. Somebody else gets the built-in ones, after a fade; the person who comes back gets their own again.
Where several are followed, everybody gets the built-in ones, until one of them is recognised.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from rtfilter.controls import Controls
from rtfilter.errors import Notify
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.gpu.lane import Lane, People, StepResult
from rtfilter.profiles.recognise import SIDE, smaller, view_of
from rtfilter.profiles.wearer import GONE_S, Sought, Wearer
from rtfilter.render.unwrap import Unwrapper

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]


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

    notify: called with one line, once, when it is somebody else. faces: how many `lane` follows.
    """

    def __init__(
        self, lane: Lane, profile: Worn, model: MorphableModel, notify: Notify, faces: int = 1
    ) -> None:
        self._lane, self._profile, self._notify, self._alone = lane, profile, notify, faces == 1
        unwrapper = Unwrapper(SIDE, model.triangles)
        texture, weight = smaller(profile.texture, profile.weight)
        self._sought = Sought(view_of(texture, weight, unwrapper.mask, profile.neutral_iod), unwrapper)
        self._others = SkinMaps.builtin()
        self._told, self._number = False, 0
        # By their numbers; where one face is followed it has all numbers.
        self._wearers: dict[int, Wearer] = {}
        if self._alone:
            self._one = Wearer(self._sought, True, self._exchange)
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
        """Whether the person's own maps are wanted: of one face, nothing speaks against it being the person;
        of several, one is recognised."""
        return self._one.wanted if self._alone else any(one.wanted for one in self._wearers.values())

    def step(self, frame: Frame, controls: Controls, people: People | None = None) -> StepResult:
        """See `Lane.step`."""
        time_s = frame.pts_ns * 1e-9
        before = self._lane.name
        result = self._lane.step(frame, *self._faded(controls, people, time_s))
        if self._lane.name != before:
            self._judge_anew()
        for one in result.report.people:
            self._wearer(one.person).see(frame, one.landmarks.points_px, one.state, time_s)
            self._number = one.person
        if self._alone and not self._one.wanted:
            self._tell()
        for number in [number for number, one in self._wearers.items() if time_s - one.seen_s > GONE_S]:
            del self._wearers[number]
        return result

    def choose(self, x: float, y: float) -> None:
        """See `Lane.choose`."""
        self._lane.choose(x, y)

    def use_skin(self, skin: SkinMaps, person: int | None = None) -> None:
        """See `Lane.use_skin`: for anybody but the person of the profile."""
        if person is not None:
            self._lane.use_skin(skin, person)
            return
        self._others = skin
        if not (self._alone and self._one.painted):
            self._lane.use_skin(skin)

    def take_off(self) -> None:
        """Paint everybody with the maps for others again; this lane is then of no more use."""
        self._lane.use_skin(self._others)
        for number in self._wearers:
            self._lane.use_skin(self._others, number)

    def reset(self) -> None:
        """See `Lane.reset`. One face is the person's, until something speaks against it."""
        self._lane.reset()
        self._wearers.clear()
        if self._alone:
            if not self._one.painted:  # while bypassed, every frame is a reset
                self._lane.use_skin(self._profile.skin)
            self._one = Wearer(self._sought, True, self._exchange)

    def close(self) -> None:
        """See `Lane.close`."""
        self._lane.close()

    def _judge_anew(self) -> None:
        """Another lane took over, which gives numbers anew, and learns everybody's neutral anew."""
        self._wearers.clear()
        if self._alone:
            self._one.forget()

    def _faded(
        self, controls: Controls, people: People | None, time_s: float
    ) -> tuple[Controls, People | None]:
        """The controls of a frame, with less skin for those whose maps are exchanged."""
        if self._alone:
            theirs = {number: self._one.controls(one, time_s) for number, one in (people or {}).items()}
            return self._one.controls(controls, time_s), theirs
        theirs = dict(people or {})
        for number, one in self._wearers.items():
            theirs[number] = one.controls(theirs.get(number, controls), time_s)
        return controls, theirs

    def _wearer(self, number: int) -> Wearer:
        if self._alone:
            if number != self._number:  # another face was chosen
                self._one.forget()
            return self._one
        if number not in self._wearers:
            exchange = partial(self._exchange, number=number)
            self._wearers[number] = Wearer(self._sought, False, exchange)
        return self._wearers[number]

    def _exchange(self, own: bool, number: int | None = None) -> None:
        skin = self._profile.skin if own else self._others
        if number is None:
            self._lane.use_skin(skin)
        else:
            self._lane.use_skin(skin, number)

    def _tell(self) -> None:
        if not self._told:
            self._notify(
                f"this is not the person of profile {self._profile.name}: its texture fades out, and the "
                "built-in skin is used. Is it you? Then enrol again in this light: "
                f"rtfilter enroll camera:0 --name {self._profile.name} --force"
            )
        self._told = True
