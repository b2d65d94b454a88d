"""`CudaLane`: one stream of frames on a device. The host chooses the regions, and pastes the changed boxes.

Everything between is one graph (`BatchGraph`), in which several faces of a frame are several works. Opened
by `open`, called by `FaceFilter`. It uses devices by their contract alone, so that tests run it on the
processor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from time import perf_counter_ns

from rtfilter.controls import Controls
from rtfilter.engines.spec import F32
from rtfilter.face.light import Shading
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.gpu.batcher import Batcher
from rtfilter.gpu.device_person import DevicePerson, Shared
from rtfilter.gpu.lane import People, StepReport, StepResult
from rtfilter.gpu.lookout import LaunchedLooks
from rtfilter.gpu.step import Step
from rtfilter.gpu.work import Work
from rtfilter.occlusion.glasses import rims_on_the_processor
from rtfilter.occlusion.network import on_the_processor
from rtfilter.tracking.crowd import Crowd
from rtfilter.tracking.engine import PICTURE_SIDE_MIN_PX
from rtfilter.tracking.find import find_person
from rtfilter.tracking.follow import Follower
from rtfilter.tracking.roi import Roi


class CudaLane:
    """Filters one stream. See `Lane`.

    faces: as of `FaceFilter`, as a number. An edit of somebody whose place is needed ends at once, without a
    fade: in a lane of one face, where another one is chosen.
    """

    name = "cuda"

    def __init__(
        self, batcher: Batcher, model: MorphableModel, fade_s: float, why: str = "", faces: int = 1
    ) -> None:
        """Joins `batcher` for every face, and leaves it when the lane is closed; errors of `Batcher.join`."""
        self.why, self.batcher, self._faces = why, batcher, faces
        with ExitStack() as opened:
            occlusion, rims = on_the_processor(), rims_on_the_processor()
            opened.callback(occlusion.close)
            opened.callback(rims.close)
            self._shared = Shared(model, fade_s, Shading.of(model), occlusion, rims)
            self._free_rows: list[int] = []
            for _ in range(faces):
                self._free_rows.append(batcher.join())
                opened.callback(partial(batcher.leave, self._free_rows[-1]))
            self._opened = opened.pop_all()
        self._follower, self._crowd, self._lookout = Follower(), Crowd(), LaunchedLooks(batcher)
        self._skin = SkinMaps.builtin()
        self._people: dict[int, DevicePerson] = {}
        self.reset()

    @property
    def last(self) -> Work:
        """The last work of who was followed first."""
        return next(iter(self._people.values())).last

    def step(self, frame: Frame, controls: Controls, people: People | None = None) -> StepResult:
        """See `Lane.step`."""
        start = perf_counter_ns()
        places = {number: one.place for number, one in self._people.items() if one.place is not None}
        step = Step(frame, controls, people or {}, places, frame.pts_ns * 1e-9, self._changes)
        present = self._find(step)
        absent = [person for person in self._people.values() if person not in present and person.shown]
        if absent:
            self._run(step, dict.fromkeys(absent))
        self._lookout.finish()
        if not present and not absent:
            spent = perf_counter_ns() - start
            return StepResult(frame.unchanged(), StepReport(stage_ns={"track": spent, "total": spent}))
        for person in (*present, *absent):
            person.commit(frame, step.time_s)
        found = perf_counter_ns()
        out = self._painted(step, [*absent, *present])
        for person in present:
            person.look(frame, step.time_s)
        done = perf_counter_ns()
        stages = {
            "track": found - start - step.device_ns,
            "device": step.device_ns,
            "render": done - found,
            "total": done - start,
        }
        fading = max((person.strength for person in absent), default=0.0)
        reports = tuple(person.report() for person in present)
        return StepResult(out, StepReport.of_people(reports, fading, stages))

    def choose(self, x: float, y: float) -> None:
        """See `Lane.choose`."""
        self._follower.chosen = (x, y)

    def use_skin(self, skin: SkinMaps, person: int | None = None) -> None:
        """See `Lane.use_skin`."""
        if person is None:
            before, self._skin = self._skin, skin
            for one in self._people.values():
                one.skin = skin if one.skin is before else one.skin
        elif person in self._people:
            self._people[person].skin = skin

    def reset(self) -> None:
        """See `Lane.reset`."""
        self._follower.reset()
        self._crowd.reset()
        self._lookout.reset()
        for number in list(self._people):
            self._forget(number)
        self._changes = False

    def close(self) -> None:
        """Leave the device; also after a failure, and twice."""
        self._opened.close()

    def _find(self, step: Step) -> list[DevicePerson]:
        """Those who are in the frame, the longest followed first, with the step run at their faces."""
        frame = step.frame
        if min(frame.width, frame.height) < PICTURE_SIDE_MIN_PX:
            return []
        self._lookout.picture(frame.pixels)
        present = self._find_one(step) if self._faces == 1 else self._find_all(step)
        # Those runs made the first states of new people. Now the frame itself, from these states.
        begun = [person for person in present if person.begins]
        for person in begun:
            person.commit(frame, step.time_s)
        self._run(step, {person: person.last.roi for person in begun})
        return present

    def _find_one(self, step: Step) -> list[DevicePerson]:
        follower = self._follower
        follower.picture(step.frame.width, step.frame.height)

        before = follower.person
        one = self._person(before)

        def mesh(roi: Roi) -> tuple[F32 | None, float]:
            self._run(step, {one: roi})
            return one.seen

        roi = find_person(follower, step.time_s, self._lookout, mesh)
        if roi is None:
            return []
        if follower.person == before:
            return [one]
        if one.is_new:  # the first one
            one.number, self._people = follower.person, {follower.person: one}
            return [one]
        # Those runs were from the state of the person before.
        self._forget(before)
        other = self._person(follower.person)
        self._run(step, {other: roi})
        return [other]

    def _find_all(self, step: Step) -> list[DevicePerson]:
        def mesh(squares: Mapping[int, Roi]) -> Sequence[tuple[F32 | None, float]]:
            people = [self._person(number) for number in squares]
            self._run(step, dict(zip(people, squares.values(), strict=True)))
            return [person.seen for person in people]

        for number in [number for number, one in self._people.items() if one.forgotten(step.time_s)]:
            if not self._people[number].shown:
                self._forget(number)
        size = (step.frame.width, step.frame.height)
        found = self._crowd.step(self._faces, size, step.time_s, self._lookout, mesh)
        return [self._people[landmarks.person] for landmarks in found]

    def _person(self, number: int) -> DevicePerson:
        """The person of a number; a new one in a free place, or in that of who left longest ago."""
        if number not in self._people:
            if not self._free_rows:
                self._forget(min(self._people, key=lambda other: self._people[other].seen_s))
            self._people[number] = DevicePerson(self._free_rows.pop(), number, self._shared, self._skin)
        return self._people[number]

    def _forget(self, number: int) -> None:
        person = self._people.pop(number, None)
        if person is not None:
            self._free_rows.append(person.first_row)

    def _run(self, step: Step, squares: Mapping[DevicePerson, Roi | None]) -> None:
        """The whole step of each at their square, or without a face; all in one launch."""
        self._launch(step, [person.work(step, roi) for person, roi in squares.items()])
        again = [work for person in squares if (work := person.larger_work(step)) is not None]
        self._launch(step, again)

    def _launch(self, step: Step, works: list[Work]) -> None:
        if not works:
            return
        self._lookout.join(works[0])
        self.batcher.run(*works, meanwhile=step.copy if step.changes else None)
        self._lookout.took(works[0])
        step.device_ns += max(work.device_ns for work in works)

    def _painted(self, step: Step, people: list[DevicePerson]) -> Frame:
        """The frame with everybody's changed box in its place, the nearest face's last."""
        edited = [person for person in people if not step.controls_of(person.number).bypass]
        out = step.painted(person.last for person in sorted(edited, key=lambda person: person.iod_px))
        self._changes = out.changed is not None
        return out
