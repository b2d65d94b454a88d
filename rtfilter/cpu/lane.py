"""`CpuLane`: tracker, fit, edit and renderer as stages, one after another. Made by `filter`."""

from __future__ import annotations

from time import perf_counter_ns

from rtfilter.controls import Controls
from rtfilter.cpu.person import Person
from rtfilter.face.edit import FaceEditor
from rtfilter.face.fit import FaceFit
from rtfilter.face.landmarks import is_plausible
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.gpu.choose import CPU
from rtfilter.gpu.lane import StepResult
from rtfilter.tracking.base import Tracker


class CpuLane:
    """Filters one stream on the processor; a `gpu.lane.Lane`.

    tracker: default `EngineTracker`. model, fade_s: as of `FaceFilter`. why: see `Lane.why`.
    """

    name = CPU

    def __init__(self, tracker: Tracker | None, model: MorphableModel, fade_s: float, why: str = "") -> None:
        # Loaded here: OpenCV and Numba are not for the CUDA lane.
        from rtfilter.render.cpu import CpuRenderer
        from rtfilter.render.mesh import RingedMesh

        if tracker is None:
            from rtfilter.tracking.engine import EngineTracker

            tracker = EngineTracker()
        self.why = why
        self._tracker = tracker
        skin = SkinMaps.builtin()
        self._person = Person(FaceFit(model), FaceEditor(model, fade_s, skin))
        self._renderer = CpuRenderer(RingedMesh(model.triangles, model.holes), skin)
        self._renderer.warm_up()

    def step(self, frame: Frame, controls: Controls) -> StepResult:
        """See `Lane.step`."""
        start = perf_counter_ns()
        time_s, person = frame.pts_ns * 1e-9, self._person
        self._renderer.prepare(frame)
        landmarks = self._tracker.track(frame)
        if landmarks is not None and not is_plausible(landmarks.points_px, frame.width, frame.height):
            landmarks = None
        tracked = perf_counter_ns()
        if landmarks is None:
            faded = person.fade(time_s)
            out = frame.unchanged() if faded is None else self._renderer.render(frame, faded)
            done = perf_counter_ns()
            stages = {"track": tracked - start, "render": done - tracked, "total": done - start}
            return StepResult(out, person.report(stages))
        person.fit(landmarks, time_s)
        fitted = perf_counter_ns()
        displacement = person.edit(frame, controls, time_s)
        edited = perf_counter_ns()
        out = self._renderer.render(frame, displacement)
        person.look(frame)
        done = perf_counter_ns()
        stages = {"track": tracked - start, "fit": fitted - tracked, "edit": edited - fitted}
        stages |= {"render": done - edited, "total": done - start}
        return StepResult(out, person.report(stages))

    def use_skin(self, skin: SkinMaps) -> None:
        """See `Lane.use_skin`."""
        self._person.use_skin(skin)
        self._renderer.use_skin(skin)

    def reset(self) -> None:
        """See `Lane.reset`."""
        self._tracker.reset()
        self._person.reset()

    def close(self) -> None:
        """See `Lane.close`."""
        self._tracker.close()
        self._renderer.close()
