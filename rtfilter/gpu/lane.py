"""`Lane`, the interface of both lanes, and what a step returns. Called by `filter`, `gpu` and `cam`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPES, Controls
from rtfilter.face.fit import FaceState
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.tracking.base import Landmarks


def _coefficients(state: FaceState | None) -> dict[str, float]:
    return {} if state is None else dict(zip(BLENDSHAPES, state.expression.tolist(), strict=True))


# Controls by `Landmarks.person`.
People = Mapping[int, Controls]
# Of people whose pixels stay untouched: the edit of those who return from this fades in.
AT_REST: Final = Controls(bypass=True)


def controls_of(person: int, controls: Controls, people: People) -> Controls:
    """The controls of one person: their own, or everybody's; AT_REST for all that bypass."""
    theirs = people.get(person, controls)
    return AT_REST if theirs.bypass else theirs


@dataclass(frozen=True, slots=True)
class PersonReport:
    """What one step saw and did of one face: as the fields of `StepReport`, which never are None here."""

    landmarks: Landmarks
    state: FaceState
    offset: npt.NDArray[np.float64]
    strength: float

    @property
    def person(self) -> int:
        """Their number: kept while followed, never used again. `FaceFilter.step(people=)` goes by it."""
        return self.landmarks.person

    @property
    def coefficients(self) -> dict[str, float]:
        """See `StepReport.coefficients`."""
        return _coefficients(self.state)


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step saw and did; of several faces, the fields of one are the longest followed one's.

    landmarks: float32 [478, 3] in pixels as `landmarks.points_px`, MediaPipe's indices; state: pose,
    expression, identity (`rtfilter.face.fit.FaceState`). Both None when there was no face.
    offset: float64 [52], the edit before fading; None without a face. strength: the fade, 0..1.
    stage_ns: nanoseconds by stage. The CPU lane has track, fit, edit, render and total; the CUDA lane has
        track (which part of the picture, and copying it), device (the whole graph), render (the changed
        pixels put into place) and total.
    people: of every face in the frame, the longest followed first.
    """

    landmarks: Landmarks | None = None
    state: FaceState | None = None
    offset: npt.NDArray[np.float64] | None = None
    strength: float = 0.0
    stage_ns: dict[str, int] = field(default_factory=dict)
    people: tuple[PersonReport, ...] = ()

    @classmethod
    def of_people(
        cls, people: tuple[PersonReport, ...], fading: float, stage_ns: dict[str, int]
    ) -> StepReport:
        """The report of a frame with these faces. fading: the strength to report where there is none."""
        if not people:
            return cls(strength=fading, stage_ns=stage_ns)
        first = people[0]
        return cls(first.landmarks, first.state, first.offset, first.strength, stage_ns, people)

    @property
    def coefficients(self) -> dict[str, float]:
        """The face's own 52 expression coefficients by ARKit's names, 0..1 each; empty without a face."""
        return _coefficients(self.state)


class StepResult(NamedTuple):
    """A filtered frame, and what was seen and done."""

    frame: Frame
    report: StepReport


class Lane(Protocol):
    """Filters one stream of frames; not thread-safe."""

    @property
    def name(self) -> str:
        """`cpu` or `cuda`."""
        ...

    @property
    def why(self) -> str:
        """Why it is this one, or on which device, in a few words; may be ""."""
        ...

    def step(self, frame: Frame, controls: Controls, people: People | None = None) -> StepResult:
        """`frame` with the target expression, and the report. Frames come in presentation order.

        people: controls of single ones; everybody else gets `controls`.

        Raises GpuError when a device is lost or out of memory; the lane is then of no more use.
        """
        ...

    def choose(self, x: float, y: float) -> None:
        """Follow the face at this place of the next frame, in shares of width and height, if there is one.

        For a lane of one face. UsageError for a tracker that cannot choose.
        """
        ...

    def use_skin(self, skin: SkinMaps, person: int | None = None) -> None:
        """Paint these skin maps from the next frame on: on everybody, or on one person, whatever others get.

        A number that is not followed any more is ignored.
        """
        ...

    def reset(self) -> None:
        """Forget the face, its neutral and the smoothing, as if the stream started anew."""
        ...

    def close(self) -> None:
        """Release networks, memory and threads. Called once."""
        ...
