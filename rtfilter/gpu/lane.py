"""`Lane`, the interface of both lanes, and what a step returns. Called by `filter`, `gpu` and `cam`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPES, Controls
from rtfilter.face.fit import FaceState
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.tracking.base import Landmarks


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step saw and did.

    landmarks: float32 [478, 3] in pixels as `landmarks.points_px`, MediaPipe's indices; state: pose,
    expression, identity (`rtfilter.face.fit.FaceState`). Both None when there was no face.
    offset: float64 [52], the edit before fading; None without a face. strength: the fade, 0..1.
    stage_ns: nanoseconds by stage. The CPU lane has track, fit, edit, render and total; the CUDA lane has
        track (which part of the picture, and copying it), device (the whole graph), render (the changed
        pixels put into place) and total.
    """

    landmarks: Landmarks | None = None
    state: FaceState | None = None
    offset: npt.NDArray[np.float64] | None = None
    strength: float = 0.0
    stage_ns: dict[str, int] = field(default_factory=dict)

    @property
    def coefficients(self) -> dict[str, float]:
        """The face's own 52 expression coefficients by ARKit's names, 0..1 each; empty without a face."""
        if self.state is None:
            return {}
        return dict(zip(BLENDSHAPES, self.state.expression.tolist(), strict=True))


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

    def step(self, frame: Frame, controls: Controls) -> StepResult:
        """`frame` with the target expression, and the report. Frames come in presentation order.

        Raises GpuError when a device is lost or out of memory; the lane is then of no more use.
        """
        ...

    def use_skin(self, skin: SkinMaps) -> None:
        """Paint these skin maps from the next frame on."""
        ...

    def reset(self) -> None:
        """Forget the face, its neutral and the smoothing, as if the stream started anew."""
        ...

    def close(self) -> None:
        """Release networks, memory and threads. Called once."""
        ...
