"""`CamPanel`: the control panel of `rtfilter cam --panel`, served from a thread beside the camera's job.

Called by `cli.serve`. The server has one session, `cam`, which the results of the job feed.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol

from aiohttp import web

from rtfilter.controls import Controls
from rtfilter.errors import DeviceError, UsageError
from rtfilter.filter import StepResult
from rtfilter.presets import Preset
from rtfilter.profiles.profile import Profile
from rtfilter.serve.app.cam_pictures import filtered
from rtfilter.serve.app.live_controls import LiveControls
from rtfilter.serve.app.messages import parse_object
from rtfilter.serve.app.server import Server, make_app
from rtfilter.serve.app.session import Session
from rtfilter.serve.app.steering import Steerable, SteeredFilter, Steering
from rtfilter.serve.app.wearing import LiveProfile
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.sources.capture import list_cameras
from rtfilter.system.clock import monotonic_ns
from rtfilter.system.latest import Latest
from rtfilter.system.threads import caught, start_thread

_log = logging.getLogger(__name__)

SESSION = "cam"
START_S = 15.0
STOP_S = 10.0
# How often the state of the job is polled.
POLL_S = 0.5


class Camera(Protocol):
    """The camera in use, as it was requested."""

    @property
    def device(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def fps(self) -> float: ...


class Job(Protocol):
    """The part of `CamJob` that a panel needs; every member may be used from any thread."""

    paused: bool
    keep_awake: bool
    on_frame: Callable[[StepResult], None] | None

    @property
    def reason(self) -> str: ...

    @property
    def camera(self) -> Camera: ...

    def switch_camera(self, device: str, width: int, height: int, fps: float) -> None: ...


class CamPanel:
    """Serves the panel of one job, which calls `next_controls` before every frame.

    profile: whose own skin is painted at first.
    """

    def __init__(
        self,
        options: ServeOptions,
        presets: Mapping[str, Preset],
        controls: LiveControls,
        presets_folder: Path | None = None,
        profile: Profile | None = None,
        profiles_folder: Path | None = None,
    ) -> None:
        self._controls = controls
        self._steering = Steering(controls, LiveProfile(profile))
        self._faces = options.faces
        self._applied_seq: int | None = None
        # A result, when it was done, and the number of the last message in its controls.
        self._results: Latest[tuple[StepResult, int, int | None]] = Latest()
        self._started: Future[str] = Future()
        self._thread: threading.Thread | None = None
        app = make_app(
            options,
            presets=presets,
            presets_folder=presets_folder,
            own_session=self._make_session,
            profiles_folder=profiles_folder,
        )
        app.router.add_get("/api/cameras", self._list)
        app.router.add_put("/api/sessions/cam/camera", self._switch)
        self._server = Server(options, app)

    def steered(self, face_filter: Steerable) -> SteeredFilter:
        """The job's filter, with what is chosen in the panel beside everybody's controls."""
        return SteeredFilter(face_filter, self._steering)

    def next_controls(self) -> Controls:
        """The controls for the next frame; for the filter's thread."""
        controls, self._applied_seq = self._controls.newest
        return controls

    def start(self, job: Job) -> str:
        """Serve the panel of `job` from now on, in a thread of its own; returns the link.

        Raises DeviceError when the address can't be had, UsageError for a bad certificate.
        """
        self._job = job
        self._thread = start_thread("panel", self._run)
        link = self._started.result(START_S)
        job.on_frame = self._take
        return link

    def stop(self) -> None:
        """Serve no more. May be called twice."""
        if self._thread is None:
            return
        self._job.on_frame = None
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(STOP_S)

    def _run(self) -> None:
        error = caught(lambda: asyncio.run(self._serve()))
        if error is not None and not self._started.done():
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        await self._server.start()
        feeding = asyncio.create_task(self._feed())
        try:
            self._started.set_result(self._server.link)
            while not self._stopping.is_set():
                # A watcher of the panel gets a picture, whether or not a call is on.
                self._job.keep_awake = self._session.results.readers > 0
                self._session.reason = self._job.reason
                self._session.notify_state()
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), POLL_S)
        finally:
            feeding.cancel()
            await self._server.stop()

    def _make_session(self, presets: Mapping[str, Preset]) -> Session:
        self._session = Session(
            SESSION, SESSION, self._controls, presets, steering=self._steering, faces=self._faces
        )
        self._session.set_paused = self._set_paused
        return self._session

    def _set_paused(self, paused: bool) -> None:
        self._job.paused = paused

    def _take(self, result: StepResult) -> None:
        """Hand a result to the event loop; called in the filter's thread."""
        with suppress(RuntimeError):  # the loop has ended
            item = result, monotonic_ns(), self._applied_seq
            self._loop.call_soon_threadsafe(self._results.put, item)

    async def _feed(self) -> None:
        """Deliver the newest result, again and again. Pictures are converted in the loop's executor."""
        session = self._session
        while (item := await self._results.next()) is not None:
            pictures = session.results.readers > 0
            try:
                session.deliver(await self._loop.run_in_executor(None, filtered, *item, pictures))
            except Exception:  # noqa: BLE001 - one picture less, and the reason in the log
                _log.exception("a picture of the camera cannot be shown in the panel")

    async def _list(self, _: web.Request) -> web.Response:
        cameras = await asyncio.get_running_loop().run_in_executor(None, list_cameras)
        camera = self._job.camera
        return web.json_response(
            {
                "cameras": [
                    {"device": found.path, "name": found.name}
                    for found in cameras
                    if not (found.problem or found.virtual)
                ],
                "current": {name: getattr(camera, name) for name in ("device", "width", "height", "fps")},
            }
        )

    async def _switch(self, request: web.Request) -> web.Response:
        body = parse_object(await request.text())
        device, width, height, fps = (body.get(key) for key in ("device", "width", "height", "fps"))
        shape = [_count(value) for value in (width, height, fps)]
        if not isinstance(device, str) or 0 in shape:
            raise RefusedError(
                400, 'expected {"device": "/dev/video0", "width": 1280, "height": 720, "fps": 30}'
            )
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, partial(self._job.switch_camera, device, *shape))
        except (DeviceError, UsageError) as error:
            raise RefusedError(409, str(error)) from error
        return await self._list(request)


def _count(value: object) -> int:
    """A size or a rate as a whole number; 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 16384:
        return 0
    return round(value)
