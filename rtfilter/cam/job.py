"""`CamJob`: a camera, filtered, seen as the virtual camera; for as long as somebody wants it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rtfilter.cam.display import CamDisplay, State
from rtfilter.cam.loop import LiveLoop
from rtfilter.cam.loop_report import LoopReport
from rtfilter.cam.rest import CameraRest
from rtfilter.cam.steady import SteadySink
from rtfilter.cam.watchers import Watched
from rtfilter.controls import Controls
from rtfilter.errors import RtfilterError
from rtfilter.frame import Frame
from rtfilter.sinks.base import Sink
from rtfilter.sinks.compare import CompareSink
from rtfilter.sources.base import Source
from rtfilter.sources.camera import CameraSource
from rtfilter.sources.capture import device_path
from rtfilter.sources.paced import Paced
from rtfilter.sources.switchable import SwitchableSource
from rtfilter.system.clock import NS_PER_S, Clock, monotonic_ns

if TYPE_CHECKING:
    from rtfilter.filter import StepResult

# (device, width, height, fps) to an open source; raises DeviceError.
OpenCamera = Callable[[str, int, int, float], Source]

TICK_S = 0.1
# How often the watchers are looked for: to wake is urgent, to fall asleep is not.
LOOK_IDLE_NS, LOOK_NS = NS_PER_S // 2, 2 * NS_PER_S

_log = logging.getLogger(__name__)


class Stepper(Protocol):
    """The part of `FaceFilter` that is used."""

    def step(self, frame: Frame, controls: Controls) -> StepResult: ...

    def reset(self) -> None: ...


@dataclass(frozen=True, slots=True)
class CameraChoice:
    """A camera by number or path, and the size and rate that it was asked for."""

    device: str
    width: int
    height: int
    fps: float


class CamJob:
    """Runs once, in the thread that calls `run`; everything else may be called from any thread.

    source, sink: owned; both are closed when `run` is over. face_filter: the caller's to close.
    controls: asked before every frame; must not block.
    size: of the sink and so of the cards, width and height in pixels.
    camera: what `source` was opened with, for `switch_camera` to come back to.
    compare: the sink gets the original beside the result.
    watched: tells whether anybody watches the sink; None: never idle.
    open_camera: opens what `switch_camera` names.
    duration_s: ends so long after the first frame. on_tick: called every second with the report so far.

    on_frame: None, or called with every result (its frame's `original` is the camera's) in the filter's
        thread; must not block.
    """

    def __init__(
        self,
        source: Source,
        sink: SteadySink,
        face_filter: Stepper,
        controls: Callable[[], Controls],
        *,
        size: tuple[int, int],
        camera: CameraChoice,
        compare: bool = False,
        watched: Watched | None = None,
        open_camera: OpenCamera = CameraSource,
        duration_s: float | None = None,
        on_tick: Callable[[LoopReport], None] | None = None,
        clock: Clock = monotonic_ns,
    ) -> None:
        self.on_frame: Callable[[StepResult], None] | None = None
        self._filter = face_filter
        self._controls = controls
        self._sink = sink
        self._watched = watched
        self._open_camera = open_camera
        self._on_tick = on_tick
        self._clock = clock
        self._camera = camera
        self._display = CamDisplay(sink, size, watched is not None, clock)
        self._source = SwitchableSource(_live(source), lambda: self._display.resting)
        self._switching = threading.Lock()
        self._rest = CameraRest(self._source, lambda: self._opened(self._camera), self._switching, clock)
        self._looked_ns = self._ticked_ns = clock()
        self._filters: Source | None = None
        destination: Sink = CompareSink(sink) if compare else sink
        self._loop = LiveLoop(
            self._source,
            self._step,
            destination,
            duration_s=duration_s,
            on_tick=self._tick,
            tick_s=TICK_S,
            clock=clock,
        )

    @property
    def state(self) -> State:
        """live: filtered pictures go out; no_video: the camera gives none, yet or for two seconds;
        paused; idle: nobody watches, so the filter rests."""
        return self._display.state

    @property
    def on_state(self) -> Callable[[State], None] | None:
        """None, or called with the new state after a change, in the thread that changed it. Settable."""
        return self._display.on_state

    @on_state.setter
    def on_state(self, on_state: Callable[[State], None] | None) -> None:
        self._display.on_state = on_state

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
        """While True the job does not go idle: somebody looks at the pictures elsewhere. Settable."""
        return self._display.keep_awake

    @keep_awake.setter
    def keep_awake(self, keep_awake: bool) -> None:
        self._display.keep_awake = keep_awake
        self._display.refresh()

    @property
    def camera(self) -> CameraChoice:
        """The camera in use, as it was asked for."""
        return self._camera

    def report(self) -> LoopReport:
        """Counts and timings so far."""
        return self._loop.report()

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
        wanted = CameraChoice(device, width, height, fps)
        with self._switching:
            same = _same_device(device, self._camera.device)
            if same:
                self._source.leave()
            try:
                source = self._opened(wanted)
            except RtfilterError:
                if same:
                    self._come_back()
                raise
            self._source.switch(source)
            self._camera = wanted
            self._rest.is_off = False

    def _come_back(self) -> None:
        try:
            self._source.switch(self._opened(self._camera))
        except RtfilterError as error:
            _log.warning("%s", error)  # the caller is told of the first error; now there is no video

    def _opened(self, choice: CameraChoice) -> Source:
        return _live(self._open_camera(choice.device, choice.width, choice.height, choice.fps))

    def _step(self, frame: Frame) -> StepResult:
        if self._filters is not None and self._filters is not self._source.given_from:
            self._filter.reset()
        self._filters = self._source.given_from
        result = self._filter.step(frame, self._controls())
        self._display.seen()
        if self.on_frame is not None:
            self.on_frame(result)
        return result

    def _tick(self, report: LoopReport) -> None:
        self._sink.check()
        now_ns = self._clock()
        look_ns = LOOK_IDLE_NS if self.state == "idle" else LOOK_NS
        if self._watched is not None and now_ns - self._looked_ns >= look_ns:
            self._looked_ns = now_ns
            if self._watched():
                self._display.watched()
        self._display.refresh()
        self._rest.follow(self._display.resting)
        if self._on_tick is not None and now_ns - self._ticked_ns >= NS_PER_S:
            self._ticked_ns = now_ns
            self._on_tick(report)


def _live(source: Source) -> Source:
    return source if source.info.live else Paced(source)


def _same_device(one: str, other: str) -> bool:
    """Whether both names, "0", "/dev/video0" or a link to it, mean one camera."""
    paths = [device_path(int(name) if name.isdecimal() else name) for name in (one, other)]
    return one == other or paths[0] == paths[1]
