"""`CamJob`: a camera, filtered, seen as the virtual camera, until it is stopped. Called by `cli.cam`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rtfilter.cam.camera import CameraChoice, CamSource, OpenCamera
from rtfilter.cam.display import CamDisplay, State
from rtfilter.cam.loop import LiveLoop, LoopReport
from rtfilter.cam.watchers import Watched
from rtfilter.cam.writer import SteadyWriter
from rtfilter.controls import Controls
from rtfilter.frame import Frame
from rtfilter.gpu.lane import StepResult
from rtfilter.sources.base import Source
from rtfilter.sources.camera import CameraSource
from rtfilter.system.clock import NS_PER_S, monotonic_ns

TICK_S = 0.1
# How often the watchers are looked for: to wake is urgent, to fall asleep is not.
LOOK_IDLE_NS, LOOK_NS = NS_PER_S // 2, 2 * NS_PER_S


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
        self._filter = face_filter
        self._controls = controls
        self._watched = watched
        self._on_tick = on_tick
        self._display = CamDisplay(writer, size, can_idle=watched is not None)
        self._source = CamSource(source, camera, open_camera, lambda: self._display.resting)
        self._looked_ns = self._ticked_ns = monotonic_ns()
        self._filtered_from: Source | None = None
        self._loop = LiveLoop(
            self._source, self._step, writer, duration_s=duration_s, on_tick=self._tick, tick_s=TICK_S
        )

    @property
    def state(self) -> State:
        """live: filtered pictures go out; no_video: the camera gives none, yet or for two seconds;
        paused; idle: no program reads the sink, so the filter rests."""
        return self._display.state

    @property
    def reason(self) -> str:
        """Why there is no video, one line; "" otherwise."""
        return self._source.problem if self.state == "no_video" else ""

    @property
    def paused(self) -> bool:
        """While True a still card goes out and, after a moment, the camera is off. Settable."""
        return self._display.paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._display.paused = paused
        self._display.refresh()

    @property
    def keep_awake(self) -> bool:
        """While True the job does not go idle: the pictures are looked at elsewhere. Settable."""
        return self._display.keep_awake

    @keep_awake.setter
    def keep_awake(self, keep_awake: bool) -> None:
        self._display.keep_awake = keep_awake
        self._display.refresh()

    @property
    def camera(self) -> CameraChoice:
        """The camera in use, as it was requested."""
        return self._source.choice

    def run(self) -> LoopReport:
        """Filter until `stop`, the duration's end or the end of the source.

        A camera that is lost ends nothing. Raises DeviceError when the virtual camera is gone, and
        whatever the filter raised.
        """
        self._display.start()
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
        self._display.seen()
        if self.on_frame is not None:
            self.on_frame(result)
        return result

    def _tick(self, report: LoopReport) -> None:
        now_ns = monotonic_ns()
        look_ns = LOOK_IDLE_NS if self.state == "idle" else LOOK_NS
        if self._watched is not None and now_ns - self._looked_ns >= look_ns:
            self._looked_ns = now_ns
            if self._watched():
                self._display.watched()
        self._display.refresh()
        self._source.follow_rest()
        if self._on_tick is not None and now_ns - self._ticked_ns >= NS_PER_S:
            self._ticked_ns = now_ns
            self._on_tick(report)
