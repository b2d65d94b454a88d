"""`CudaLane`: one stream of frames on a device. The host chooses the region, and pastes the changed box.

Everything between is one graph (`BatchGraph`). Opened by `open`, called by `FaceFilter`. It uses devices by
their contract alone, so that tests run it on the processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter_ns
from typing import Final

import numpy as np

from rtfilter.controls import Controls
from rtfilter.engines.expression.host import StreamTimes, TargetWriter, face_state
from rtfilter.engines.expression.layout import REPORT
from rtfilter.engines.spec import F32
from rtfilter.errors import UsageError
from rtfilter.face.light import LightWatch, Shading
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SkinMaps
from rtfilter.face.visibility import ALL_PARTS
from rtfilter.frame import Frame
from rtfilter.gpu.batcher import Batcher
from rtfilter.gpu.covering import Covering
from rtfilter.gpu.frame_io import PlanesUpload, RgbUpload, Upload
from rtfilter.gpu.lane import People, PersonReport, StepReport, StepResult
from rtfilter.gpu.lookout import LaunchedLooks
from rtfilter.gpu.region import region_in, region_of, region_with
from rtfilter.gpu.work import Work
from rtfilter.planes import Planes
from rtfilter.render.luma import look
from rtfilter.system.arrays import U8, Box
from rtfilter.tracking.base import Landmarks
from rtfilter.tracking.engine import PICTURE_SIDE_MIN_PX
from rtfilter.tracking.find import find_person
from rtfilter.tracking.follow import Follower
from rtfilter.tracking.roi import Roi

# log2 of 4:2:0's subsampling: such planes are uploaded as they are.
HALF_CHROMA: Final = (1, 1)


@dataclass(slots=True)
class Step:
    """One frame on its way through the lane.

    Attributes:
        changes: whether the frame before was changed, so that this one probably is.
        device_ns: time spent on the device so far.
    """

    frame: Frame
    controls: Controls
    time_s: float
    changes: bool
    device_ns: int = 0
    _copy: U8 | Planes | None = None

    def upload(self, region: Box) -> Upload:
        """A region of the picture: planes where they are 4:2:0, else RGB."""
        pixels = self._pixels
        return PlanesUpload(pixels, region) if isinstance(pixels, Planes) else RgbUpload(pixels, region)

    def copy(self) -> U8 | Planes:
        """The picture in the upload's format, to be painted on; copied once."""
        if self._copy is None:
            self._copy = self._pixels.copy()
        return self._copy

    def painted(self, box: Box) -> Frame:
        """The frame in its own format, with what was painted on the copy within a box."""
        out, planes = self.copy(), self.frame.planes
        if planes is not None and isinstance(out, np.ndarray):
            out = planes.with_edit(self.frame.rgb, out, box)
        return self.frame.filtered(out, box)

    @property
    def _pixels(self) -> U8 | Planes:
        planes = self.frame.planes
        return planes if planes is not None and planes.shift == HALF_CHROMA else self.frame.rgb


class CudaLane:
    """Filters one stream. See `Lane`.

    Attributes:
        last: the work of the last launch.
    """

    name = "cuda"

    def __init__(self, batcher: Batcher, model: MorphableModel, fade_s: float, why: str = "") -> None:
        """Joins `batcher`, and leaves it when the lane is closed; errors of `Batcher.join`."""
        self.why = why
        self.batcher = batcher
        self._first_row: int | None = batcher.join()
        self._identity_count = len(model.identity_scale)
        self._target = TargetWriter(fade_s, learned=model.editor is not None)
        self._times = StreamTimes()
        self._follower, self._lookout = Follower(), LaunchedLooks(batcher)
        self._skin = SkinMaps.builtin()
        self._light, self._covering = LightWatch(Shading.of(model)), Covering(model)
        self.reset()

    def step(self, frame: Frame, controls: Controls, people: People | None = None) -> StepResult:
        start = perf_counter_ns()
        theirs = (people or {}).get(0, controls)
        step = Step(frame, theirs, frame.pts_ns * 1e-9, self._changes)
        if not self._find(step):
            if not self._shown:
                self._lookout.finish()
                spent = perf_counter_ns() - start
                return StepResult(frame.unchanged(), StepReport(stage_ns={"track": spent, "total": spent}))
            self._covering.lose()
            self._run(step, None)
        self._lookout.finish()
        self._commit(step.time_s)
        found = perf_counter_ns()
        out = self._painted(step)
        self._look(step)
        done = perf_counter_ns()
        stages = {
            "track": found - start - step.device_ns,
            "device": step.device_ns,
            "render": done - found,
            "total": done - start,
        }
        return StepResult(out, self._report(stages))

    def choose(self, x: float, y: float) -> None:
        raise UsageError("choose: the CUDA lane cannot yet: take lane='cpu'")

    def use_skin(self, skin: SkinMaps, person: int | None = None) -> None:
        self._skin = skin

    def reset(self) -> None:
        self._follower.reset()
        self._lookout.reset()
        self._times.reset()
        self._light.reset()
        self._covering.reset()
        # Which of the two state rows is committed; whether the stream is new, shows an edit, changes pixels.
        self._row, self._is_new, self._shown, self._changes = 0, True, False, False
        self._region = Box(0, 0, 1, 1)
        self.last = Work()

    def close(self) -> None:
        """Leave the device; also after a failure, and twice."""
        row, self._first_row = self._first_row, None
        if row is not None:
            self._covering.close()
            self.batcher.leave(row)

    def _find(self, step: Step) -> bool:
        """Run the step at our person's face; False where there is none."""
        frame, time_s = step.frame, step.time_s
        if min(frame.width, frame.height) < PICTURE_SIDE_MIN_PX:
            return False
        self._follower.picture(frame.width, frame.height)
        self._lookout.picture(frame.pixels)
        roi = find_person(self._follower, time_s, self._lookout, lambda square: self._seen(step, square))
        if roi is not None and self._times.seeding and self._number("present"):
            # That run made the first state of a new person. Now the frame itself, from this state.
            self._commit(time_s)
            self._run(step, roi)
        return roi is not None

    def _seen(self, step: Step, roi: Roi) -> tuple[F32 | None, float]:
        """What the mesh network sees at `roi`; all of the step is run there."""
        self._run(step, roi)
        results = self.last.results
        return results["points_px"][0] if results["present"][0] else None, float(results["presence"][0])

    def _run(self, step: Step, roi: Roi | None) -> None:
        """The whole step at `roi`, or without a face, from the committed state."""
        width, height = step.frame.width, step.frame.height
        # Without a face, what fades is where it was last seen.
        region = region_in(self._region, width, height) if roi is None else region_of(roi, width, height)
        self._launch(step, roi, region)
        wanted = self.last.wanted
        if wanted is not None and not region.holds(wanted):
            region = region_with(region, wanted, width, height)
            self._launch(step, roi, region)
        self._region = region

    def _launch(self, step: Step, roi: Roi | None, region: Box) -> None:
        first, frame = self._first_row, step.frame
        assert first is not None, "this lane is closed"
        room, parts = None, ALL_PARTS
        if step.controls.occlusion:
            room, parts = self._covering.of(frame, step.time_s)
        self.last = work = Work(step.upload(region), roi, skin=self._skin, room=room)
        work.rows = (-1 if self._is_new else first + self._row, first + 1 - self._row)
        size = (frame.width, frame.height)
        how = (*size, self._light.value, parts)
        self._target.write(work.target, step.controls, self._times, step.time_s, *how)
        self._lookout.join(work)
        self.batcher.run(work, step.copy if step.changes else None)
        self._lookout.took(work)
        step.device_ns += work.device_ns

    def _commit(self, time_s: float) -> None:
        """Go on from the state that the last run made."""
        present, results = bool(self._number("present")), self.last.results
        self._times.ran(time_s, present)
        if present:
            place = results["points_px"][0], float(results["presence"][0])
            self._covering.follow(*place, self._follower.person)
        self._row, self._is_new = 1 - self._row, False
        self._shown = bool(self._number("shown"))

    def _painted(self, step: Step) -> Frame:
        """The frame with the changed box in its place."""
        box = self.last.box
        self._changes = box is not None
        if box is None:
            return step.frame.unchanged()
        self.last.paste(step.copy())
        return step.painted(box)

    def _look(self, step: Step) -> None:
        """See the light on the frame's face, for the frames after it."""
        if self._light.due(step.time_s) and self._number("present"):
            results = self.last.results
            face = face_state(results["report"][0], self._identity_count)
            look(self._light, step.frame, results["points_px"][0], face)

    def _number(self, field: str) -> float:
        """A number of the last run's report."""
        return float(self.last.results["report"][0, REPORT[field].start])

    def _report(self, stages: dict[str, int]) -> StepReport:
        """The last run's report; everything is copied."""
        strength = self._number("strength")
        if not self._number("present"):
            return StepReport(strength=strength, stage_ns=stages)
        results = self.last.results
        row: F32 = results["report"][0]
        points_px, presence = results["points_px"][0].copy(), float(results["presence"][0])
        landmarks = Landmarks(points_px, presence, self._follower.person)
        offset = REPORT.of(row, "offset").astype(np.float64)
        person = PersonReport(landmarks, face_state(row, self._identity_count), offset, strength)
        return StepReport.of_people((person,), strength, stages)
