"""`CamJob`: a camera, filtered, seen as the virtual camera, until it is stopped. Called by `cli.cam`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Literal, Protocol

from rtfilter.cam.camera import CameraChoice, CamSource, OpenCamera
from rtfilter.cam.loop import LiveLoop, LoopReport
from rtfilter.cam.watchers import Watched
from rtfilter.cam.writer import SteadyWriter
from rtfilter.controls import Controls
from rtfilter.frame import Frame
from rtfilter.gpu.lane import StepResult
from rtfilter.media.card import still_card
from rtfilter.sources.base import Source
from rtfilter.sources.camera import CameraSource
from rtfilter.system.arrays import U8
from rtfilter.system.clock import NS_PER_S, monotonic_ns

State = Literal["live", "no_video", "paused", "idle"]

TICK_S = 0.1
# How often the watchers are looked for: going live is urgent, going idle is not.
LOOK_IDLE_NS, LOOK_NS = NS_PER_S // 2, 2 * NS_PER_S
# A watcher that reconnects, or a program that looks at all cameras, does not toggle the filter.
UNWATCHED_NS = 5 * NS_PER_S
# Shorter gaps are bridged by the last picture.
SILENT_NS = 2 * NS_PER_S
IDLE_FPS = 5.0

_CARDS = {
    "starting": ("Starting", "the picture comes in a moment"),
    "no_video": ("No picture", "waiting for the camera to come back"),
    "paused": ("Paused", "the picture will be back"),
    "idle": ("Waking up", "if this stays: rtfilter cam --no-idle"),
}

_log = logging.getLogger(__name__)


def card(name: str, width: int, height: int) -> U8:
    """The card of a state, or `starting`: uint8 [height, width, 3] RGB."""
    return still_card(width, height, *_CARDS[name])


class Stepper(Protocol):
    """The part of `FaceFilter` that is used."""

    def step(self, frame: Frame, controls: Controls) -> StepResult: ...

    def reset(self) -> None: ...


class CamJob:
    """Runs once, in the thread that calls `run`; everything else may be called from any thread.

    Args:
        source, writer: owned; both are closed when `run` is over.
        face_filter: the caller's to close.
        controls: called before every frame; must not block.
        size: of the sink and so of the cards, width and height in pixels.
        camera: what `source` was opened with, for `switch_camera` to come back to.
        watched: whether any program reads the sink; None: never idle.
        open_camera: opens what `switch_camera` names.
        duration_s: ends so long after the first frame.
        on_tick: called every second with the report so far.

    on_frame: None, or called with every result (its frame's `original` is the camera's) in the filter's
        thread; must not block.
    keep_awake: while True the job does not go idle: the pictures are looked at elsewhere.
    """

    def __init__(
        self,
        source: Source,
        writer: SteadyWriter,
        face_filter: Stepper,
        controls: Callable[[], Controls],
        *,
        size: tuple[int, int],
        camera: CameraChoice,
        watched: Watched | None = None,
        open_camera: OpenCamera = CameraSource,
        duration_s: float | None = None,
        on_tick: Callable[[LoopReport], None] | None = None,
    ) -> None:
        self.on_frame: Callable[[StepResult], None] | None = None
        self.keep_awake = self._paused = False
        self._writer = writer
        self._filter = face_filter
        self._controls = controls
        self._watched = watched
        self._on_tick = on_tick
        self._cards = {name: card(name, *size) for name in _CARDS}
        self._changing = threading.Lock()
        self._state: State = "no_video"
        self._shown: str | None = None
        self._seen_ns: int | None = None
        self._since_ns = self._watched_ns = self._looked_ns = self._ticked_ns = monotonic_ns()
        self._source = CamSource(source, camera, open_camera, lambda: self._state in ("paused", "idle"))
        self._filtered_from: Source | None = None
        self._loop = LiveLoop(
            self._source, self._step, writer, duration_s=duration_s, on_tick=self._tick, tick_s=TICK_S
        )
        self._show("starting")

    @property
    def state(self) -> State:
        """live: filtered pictures go out; no_video: the camera gives none, yet or for two seconds;
        paused; idle: no program reads the sink, so the filter rests."""
        return self._state

    @property
    def reason(self) -> str:
        """Why there is no video, one line; "" otherwise."""
        return self._source.problem if self._state == "no_video" else ""

    @property
    def paused(self) -> bool:
        """While True a still card goes out and, after a moment, the camera is off. Settable."""
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._paused = paused
        self._refresh()

    @property
    def camera(self) -> CameraChoice:
        """The camera in use, as it was requested."""
        return self._source.choice

    def run(self) -> LoopReport:
        """Filter until `stop`, the duration's end or the end of the source.

        A camera that is lost ends nothing. Raises DeviceError when the virtual camera is gone, and
        whatever the filter raised.
        """
        # The time before does not count: loading takes a while.
        self._since_ns = self._watched_ns = monotonic_ns()
        return self._loop.run()

    def stop(self) -> None:
        """End `run` soon, cleanly; takes no lock, so a signal handler may call it."""
        self._loop.stop()

    def switch_camera(self, device: str, width: int, height: int, fps: float) -> None:
        """Take pictures from another camera, or from the same one in another size.

        Another camera is opened before the old one is left. One and the same can't be open twice, so it
        is closed first, and opened as before when it does not take the new size. May last seconds.

        Raises DeviceError or UsageError when it does not open; the old camera then goes on.
        """
        self._source.switch(CameraChoice(device, width, height, fps))

    def _step(self, frame: Frame) -> StepResult:
        if self._filtered_from is not None and self._filtered_from is not self._source.given_from:
            self._filter.reset()
        self._filtered_from = self._source.given_from
        result = self._filter.step(frame, self._controls())
        self._seen_ns = monotonic_ns()
        if self._state != "live":
            self._refresh()
        if self.on_frame is not None:
            self.on_frame(result)
        return result

    def _tick(self, report: LoopReport) -> None:
        now_ns = monotonic_ns()
        look_ns = LOOK_IDLE_NS if self._state == "idle" else LOOK_NS
        if self._watched is not None and now_ns - self._looked_ns >= look_ns:
            self._looked_ns = now_ns
            if self._watched():
                self._watched_ns = monotonic_ns()
        self._refresh()
        self._source.follow_rest()
        if self._on_tick is not None and now_ns - self._ticked_ns >= NS_PER_S:
            self._ticked_ns = now_ns
            self._on_tick(report)

    def _refresh(self) -> None:
        """Bring state and sink in line with the requests, the camera and the watchers."""
        with self._changing:
            before, now_ns = self._state, monotonic_ns()
            state = self._state_at(now_ns)
            if state != before:
                self._state, self._since_ns = state, now_ns
                _log.info("%s", state)
            if state == "live":
                self._show(None)
            elif state != "no_video":
                # A picture from before a rest is no sign of a live camera.
                self._seen_ns = None
                self._show(state)
            elif before == "live" or now_ns - self._since_ns >= SILENT_NS:
                # Otherwise the camera still has a moment: the card of before stays.
                self._show("no_video")

    def _state_at(self, now_ns: int) -> State:
        if self._paused:
            return "paused"
        if self._watched is not None and not self.keep_awake and now_ns - self._watched_ns >= UNWATCHED_NS:
            return "idle"
        if self._seen_ns is None or now_ns - self._seen_ns >= SILENT_NS:
            return "no_video"
        return "live"

    def _show(self, name: str | None) -> None:
        """Show a card, or pictures."""
        if name != self._shown:
            self._shown = name
            if name is None:
                self._writer.release()
            else:
                self._writer.hold(self._cards[name], IDLE_FPS if name == "idle" else None)
