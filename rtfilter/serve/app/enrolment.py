"""`Enrolment`: a person is enrolled from the pictures of a running session, in a thread beside it.

Started by `profile_api`. What is asked, checked and learned is of `rtfilter.profiles`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from rtfilter.errors import InputError, OutputError, RtfilterError
from rtfilter.face.model import MorphableModel
from rtfilter.profiles.gather import Gathering, Progress, near_faces
from rtfilter.profiles.guide import PROMPTS
from rtfilter.profiles.profile import Profile, made_and_kept
from rtfilter.profiles.store import ProfileStore
from rtfilter.serve.app.pipeline import Filtered
from rtfilter.serve.rtc.pictures import frame_of
from rtfilter.system.clock import NS_PER_S
from rtfilter.system.latest import Latest
from rtfilter.system.threads import caught, give_way, start_thread
from rtfilter.tracking.engine import EngineTracker

Json = dict[str, Any]

# So many pictures a second are looked at: a call goes on beside it.
PICTURES_A_S = 12.5
# Without a picture for so long, the person is told; for so much longer, the enrolment ends.
SILENT_S, LOST_S = 2.0, 30.0
# What is shown changes at most so often, but for what is to be done.
TOLD_EVERY_S = 0.25
NO_PICTURE = "no picture comes from the camera: it is waited for"
PAUSED = "paused: it goes on when the picture does"

_log = logging.getLogger(__name__)


class Enrolment:
    """Gathers from pictures until there is enough, learns, and keeps the profile; then `over` is called.

    name, store: of the profile that is to be. seconds: how much usable face is wanted. anew: see `Gathering`.
    pictures: closed by their owner when they end. paused: whether the session is.
    tell: called with the state as JSON, `Enrolment` of openapi.json, from the thread.
    over: called once, from the thread, with the profile, or None where none was made.

    Raises what `Gathering` does for parts that cannot be taken up.
    """

    def __init__(
        self,
        name: str,
        store: ProfileStore,
        seconds: float,
        pictures: Latest[Filtered],
        paused: Callable[[], bool],
        tell: Callable[[Json], None],
        over: Callable[[Profile | None], None],
    ) -> None:
        self.name = name
        self._store, self._pictures, self._paused = store, pictures, paused
        self._tell, self._over = tell, over
        self._model = MorphableModel.builtin()
        self._state, self._error, self._waits_for = "gathering", "", ""
        self._notes: list[str] = []
        self._profile: Profile | None = None
        self._stopped = False
        self._told_s = 0.0
        self._told = ("", "")
        anew = "stop, and begin anew"
        self._gathering = Gathering(store, name, seconds, self._model, self._notes.append, anew)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._show()
        start_thread("enrolment", self._run)

    def stop(self) -> None:
        """End it soon; what was gathered is kept."""
        self._stopped = True
        self._pictures.close(drop=True)

    @property
    def learning(self) -> bool:
        """Whether everything is gathered; learning takes seconds and is not interrupted."""
        return self._state == "learning"

    def describe(self) -> Json:
        """The state as JSON."""
        progress = self._gathering.progress
        problem = self._waits_for or (progress.problem.value if progress.problem is not None else "")
        gathering = self._state == "gathering"
        return {
            "name": self.name,
            "state": self._state,
            "seconds": round(min(progress.seconds, progress.wanted), 1),
            "wanted_s": progress.wanted,
            "kept_s": round(self._gathering.kept_s, 1),
            "prompt": _prompt(progress) if gathering else None,
            "problem": problem if gathering else "",
            "notes": list(self._notes),
            "error": self._error,
            "report": [] if self._profile is None else self._profile.quality.lines(),
        }

    def _run(self) -> None:
        give_way()
        error = caught(self._enrol)
        profile = self._profile
        if profile is None:
            kept = caught(self._gathering.write)
            self._state = "failed"
            if error is None:
                self._state, self._error = "stopped", f"stopped; {self._gathering.kept}"
            elif isinstance(error, RtfilterError):
                self._error = _line(error, self._gathering)
            else:
                _log.error("the enrolment of %s failed", self.name, exc_info=error)
                self._error = f"this is a bug in rtfilter ({type(error).__name__}): see the server's log"
            if kept is not None:
                _log.error("what was gathered of %s cannot be kept", self.name, exc_info=kept)
        self._over(profile)  # first: who reads that it is over may begin another
        self._show()

    def _enrol(self) -> None:
        if not self._gathering.progress.done:
            tracker = EngineTracker()
            try:
                self._gather(tracker)
            finally:
                tracker.close()
        if self._stopped:
            return
        self._gathering.write()
        self._state = "learning"
        self._show()
        profile, _ = made_and_kept(self._gathering, self._store, self.name, self._model)
        self._profile, self._state = profile, "done"

    def _gather(self, tracker: EngineTracker) -> None:
        """Take pictures until there is enough, or it is stopped. Raises InputError where they end before."""
        silent_s = last_s = 0.0
        while not self._stopped:
            try:
                filtered = self._pictures.get(SILENT_S)
            except TimeoutError:
                silent_s = 0.0 if self._paused() else silent_s + SILENT_S
                self._wait(PAUSED if self._paused() else NO_PICTURE)
                if silent_s >= LOST_S:
                    raise InputError("the camera gives no picture any more") from None
                continue
            if filtered is None:
                if not self._stopped:
                    raise InputError("the camera's picture ended")
                return
            silent_s, time_s = 0.0, filtered.arrived_ns / NS_PER_S
            if self._paused():
                self._wait(PAUSED)
            elif time_s - last_s >= 0.999 / PICTURES_A_S:
                last_s = time_s
                frame = frame_of(filtered.original, filtered.arrived_ns, 0)
                faces = near_faces([found.points_px for found in tracker.track_all(frame, 2)])
                progress = self._gathering.step(frame.rgb, faces, time_s)
                self._waits_for = ""
                self._show_sometimes(time_s, progress)
                if progress.done:
                    return

    def _wait(self, why: str) -> None:
        """Nothing can be gathered now: what was is kept, and why is shown."""
        self._gathering.write()
        if self._waits_for != why:
            self._waits_for = why
            self._show()

    def _show_sometimes(self, time_s: float, progress: Progress) -> None:
        now = progress.prompt.key, str(progress.problem)
        if now != self._told or time_s - self._told_s >= TOLD_EVERY_S:
            self._told, self._told_s = now, time_s
            self._show()

    def _show(self) -> None:
        self._tell(self.describe())


def _prompt(progress: Progress) -> Json:
    prompt = progress.prompt
    return {
        "key": prompt.key,
        "text": prompt.text,
        "number": PROMPTS.index(prompt) + 1,
        "of": len(PROMPTS),
        "left_s": round(progress.left_s, 1),
    }


def _line(error: RtfilterError, gathering: Gathering) -> str:
    """Why there is no profile, and what is left of the enrolment."""
    if isinstance(error, OutputError) or gathering.kept_s > 0:
        return f"{error}; {gathering.kept}"
    return str(error)
