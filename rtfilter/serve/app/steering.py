"""`Steering`: what a session's clients want, brought to the filter before each frame, in its thread.

Made by `session` and `cam_panel`; used by `pipeline`.
"""

from __future__ import annotations

from typing import Protocol

from rtfilter.controls import Controls
from rtfilter.frame import Frame
from rtfilter.gpu.lane import People, StepResult
from rtfilter.serve.app.live_controls import LiveControls
from rtfilter.serve.app.wearing import LiveProfile, Wearer
from rtfilter.system.clock import Clock, monotonic_ns


class Steerable(Wearer, Protocol):
    """The part of `FaceFilter` that is used."""

    def step(self, frame: Frame, controls: Controls, people: People | None = None) -> StepResult: ...

    def choose(self, x: float, y: float) -> None: ...

    def reset(self) -> None: ...


class Steering:
    """Controls, profile and the chosen face of one session; `step` belongs to the filter's thread."""

    def __init__(
        self, controls: LiveControls, profile: LiveProfile | None = None, clock: Clock = monotonic_ns
    ) -> None:
        self.controls = controls
        self.profile = profile or LiveProfile()
        self._clock = clock
        self._place: tuple[float, float] | None = None
        self._steered: Steerable | None = None

    def look_at(self, x: float, y: float) -> None:
        """Follow the face at this place of the next picture, in shares of its sides; from any thread."""
        self._place = x, y

    def step(self, face_filter: Steerable, frame: Frame, controls: Controls) -> StepResult:
        """One step of the filter. controls: everybody's, as they were read for this frame."""
        if face_filter is not self._steered:
            if self._steered is not None:
                self.controls.forget_people()  # another filter numbers anew
            self._steered = face_filter
        self.profile.dress(face_filter)
        place, self._place = self._place, None
        if place is not None:
            face_filter.choose(*place)
        result = face_filter.step(frame, controls, self.controls.people or None)
        self.controls.saw([one.person for one in result.report.people], self._clock())
        self.profile.look(face_filter)
        return result


class SteeredFilter:
    """A filter with its session's steering, for `CamJob`, which knows everybody's controls alone."""

    def __init__(self, face_filter: Steerable, steering: Steering) -> None:
        self._filter, self._steering = face_filter, steering
        self.reset = face_filter.reset

    def step(self, frame: Frame, controls: Controls) -> StepResult:
        """See `Steering.step`."""
        return self._steering.step(self._filter, frame, controls)
