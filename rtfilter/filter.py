"""`FaceFilter`: one frame in, one filtered frame and a report out.

Called by whatever filters frames: `cli`, `cam`, `serve`, `bench`, and programs that embed the filter.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from os import getpid
from time import perf_counter_ns
from typing import TYPE_CHECKING

from rtfilter.controls import Controls, face_count, in_range, shown
from rtfilter.cpu.lane import CpuLane
from rtfilter.errors import FrameError, Notify, UsageError
from rtfilter.face.learned_weights import named_editor
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.gpu.choose import AUTO, CUDA, LaneChoice, lane_of_filter
from rtfilter.gpu.fallback import open_lane
from rtfilter.gpu.lane import PersonReport, StepReport, StepResult
from rtfilter.system.clock import TimeWatch
from rtfilter.system.process import MadeHere
from rtfilter.tracking.base import Tracker

if TYPE_CHECKING:
    from rtfilter.profiles.live import ProfiledLane
    from rtfilter.profiles.profile import Profile

__all__ = ["FaceFilter", "PersonReport", "StepReport", "StepResult"]

LONGEST_FADE_S = 60.0


class FaceFilter:
    """Filters one stream of frames; not thread-safe, make one for each stream. Close it, or use it in `with`.

        with FaceFilter() as face_filter:
            frame, report = face_filter.step(Frame.from_bgr(picture), Controls({"happy": 0.8}))
            frame.bgr, report.landmarks, report.coefficients

    After a `fork`, the CPU lane goes on in the child with threads of its own; a GPU raises UsageError.

    Args:
        lane: `cpu`, `cuda`, or `auto`, which takes a GPU where one can be used; which it was, and why, is
            logged as `rtfilter.lane` and in `lane`. A choice that was made before (`choose_lane`) is taken
            as it is.
        tracker: default the lane's own; one of your own means the CPU lane.
        model: default the built-in face model.
        editor: `closed`, `learned`, or a file of `rtfilter learn export`; default `model.editor`.
        profile: of the person, see `rtfilter.profiles`; somebody else gets the built-in skin maps.
        fade_s: how long the edit takes to come and go with the face; 0 for single pictures.
        fall_back: a GPU that cannot be had, or fails later, is replaced by the CPU lane; `auto` implies it.
        faces: how many people are followed and edited, 1..16, or `all`, which is 16. Cost grows with those
            in the picture. A tracker of your own needs `track_all` for several.
        notify: called with one line when the lane is replaced; default: the log.

    Raises:
        GpuError: a CUDA lane cannot be had.
        InputError: `editor` is a file that cannot be read, or is none of an editor.
        UsageError: there is no such lane or editor, or not so many faces.
    """

    def __init__(
        self,
        *,
        lane: str | LaneChoice = AUTO,
        tracker: Tracker | None = None,
        model: MorphableModel | None = None,
        editor: str | None = None,
        profile: Profile | None = None,
        fade_s: float = 0.2,
        fall_back: bool = False,
        notify: Notify | None = None,
        faces: int | str = 1,
    ) -> None:
        in_range("fade_s", fade_s, 0.0, LONGEST_FADE_S)
        self.faces = face_count(faces)
        choice = lane_of_filter(lane, tracker is not None, fall_back)
        face_model = model or MorphableModel.builtin()
        if editor is not None:
            face_model = face_model.with_editor(named_editor(editor))
        on_cpu = partial(CpuLane, tracker, face_model, fade_s, faces=self.faces)
        opened = open_lane(choice, on_cpu, face_model, fade_s, notify, self.faces)
        self._model, self._notify = face_model, notify
        self._lane = self._bare = opened
        self._profile: Profile | None = None
        self._worn: ProfiledLane | None = None
        if profile is not None:
            self.wear(profile)
        self._closed = False
        # The step at work, by process: a child of a fork has none of its parent's other threads.
        self._at_work: dict[int, object] = {}
        self._made = MadeHere("this FaceFilter, which works on a GPU,")
        self._time = TimeWatch()

    @property
    def lane(self) -> str:
        """`cpu` or `cuda`."""
        return self._lane.name

    @property
    def lane_why(self) -> str:
        """Why it is this lane, or on which device; in a few words."""
        return self._lane.why

    def step(
        self, frame: Frame, controls: Controls, people: Mapping[int, Controls] | None = None
    ) -> StepResult:
        """`frame` with the target expression, and a report of what was seen and done.

        controls: of everybody. people: of single ones instead, by `PersonReport.person`; a number that is
        not followed is ignored.

        The result has the same pixels where, or when, nothing is to be changed. Frames come in presentation
        order; a step back in time or a pause of half a second starts smoothing anew. Time that stands still,
        such as numbers of frames taken for nanoseconds, shows no edit, with one warning.

        Raises:
            FrameError: `frame` is no `Frame`.
            UsageError: `controls` is no `Controls`, `people` none by number, the filter is closed, or at work
                in another thread.
            GpuError: a device failed and the CPU lane was not allowed.
        """
        self._refuse_misuse(frame, controls, people)
        if controls.bypass and all(theirs.bypass for theirs in (people or {}).values()):
            start = perf_counter_ns()
            self.reset()
            return StepResult(frame.unchanged(), StepReport(stage_ns={"total": perf_counter_ns() - start}))
        this, process = object(), getpid()
        if self._at_work.setdefault(process, this) is not this:
            raise UsageError("this filter is at work in another thread: make a FaceFilter for each stream")
        try:
            self._time.see(frame.pts_ns)
            return self._lane.step(frame, controls, people)
        finally:
            del self._at_work[process]

    def choose(self, x: float, y: float) -> None:
        """Follow the face at this place from the next frame on, in shares of width and height, from the top
        left.

        Without a face there, the one that is followed stays. For a filter of one face: of several, all are
        followed. Raises UsageError there, for a place outside 0..1, and for a tracker that cannot choose.
        """
        place = in_range("x", x, 0.0, 1.0), in_range("y", y, 0.0, 1.0)
        if self.faces > 1:
            raise UsageError("choose is for faces=1; with several, give people= the controls of each")
        self._lane.choose(*place)

    def use_skin(self, skin: SkinMaps | None) -> None:
        """Paint these skin maps from the next frame on, such as a person's own; None: the built-in ones.

        Raises UsageError for what are no `SkinMaps`.
        """
        if not isinstance(skin, SkinMaps | None):
            raise UsageError(f"expected SkinMaps, got {type(skin).__name__}: read them by SkinMaps.from_npz")
        self._lane.use_skin(skin or SkinMaps.builtin())

    @property
    def profile(self) -> Profile | None:
        """Whose skin is painted."""
        return self._profile

    @property
    def own_skin(self) -> bool:
        """Whether the profile's skin is painted: False without one, and while somebody else is seen."""
        return self._worn is not None and self._worn.own

    def wear(self, profile: Profile | None) -> None:
        """Paint this person's skin from the next frame on; None: the built-in maps."""
        if self._worn is not None:
            self._worn.take_off()
        self._profile, self._worn = profile, None
        if profile is not None:
            self._worn = profile.worn_on(self._bare, self._model, self._notify, self.faces)
        self._lane = self._worn or self._bare

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

    def __exit__(self, *failure: object) -> None:
        self.close()

    @property
    def _lost_by_fork(self) -> bool:
        return self.lane == CUDA and self._made.inherited

    def _refuse_misuse(self, frame: object, controls: object, people: object) -> None:
        if not isinstance(frame, Frame):
            got = f"expected a Frame, got {type(frame).__name__}"
            raise FrameError(f"{got}: wrap it: Frame.from_rgb, from_bgr (OpenCV) or from_av (PyAV)")
        if not isinstance(controls, Controls):
            raise UsageError(f"expected Controls({{'happy': 0.8}}), got {type(controls).__name__}")
        for number, theirs in people.items() if isinstance(people, Mapping) else ():
            if not isinstance(number, int) or not isinstance(theirs, Controls):
                got = f"{shown(number)}: {type(theirs).__name__}"
                raise UsageError(f"people: expected numbers of people with Controls, got {got}")
        if not isinstance(people, Mapping | None):
            raise UsageError(f"people: expected {{number: Controls(...)}}, got {type(people).__name__}")
        if self._closed:
            raise UsageError("this filter is closed: make a new FaceFilter")
        if self._lost_by_fork:
            self._made.check()
