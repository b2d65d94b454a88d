"""`Session`: one filtered stream, of a peer or the camera: its controls, state, results and listeners.

Called by `stream` and `cam_panel`, which feed one, and by `api` and `peer`, which serve it to clients.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from rtfilter.controls import Controls
from rtfilter.errors import UsageError, nearest
from rtfilter.presets import Preset
from rtfilter.profiles.profile import Profile
from rtfilter.serve.app import shapes
from rtfilter.serve.app.live_controls import LiveControls
from rtfilter.serve.app.pipeline import Filtered, Seen
from rtfilter.serve.app.shapes import Json
from rtfilter.serve.app.steering import Steering
from rtfilter.serve.app.wearing import LiveProfile
from rtfilter.system.clock import NS_PER_S, Clock, monotonic_ns
from rtfilter.system.latest import Fanout

# A stream without a picture for so long is not live.
SILENT_NS = 2 * NS_PER_S
# The frame rate is an average over so many of the newest pictures.
_RATE_OVER = 30
# The delay that the sound follows is smoothed over about so many.
_DELAY_OVER = 30

Listener = Callable[[Json], None]

_log = logging.getLogger(__name__)


class Session:
    """All calls belong to the event loop's thread, but for `deliver_soon` and changes of `controls`.

    session_id, kind: as in the interface; kind is "peer", "whip" or "cam".
    presets: by name, for `choose_preset`.
    results: what `deliver` got, for any number of readers.
    set_paused: called when a client pauses or resumes; set by what feeds the session, as are `dropped`, the
        number of pictures replaced before they were filtered, and `stages`, the summary of stage times.
    steering: what clients want of the filter. faces: how many it follows.
    delay_s: from a picture's arrival to its result, smoothed.
    """

    def __init__(
        self,
        session_id: str,
        kind: str,
        controls: Controls | LiveControls,
        presets: Mapping[str, Preset],
        *,
        steering: Steering | None = None,
        faces: int = 1,
        clock: Clock = monotonic_ns,
    ) -> None:
        self.id = session_id
        self.kind = kind
        self.controls = controls if isinstance(controls, LiveControls) else LiveControls(controls)
        self.results: Fanout[Filtered] = Fanout()
        self.set_paused: Callable[[bool], None] = lambda _: None
        self.dropped: Callable[[], int] = lambda: 0
        self.stages: Callable[[], Mapping[str, Any]] = dict
        self.delay_s = 0.0
        self.frames = 0
        self.paused = False
        self.face = False
        self.reason = ""
        self._presets = presets
        self._clock = clock
        self._made_ns = clock()
        self._times_ns: list[int] = []
        self._size: tuple[int, int] | None = None
        self._ended = False
        self.steering = steering or Steering(self.controls)
        self.faces = faces
        self._people: tuple[Seen, ...] = ()
        self.profile.recognised = self._recognised
        self._told: Json = {"profile": shapes.worn_message(self.profile.newest, True), "enrolment": None}
        self._listeners: list[Listener] = []
        self._notified = ("connecting", False, False)
        self.loop = asyncio.get_running_loop()
        self._unlisten = self.controls.listen(self._controls_changed)
        self.controls.people_changed = self._people_changed

    @property
    def state(self) -> str:
        """connecting, live, no_video, paused or ended."""
        if self._ended:
            return "ended"
        if self.paused:
            return "paused"
        if not self._times_ns:
            return "connecting"
        return "no_video" if self._clock() - self._times_ns[-1] > SILENT_NS else "live"

    @property
    def profile(self) -> LiveProfile:
        """Whose own skin is painted; `wear` changes it."""
        return self.steering.profile

    @property
    def age_s(self) -> float:
        return (self._clock() - self._made_ns) / NS_PER_S

    @property
    def silent_s(self) -> float:
        """Seconds since the last picture, or since the beginning."""
        last_ns = self._times_ns[-1] if self._times_ns else self._made_ns
        return (self._clock() - last_ns) / NS_PER_S

    def describe(self) -> Json:
        """The session as JSON: `Session` of openapi.json."""
        video = None
        if self._size is not None:
            width, height = self._size
            video = {"width": width, "height": height, "fps": shapes.rate_of(self._times_ns)}
        return {
            "id": self.id,
            "kind": self.kind,
            "state": self.state,
            "reason": self.reason,
            "face": self.face,
            "paused": self.paused,
            "controls": self.controls.current.as_dict(),
            "video": video,
            "frames": self.frames,
            "dropped": self.dropped(),
            "stages_ms": self.stages(),
            "age_s": round(self.age_s, 1),
            "faces": self.faces,
            "people": shapes.people_shape(self._people, self.controls.people),
            **self._told,
        }

    def deliver_soon(self, result: Filtered) -> None:
        """`deliver`, from any thread."""
        self._soon(self.deliver, result)

    def deliver(self, result: Filtered) -> None:
        """Give one result to all readers, and its timings to the listeners."""
        if self._ended:
            return
        took_s = (result.done_ns - result.arrived_ns) / NS_PER_S
        self.delay_s += (took_s - self.delay_s) / (_DELAY_OVER if self.frames else 1)
        self.frames += 1
        self.face, self._people = result.face, result.people
        self._times_ns.append(self._clock())
        del self._times_ns[:-_RATE_OVER]
        self._size = result.picture.width, result.picture.height
        self.results.put(result)
        self.notify_state()
        if self._listeners:
            self._notify(shapes.timings_message(result))

    def pause(self, paused: bool) -> None:
        """Show a still card instead of the picture, or the picture again."""
        self.paused = paused
        self.set_paused(paused)
        self.notify_state()

    def wear(self, profile: Profile | None) -> None:
        """Paint this person's own skin from the next picture on; None: the built-in one."""
        self.profile.newest = profile
        self.tell("profile", shapes.worn_message(profile, True))

    def tell(self, part: str, value: Json | None) -> None:
        """Set a part of the description that is made elsewhere, and send it: `profile` or `enrolment`."""
        if not self._ended:
            self._told[part] = value
            self._notify({"type": part, part: value})

    def look_at(self, x: float, y: float) -> None:
        """Follow the face at this place from now on. Raises UsageError where several are followed."""
        if self.faces > 1:
            raise UsageError("choose is for one face; here several are followed, each with its own controls")
        self.steering.look_at(x, y)

    def choose_preset(self, name: str, seq: int | None = None, person: int | None = None) -> Controls:
        """Apply a preset by its name, in any case; to one person alone, or everybody.

        Raises UsageError for an unknown one, and for who is not in the picture.
        """
        name = name.strip().lower()
        if name not in self._presets:
            raise UsageError(f"unknown preset {name[:40]!r}:{nearest(name[:40], self._presets)}")
        return self.controls.choose(self._presets[name].values, seq, person)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Give `listener` every message of the server, `hello` first. Returns how to stop that."""
        listener({"type": "hello", "session": self.describe()})
        self._listeners.append(listener)

        def leave() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return leave

    def notify_state(self) -> None:
        """Send the state to the listeners if it changed since the last time."""
        now = state, face, paused = self.state, self.face, self.paused
        if now == self._notified:
            return
        self._notified = now
        _log.info("session %s is %s", self.id, state, extra={"session": self.id, "face": face})
        self._notify({"type": "state", "state": state, "face": face, "paused": paused, "reason": self.reason})

    def end(self, reason: str) -> None:
        """Notify the listeners of the end and close the results. May be called twice."""
        if self._ended:
            return
        self._ended = True
        self.reason = reason
        self._unlisten()
        self.notify_state()
        self.results.close()
        self._listeners.clear()

    def _recognised(self, profile: Profile, is_person: bool) -> None:
        def note() -> None:
            if self.profile.newest is profile:
                self.tell("profile", shapes.worn_message(profile, is_person))

        self._soon(note)

    def _controls_changed(self, controls: Controls, seq: int | None) -> None:
        message = {"type": "controls", "controls": controls.as_dict(), "seq": seq}
        self._soon(self._notify, message)

    def _people_changed(self, people: Mapping[int, Controls], seq: int | None) -> None:
        message = {"type": "people", "people": shapes.people_controls(people), "seq": seq}
        self._soon(self._notify, message)

    def _soon(self, action: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop was closed meanwhile
            self.loop.call_soon_threadsafe(action, *arguments)

    def _notify(self, message: Json) -> None:
        for listener in list(self._listeners):
            listener(message)
