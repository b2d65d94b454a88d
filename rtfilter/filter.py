"""`FaceFilter`: one frame in, one frame out. The composition of the stages, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter_ns

import numpy as np
import numpy.typing as npt

from rtfilter.controls import Controls, in_range
from rtfilter.errors import FrameError, UsageError
from rtfilter.face.edit import FaceEditor
from rtfilter.face.fit import FaceFit, FaceState
from rtfilter.face.model import MorphableModel
from rtfilter.frame import Frame
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from rtfilter.tracking.base import Landmarks, Tracker

STAGES = ("track", "fit", "edit", "render", "total")
LONGEST_FADE_S = 60.0
FARTHEST_SIDES = 4.0  # landmarks farther from the picture's corner than this many of its longer side are none

# What the last frame with a face was edited with.
_Held = tuple[FaceState, Landmarks, npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class StepReport:
    """What the last step saw and did.

    landmarks, state: None when there was no face. offset: float64 [52], the edit in blendshapes before
    fading; None without a face. strength: the fade, 0..1. stage_ns: nanoseconds by stage (STAGES).
    """

    landmarks: Landmarks | None = None
    state: FaceState | None = None
    offset: npt.NDArray[np.float64] | None = None
    strength: float = 0.0
    stage_ns: dict[str, int] = field(default_factory=dict)


class FaceFilter:
    """Filters one stream of frames; not thread-safe, make one for each stream.

    tracker: default MediaPipe's. model: default the built-in face model. fade_s: how long the edit takes
    to come and go with the face; 0 for single pictures.
    """

    def __init__(
        self, *, tracker: Tracker | None = None, model: MorphableModel | None = None, fade_s: float = 0.2
    ) -> None:
        in_range("fade_s", fade_s, 0.0, LONGEST_FADE_S)
        if tracker is None:
            from rtfilter.tracking.mediapipe import MediaPipeTracker

            tracker = MediaPipeTracker()
        model = model or MorphableModel.builtin()
        self._tracker = tracker
        self._fit = FaceFit(model)
        self._editor = FaceEditor(model, fade_s)
        self._renderer = CpuRenderer(RingedMesh(model.triangles, model.holes))
        self._renderer.warm_up()
        self.last = StepReport()
        self._identity = self._fit.first_identity()
        self._edit = self._editor.first_state()
        self._held: _Held | None = None
        self._closed = False

    def step(self, frame: Frame, controls: Controls) -> Frame:
        """`frame` with the wished expression; the same pixels where, or when, nothing is to be changed.

        Frames come in presentation order; a step back in time or a pause starts the smoothing anew.

        Raises FrameError for what is no `Frame`, UsageError for what is no `Controls`, and once closed.
        """
        self._refuse_misuse(frame, controls)
        start = perf_counter_ns()
        time_s = frame.pts_ns * 1e-9
        if controls.bypass:
            self.reset()
            self.last = StepReport(stage_ns={"total": perf_counter_ns() - start})
            return frame.filtered(frame.rgb, None)
        self._renderer.prepare(frame)
        landmarks = self._tracker.track(frame)
        if landmarks is not None and not _plausible(landmarks, frame):
            landmarks = None
        tracked = perf_counter_ns()
        if landmarks is None:
            out = self._without_face(frame, time_s)
            done = perf_counter_ns()
            stages = {"track": tracked - start, "render": done - tracked, "total": done - start}
            self.last = StepReport(strength=self._edit.strength, stage_ns=stages)
            return out
        state, self._identity = self._fit.step(self._identity, landmarks.points_px, time_s)
        fitted = perf_counter_ns()
        inside = _inside(landmarks, frame)
        offset, self._edit = self._editor.step(self._edit, state, controls, inside, time_s)
        displacement = self._editor.displace(self._edit, state.pose, landmarks.points_px, offset)
        self._held = (state, landmarks, offset)
        edited = perf_counter_ns()
        out = self._renderer.render(frame, displacement)
        done = perf_counter_ns()
        stages = {
            "track": tracked - start,
            "fit": fitted - tracked,
            "edit": edited - fitted,
            "render": done - edited,
            "total": done - start,
        }
        self.last = StepReport(landmarks, state, offset, self._edit.strength, stages)
        return out

    def reset(self) -> None:
        """Forget the face, its neutral and the smoothing, as if the stream started anew."""
        self._tracker.reset()
        self._restart()

    def close(self) -> None:
        """Release the tracker's networks and the renderer's thread. May be called twice."""
        if not self._closed:
            self._closed = True
            self._tracker.close()
            self._renderer.close()

    def _refuse_misuse(self, frame: object, controls: object) -> None:
        if not isinstance(frame, Frame):
            got = type(frame).__name__
            raise FrameError(
                f"expected a Frame, got {got}: wrap a picture with Frame.from_rgb(image, pts=ns)"
            )
        if not isinstance(controls, Controls):
            got = type(controls).__name__
            raise UsageError(f"expected Controls, got {got}: such as Controls(emotions={{'happy': 0.8}})")
        if self._closed:
            raise UsageError("this filter is closed: make a new FaceFilter")

    def _restart(self) -> None:
        self._identity = self._fit.first_identity()
        self._edit = self._editor.first_state()
        self._held = None

    def _without_face(self, frame: Frame, time_s: float) -> Frame:
        """The last edit where the face was last seen, fading; then the frame as it is."""
        if self._held is None:
            return frame.filtered(frame.rgb, None)
        self._edit = self._editor.fade_out(self._edit, time_s)
        if self._edit.strength <= 0.0:
            self._edit, self._held = self._editor.first_state(), None
            return frame.filtered(frame.rgb, None)
        state, landmarks, offset = self._held
        displacement = self._editor.displace(self._edit, state.pose, landmarks.points_px, offset)
        return self._renderer.render(frame, displacement)


def _plausible(landmarks: Landmarks, frame: Frame) -> bool:
    """Whether these are numbers near the picture: a tracker's slip must cost neither frame nor identity."""
    limit_px = FARTHEST_SIDES * max(frame.width, frame.height)
    points = landmarks.points_px
    return bool(points.min() >= -limit_px and points.max() <= limit_px)  # False for NaN too


def _inside(landmarks: Landmarks, frame: Frame) -> float:
    """Share of the landmarks within the picture."""
    x, y = landmarks.points_px[:, 0], landmarks.points_px[:, 1]
    if x.min() >= 0 and y.min() >= 0 and x.max() < frame.width and y.max() < frame.height:
        return 1.0
    return float(np.mean((x >= 0) & (y >= 0) & (x < frame.width) & (y < frame.height)))
