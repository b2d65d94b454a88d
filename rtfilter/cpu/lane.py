"""`CpuLane`: tracker, fit, edit and renderer as stages, one after another. Made by `filter`."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter_ns

from rtfilter.controls import Controls
from rtfilter.cpu.followed import Followed
from rtfilter.errors import UsageError
from rtfilter.face.deform import Displacement
from rtfilter.face.landmarks import is_plausible
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.gpu.choose import CPU
from rtfilter.gpu.lane import People, StepReport, StepResult, controls_of
from rtfilter.tracking.base import ChoosingTracker, CrowdTracker, Landmarks, Tracker


class CpuLane:
    """Filters one stream on the processor; a `gpu.lane.Lane`.

    tracker: default `EngineTracker`. model, fade_s, faces: as of `FaceFilter`; faces as a number. why: see
    `Lane.why`. Raises UsageError for a tracker of one face where several are wanted.
    """

    name = CPU

    def __init__(
        self, tracker: Tracker | None, model: MorphableModel, fade_s: float, why: str = "", faces: int = 1
    ) -> None:
        # Loaded here: OpenCV and Numba are not for the CUDA lane.
        from rtfilter.occlusion.others import beside_others
        from rtfilter.render.cpu import CpuRenderer
        from rtfilter.render.mesh import RingedMesh

        if tracker is None:
            from rtfilter.tracking.engine import EngineTracker

            tracker = EngineTracker()
        elif faces > 1 and not isinstance(tracker, CrowdTracker):
            got = type(tracker).__name__
            raise UsageError(f"faces={faces} needs a tracker with track_all(frame, limit); {got} has none")
        self.why = why
        self._tracker, self._faces, self._beside_others = tracker, faces, beside_others
        skin = SkinMaps.builtin()
        self._people = Followed(model, fade_s, skin, alone=faces == 1)
        self._renderer = CpuRenderer(RingedMesh(model.triangles, model.holes), skin)
        self._renderer.warm_up()

    def step(self, frame: Frame, controls: Controls, people: People | None = None) -> StepResult:
        """See `Lane.step`."""
        start = perf_counter_ns()
        time_s, theirs = frame.pts_ns * 1e-9, people or {}
        self._renderer.prepare(frame)
        found = self._tracked(frame)
        tracked = perf_counter_ns()
        present = [self._people.of(landmarks.person) for landmarks in found]
        for person, landmarks in zip(present, found, strict=True):
            person.fit(landmarks, time_s)
        fitted = perf_counter_ns()
        edits = [person.fade(frame, time_s) for person in self._people.absent(found, time_s)]
        for person, landmarks in zip(present, found, strict=True):
            own = controls_of(landmarks.person, controls, theirs)
            edit = person.edit(frame, own, time_s)
            edits.append(None if own.bypass else edit)
        edits = [edit if edit is None else self._apart(edit, found) for edit in edits]
        edited = perf_counter_ns()
        out = self._renderer.render_all(frame, _nearest_last(edits))
        for person in present:
            person.look(frame)
        done = perf_counter_ns()
        stages = {"track": tracked - start}
        if found:
            stages |= {"fit": fitted - tracked, "edit": edited - fitted}
        stages |= {"render": done - (edited if found else tracked), "total": done - start}
        reports = tuple(person.report for person in present)
        return StepResult(out, StepReport.of_people(reports, self._people.strength, stages))

    def choose(self, x: float, y: float) -> None:
        """See `Lane.choose`."""
        if not isinstance(self._tracker, ChoosingTracker):
            raise UsageError("choose: this tracker cannot: give it choose(x, y), as EngineTracker has")
        self._tracker.choose(x, y)

    def use_skin(self, skin: SkinMaps, person: int | None = None) -> None:
        """See `Lane.use_skin`."""
        self._people.use_skin(skin, person)

    def reset(self) -> None:
        """See `Lane.reset`."""
        self._tracker.reset()
        self._people.reset()

    def close(self) -> None:
        """See `Lane.close`."""
        self._tracker.close()
        self._people.close()
        self._renderer.close()

    def _apart(self, edit: Displacement, found: list[Landmarks]) -> Displacement:
        """An edit that leaves the other faces of the frame alone."""
        others = [face.points_px for face in found if face.points_px is not edit.points_px]
        room = self._beside_others(edit.room, edit.points_px, others)
        return edit if room is edit.room else replace(edit, room=room)

    def _tracked(self, frame: Frame) -> list[Landmarks]:
        """The faces of a frame, the longest followed first."""
        if self._faces > 1 and isinstance(self._tracker, CrowdTracker):
            found = self._tracker.track_all(frame, self._faces)
        else:
            one = self._tracker.track(frame)
            found = [] if one is None else [one]
        return [face for face in found if is_plausible(face.points_px, frame.width, frame.height)]


def _nearest_last(edits: list[Displacement | None]) -> list[Displacement]:
    return sorted((edit for edit in edits if edit is not None), key=lambda edit: edit.iod_px)
