"""`RecordedFilter`: the filter, and what it did, counted and timed for the report."""

from __future__ import annotations

from rtfilter.controls import Controls
from rtfilter.filter import FaceFilter, StepResult
from rtfilter.frame import Frame
from rtfilter.gpu.choose import LaneChoice, Say
from rtfilter.system.clock import StageSummary, StageTimings

# Ten minutes at 30 frames a second.
KEPT_FRAMES = 18_000
FADE_S = 0.2


class RecordedFilter:
    """A `FaceFilter` that counts and times what it does.

    choice: the lane. fade_s: how long the edit takes to come and go. say: told of a move to another lane.
    frames, with_face, changed: counts of frames so far.
    """

    def __init__(self, choice: LaneChoice, fade_s: float = FADE_S, say: Say | None = None) -> None:
        self._filter = FaceFilter(lane=choice, fade_s=fade_s, say=say)
        self._timings = StageTimings(KEPT_FRAMES)
        self.frames = self.with_face = self.changed = 0

    @property
    def lane(self) -> dict[str, str]:
        """Name of the lane that works now, and why it is this one."""
        return {"name": self._filter.lane, "why": self._filter.lane_why}

    def step(self, frame: Frame, controls: Controls) -> StepResult:
        """One frame through the filter."""
        result = self._filter.step(frame, controls)
        self.frames += 1
        self.with_face += result.report.landmarks is not None
        self.changed += result.frame.changed is not None
        self._timings.record_all(result.report.stage_ns)
        return result

    def reset(self) -> None:
        """Forget the face, as if the stream started anew."""
        self._filter.reset()

    def summary(self) -> dict[str, StageSummary]:
        """Median, p95, p99 in milliseconds by stage."""
        return self._timings.summary()

    def close(self) -> None:
        """Release the networks."""
        self._filter.close()
