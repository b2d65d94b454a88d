"""The CUDA lane: one stream of frames on a device. The host says where to look, and pastes what changed.

Everything between is one graph (`FramePipeline`). Written against protocols, so the host device runs it too.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rtfilter.controls import Controls
from rtfilter.engines.expression.host import StreamTimes, WishWriter, face_state
from rtfilter.engines.expression.layout import REPORT
from rtfilter.engines.spec import F32
from rtfilter.face.model import MorphableModel
from rtfilter.frame import Frame
from rtfilter.gpu.lane import StepReport, StepResult
from rtfilter.gpu.picture import Step
from rtfilter.gpu.region import holds, region_in, region_of, region_with
from rtfilter.planes import Planes
from rtfilter.render.cuda import changed_box, wanted_box
from rtfilter.system.arrays import U8, Box
from rtfilter.tracking.base import Landmarks
from rtfilter.tracking.detect import Detection
from rtfilter.tracking.engine import PICTURE_SIDE_MIN_PX
from rtfilter.tracking.find import find_person
from rtfilter.tracking.follow import Follower
from rtfilter.tracking.roi import Roi


class Place(Protocol):
    """What one stream has on a device: `Seat`, or `SharedSeat` of a batch."""

    @property
    def detector(self) -> FaceFinder: ...

    @property
    def wish_row(self) -> F32:
        """The row WISH of the next launch, to be written."""
        ...

    @property
    def results(self) -> dict[str, F32]:
        """See `FramePipeline.results`; overwritten by the next launch."""
        ...

    @property
    def box(self) -> npt.NDArray[np.void]:
        """The last run's `blocks.REPORT`."""
        ...

    def fit(self, step: Step, region: Box) -> None:
        """Make room for a region of the step's picture, before its `wish_row` is written."""
        ...

    def launch(self, step: Step, roi: Roi | None, region: Box, read: int, written: int) -> int:
        """Start the step on a region of the picture; roi None: nobody is there.

        read, written: which of the stream's two states; -1 is a new stream. Returns when, in nanoseconds.
        """
        ...

    def wait(self) -> None:
        """Until all that was started is done. Raises GpuError where it failed."""
        ...

    def paste(self, out: U8 | Planes, box: Box) -> None:
        """Put the changed box of what was launched into a copy of it (`Step.copy`)."""
        ...

    def close(self) -> None: ...


class FaceFinder(Protocol):
    def start(self, pixels: U8 | Planes) -> None:
        """Queue the detection of a picture's faces; `Place.wait` waits for it too. pixels: of a frame."""
        ...

    def found(self) -> list[Detection]: ...


class CudaLane:
    """Filters one stream. seat: its place on a device, closed with the lane."""

    name = "cuda"

    def __init__(self, seat: Place, model: MorphableModel, fade_s: float, why: str = "") -> None:
        self.why = why
        self.seat = seat
        self._identity_count = len(model.identity_scale)
        self._wish = WishWriter(fade_s)
        self._times = StreamTimes()
        self._follower = Follower()
        self.reset()

    def step(self, frame: Frame, controls: Controls) -> StepResult:
        """See `Lane.step`."""
        start = perf_counter_ns()
        step = Step(frame, controls, frame.pts_ns * 1e-9, self._changes)
        if not self._find(step):
            if not self._held:
                spent = perf_counter_ns() - start
                return StepResult(frame.unchanged(), StepReport(stage_ns={"track": spent, "total": spent}))
            self._run(step, None)
        self._believe(step.time_s)
        found = perf_counter_ns()
        out = self._painted(step)
        done = perf_counter_ns()
        stages = {
            "track": found - start - step.device_ns,
            "device": step.device_ns,
            "render": done - found,
            "total": done - start,
        }
        return StepResult(out, self._report(stages))

    def reset(self) -> None:
        """See `Lane.reset`."""
        self._follower.reset()
        self._times.reset()
        self._row, self._is_new, self._held, self._changes = 0, True, False, False
        self._region = Box(0, 0, 1, 1)

    def close(self) -> None:
        """See `Lane.close`; also after a failure, and twice."""
        self.seat.close()

    def _find(self, step: Step) -> bool:
        """Run the step where our person is; False when there is nobody."""
        frame, time_s = step.frame, step.time_s
        if min(frame.width, frame.height) < PICTURE_SIDE_MIN_PX:
            return False
        self._follower.picture(frame.width, frame.height)
        roi = find_person(
            self._follower,
            time_s,
            lambda: self._detected(step),
            lambda square: self._seen(step, square),
        )
        if roi is not None and self._times.seeding and self._number("present"):
            # That run made the first state of a new person. Now the frame itself, from this state.
            self._believe(time_s)
            self._run(step, roi)
        return roi is not None

    def _detected(self, step: Step) -> list[Detection]:
        """All faces of the picture: detected now, unless that was seen coming."""
        if not step.detected:
            self.seat.detector.start(step.frame.pixels)
            self.seat.wait()
            step.detected = True
        return self.seat.detector.found()

    def _seen(self, step: Step, roi: Roi) -> tuple[F32 | None, float]:
        """What the mesh network sees at `roi`; all of the step is run there."""
        self._run(step, roi)
        results = self.seat.results
        return results["points_px"][0] if results["present"][0] else None, float(results["presence"][0])

    def _run(self, step: Step, roi: Roi | None) -> None:
        """The whole step at `roi`, or without a face, from the state that is believed."""
        width, height = step.frame.width, step.frame.height
        # Without a face, what fades is where it was last seen.
        region = region_in(self._region, width, height) if roi is None else region_of(roi, width, height)
        self._launch(step, roi, region)
        wanted = wanted_box(self.seat.box)
        if wanted is not None and not holds(region, wanted):
            region = region_with(region, wanted, width, height)
            self._launch(step, roi, region)
        self._region = region

    def _launch(self, step: Step, roi: Roi | None, region: Box) -> None:
        seat, frame = self.seat, step.frame
        seat.fit(step, region)
        self._wish.write(seat.wish_row, step.controls, self._times, step.time_s, frame.width, frame.height)
        started = seat.launch(step, roi, region, -1 if self._is_new else self._row, 1 - self._row)
        # While the device works:
        if self._follower.look_next and not step.detected:
            seat.detector.start(frame.pixels)
            step.detected = True
        if step.changes:
            step.copy()
        seat.wait()
        step.device_ns += perf_counter_ns() - started

    def _believe(self, time_s: float) -> None:
        """Go on from the state that the last run made."""
        self._times.ran(time_s, bool(self._number("present")))
        self._row, self._is_new = 1 - self._row, False
        self._held = bool(self._number("shown"))

    def _painted(self, step: Step) -> Frame:
        """The frame with the changed box in its place."""
        box = changed_box(self.seat.box)
        self._changes = box is not None
        if box is None:
            return step.frame.unchanged()
        self.seat.paste(step.copy(), box)
        return step.painted(box)

    def _number(self, field: str) -> float:
        """A number of the last run's report."""
        return float(self.seat.results["report"][0, REPORT[field].start])

    def _report(self, stages: dict[str, int]) -> StepReport:
        """What the last run did; everything is copied."""
        strength = self._number("strength")
        if not self._number("present"):
            return StepReport(strength=strength, stage_ns=stages)
        results = self.seat.results
        row: F32 = results["report"][0]
        landmarks = Landmarks(results["points_px"][0].copy(), float(results["presence"][0]))
        offset = REPORT.of(row, "offset").astype(np.float64)
        return StepReport(landmarks, face_state(row, self._identity_count), offset, strength, stages)
