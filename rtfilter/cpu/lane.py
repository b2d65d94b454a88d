"""`CpuLane`: tracker, fit, edit and renderer as stages, one after another. Made by `filter`."""

from __future__ import annotations

from time import perf_counter_ns

from rtfilter.controls import Controls
from rtfilter.face.edit import FaceEditor, Held
from rtfilter.face.fit import FaceFit
from rtfilter.face.landmarks import is_plausible, share_inside
from rtfilter.face.light import LightWatch
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.gpu.choose import CPU
from rtfilter.gpu.lane import StepReport, StepResult
from rtfilter.render.luma import look
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
        self._fit = FaceFit(model)
        skin = SkinMaps.builtin()
        self._editor = FaceEditor(model, fade_s, skin)
        self._renderer = CpuRenderer(RingedMesh(model.triangles, model.holes), skin)
        self._renderer.warm_up()
        self._identity = self._fit.first_identity()
        self._edit = self._editor.first_state()
        self._light = LightWatch(self._editor.shading)
        # What the last frame with a face was edited with.
        self._held: Held | None = None

    def step(self, frame: Frame, controls: Controls) -> StepResult:
        """See `Lane.step`."""
        start = perf_counter_ns()
        time_s = frame.pts_ns * 1e-9
        self._renderer.prepare(frame)
        landmarks = self._tracker.track(frame)
        if landmarks is not None and not is_plausible(landmarks.points_px, frame.width, frame.height):
            landmarks = None
        tracked = perf_counter_ns()
        if landmarks is None:
            out = self._without_face(frame, time_s)
            done = perf_counter_ns()
            stages = {"track": tracked - start, "render": done - tracked, "total": done - start}
            return StepResult(out, StepReport(strength=self._edit.strength, stage_ns=stages))
        state, self._identity = self._fit.step(self._identity, landmarks.points_px, time_s)
        fitted = perf_counter_ns()
        inside = share_inside(landmarks.points_px, frame.width, frame.height)
        offset, self._edit = self._editor.step(self._edit, state, controls, inside, time_s)
        self._held = Held(state, landmarks.points_px, offset, controls.skin, self._light.value)
        displacement = self._editor.displace(self._edit, self._held)
        edited = perf_counter_ns()
        out = self._renderer.render(frame, displacement)
        look(self._light, frame, landmarks.points_px, state)
        done = perf_counter_ns()
        stages = {"track": tracked - start, "fit": fitted - tracked, "edit": edited - fitted}
        stages |= {"render": done - edited, "total": done - start}
        return StepResult(out, StepReport(landmarks, state, offset, self._edit.strength, stages))

    def use_skin(self, skin: SkinMaps) -> None:
        """See `Lane.use_skin`."""
        self._editor.use_skin(skin)
        self._renderer.use_skin(skin)

    def reset(self) -> None:
        """See `Lane.reset`."""
        self._tracker.reset()
        self._identity = self._fit.first_identity()
        self._edit = self._editor.first_state()
        self._light.reset()
        self._held = None

    def close(self) -> None:
        """See `Lane.close`."""
        self._tracker.close()
        self._renderer.close()

    def _without_face(self, frame: Frame, time_s: float) -> Frame:
        """The last edit where the face was last seen, fading; then the frame as it is."""
        if self._held is None:
            return frame.unchanged()
        self._edit = self._editor.fade_out(self._edit, time_s)
        if self._edit.strength <= 0.0:
            self._edit, self._held = self._editor.first_state(), None
            return frame.unchanged()
        return self._renderer.render(frame, self._editor.displace(self._edit, self._held))
