"""`FaceFilter`: one frame in, one frame out, on the lane that was chosen."""

from __future__ import annotations

import warnings
from time import perf_counter_ns
from types import TracebackType

from rtfilter.controls import Controls, in_range
from rtfilter.errors import FrameError, UsageError
from rtfilter.face.model import MorphableModel
from rtfilter.frame import Frame
from rtfilter.gpu.choose import (
    AUTO,
    CPU,
    CUDA,
    LaneChoice,
    Say,
    choose_lane,
    lane_name,
    log_choice,
    open_lane,
)
from rtfilter.gpu.lane import LONGEST_FADE_S, STAGES, StepReport, StepResult
from rtfilter.system.process import MadeHere
from rtfilter.tracking.base import Tracker

__all__ = ["STAGES", "FaceFilter", "StepReport", "StepResult"]


class FaceFilter:
    """Filters one stream of frames; not thread-safe, make one for each stream. Close it, or use it in `with`.

        with FaceFilter() as face_filter:
            frame, report = face_filter.step(Frame.from_bgr(picture), Controls({"happy": 0.8}))
            frame.bgr, report.landmarks, report.coefficients

    After a `fork`, the CPU lane goes on in the child with threads of its own; a GPU does not survive it, and
    `step` then raises UsageError.

    lane: `cpu`, `cuda`, or `auto`, which takes a GPU where one can be used; which it was, and why, is logged
        as `rtfilter.lane` and in `lane`. A choice that was made before (`choose_lane`) is taken as it is.
    tracker: default the lane's own; one of your own means the CPU lane. model: default the built-in face
    model. fade_s: how long the edit takes to come and go with the face; 0 for single pictures.
    fall_back: a GPU that cannot be had, or fails later, may be replaced by the CPU lane, which `say`
        (default: the log) is told in one line; `auto` implies it.

    Raises GpuError for a CUDA lane that cannot be had, UsageError for a lane that does not exist.
    """

    def __init__(
        self,
        *,
        lane: str | LaneChoice = AUTO,
        tracker: Tracker | None = None,
        model: MorphableModel | None = None,
        fade_s: float = 0.2,
        fall_back: bool = False,
        say: Say | None = None,
    ) -> None:
        in_range("fade_s", fade_s, 0.0, LONGEST_FADE_S)
        choice = _chosen(lane, tracker, fall_back)
        self._lane = open_lane(choice, tracker, model or MorphableModel.builtin(), fade_s, say)
        self._closed = False
        self._made = MadeHere("this FaceFilter, which works on a GPU,")
        self._time = _TimeWatch()

    @property
    def lane(self) -> str:
        """`cpu` or `cuda`."""
        return self._lane.name

    @property
    def lane_why(self) -> str:
        """Why it is this lane, or on which device; in a few words."""
        return self._lane.why

    def step(self, frame: Frame, controls: Controls) -> StepResult:
        """`frame` with the target expression, and a report of what was seen and done.

        The result has the same pixels where, or when, nothing is to be changed.

        Frames come in presentation order; a step back in time or a pause of half a second starts smoothing
        anew. Time that stands still, such as numbers of frames taken for nanoseconds, shows no edit, and a
        warning says so once.

        Raises FrameError for what is no `Frame`, UsageError for what is no `Controls`, and once closed;
        GpuError when a device fails and the CPU lane was not allowed.
        """
        self._refuse_misuse(frame, controls)
        if controls.bypass:
            start = perf_counter_ns()
            self.reset()
            report = StepReport(stage_ns={"total": perf_counter_ns() - start})
            return StepResult(frame.unchanged(), report)
        self._time.see(frame.pts_ns)
        return self._lane.step(frame, controls)

    def reset(self) -> None:
        """Forget the face, its neutral and the smoothing, as if the stream started anew."""
        self._time.reset()
        self._lane.reset()

    def close(self) -> None:
        """Release networks, memory and threads. May be called twice."""
        if not self._closed:
            self._closed = True
            if not self._lost_by_fork:  # what is the parent's stays the parent's
                self._lane.close()

    def __enter__(self) -> FaceFilter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _lost_by_fork(self) -> bool:
        return self.lane == CUDA and self._made.inherited

    def _refuse_misuse(self, frame: object, controls: object) -> None:
        if not isinstance(frame, Frame):
            got = type(frame).__name__
            raise FrameError(
                f"expected a Frame, got {got}: wrap it: Frame.from_rgb, from_bgr (OpenCV) or from_av (PyAV)"
            )
        if not isinstance(controls, Controls):
            got = type(controls).__name__
            raise UsageError(f"expected Controls, got {got}: such as Controls(emotions={{'happy': 0.8}})")
        if self._closed:
            raise UsageError("this filter is closed: make a new FaceFilter")
        if self._lost_by_fork:
            self._made.check()


class _TimeWatch:
    """A check of presentation times, with one warning when they hardly advance.

    Then nothing fades in, and nothing is smoothed. The quickest high-speed recordings have 1 ms a frame;
    numbers of frames, microseconds, milliseconds and 90 kHz ticks, when taken for nanoseconds, have at most
    0.04 ms.
    """

    LEAST_STEP_NS = 200_000
    FRAMES = 10

    def __init__(self) -> None:
        self._warned = False
        self.reset()

    def reset(self) -> None:
        """What comes next follows nothing."""
        self._last_ns: int | None = None
        self._stuck = 0

    def see(self, pts_ns: int) -> None:
        """To be told every frame's presentation time."""
        last_ns, self._last_ns = self._last_ns, pts_ns
        if self._warned or last_ns is None:
            return
        step_ns = pts_ns - last_ns
        self._stuck = self._stuck + 1 if step_ns < self.LEAST_STEP_NS else 0
        if self._stuck >= self.FRAMES:
            self._warned = True
            warnings.warn(
                f"{self.FRAMES} frames in a row came less than {self.LEAST_STEP_NS / 1e6:g} ms after the one "
                f"before (the last: {step_ns} ns), so the edit cannot fade in: give pts in nanoseconds, or "
                "pts=number with fps=30, or leave pts out for the time of arrival",
                stacklevel=3,
            )


def _chosen(lane: str | LaneChoice, tracker: Tracker | None, fall_back: bool) -> LaneChoice:
    if isinstance(lane, LaneChoice):
        return lane
    if tracker is not None:
        if lane_name(lane) not in (AUTO, CPU):
            raise UsageError(
                f"a tracker of your own works in the CPU lane: expected lane='cpu', got {lane!r}"
            )
        return LaneChoice(CPU, "a tracker of your own")
    choice = choose_lane(lane, fall_back=fall_back)
    log_choice(choice)
    return choice
