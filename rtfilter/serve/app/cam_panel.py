"""The control panel of `rtfilter cam --panel`: a server in a thread beside the camera's own loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol

import av
from aiohttp import web

from rtfilter.controls import Controls
from rtfilter.errors import DeviceError, UsageError
from rtfilter.filter import StepResult
from rtfilter.frame import Frame
from rtfilter.presets import Preset
from rtfilter.serve.app.live_controls import LiveControls
from rtfilter.serve.app.messages import parse_object
from rtfilter.serve.app.pipeline import Filtered, face_box
from rtfilter.serve.app.server import Server, make_app
from rtfilter.serve.app.session import Session
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.sources.cameras import list_cameras
from rtfilter.system.clock import monotonic_ns
from rtfilter.system.latest import Latest
from rtfilter.system.threads import caught, start_thread

SESSION = "cam"
START_S = 15.0
STOP_S = 10.0
# How often the state of the camera is looked at.
LOOK_S = 0.5


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


class Camera(Protocol):
    """How the camera in use was asked for."""

    @property
    def device(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def fps(self) -> float: ...


class CamPanel:
    """Serves the panel for one camera job, which asks `wish` before every frame."""

    def __init__(
        self,
        options: ServeOptions,
        presets: Mapping[str, Preset],
        controls: LiveControls,
        presets_folder: Path | None = None,
    ) -> None:
        self._controls = controls
        self._job: Job | None = None
        self._slot: Latest[tuple[StepResult, int, int | None]] = Latest()
        self._asked_seq: int | None = None
        self._session: Session | None = None
        self._stopping: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started: Future[str] = Future()
        routes = [web.get("/api/cameras", self._list), web.put("/api/sessions/cam/camera", self._switch)]
        app = make_app(
            options,
            presets=presets,
            presets_folder=presets_folder,
            mode="cam",
            own_session=self._make_session,
            routes=routes,
        )
        self._server = Server(options, app)
        self._threads: list[threading.Thread] = []

    def wish(self) -> Controls:
        """The wish for the next frame; for the filter's thread."""
        controls, self._asked_seq = self._controls.newest
        return controls

    def start(self, job: Job) -> str:
        """Serve the panel of `job` from now on, in threads of its own; returns the link.

        Raises DeviceError when the address can't be had, UsageError for a bad certificate.
        """
        self._job = job
        self._threads = [start_thread("panel", self._run), start_thread("panel-pictures", self._convert)]
        link = self._started.result(START_S)
        job.on_frame = self._take
        return link

    def stop(self) -> None:
        """Serve no more. May be called twice."""
        if self._job is not None:
            self._job.on_frame = None
        self._slot.close()
        if self._loop is not None and self._stopping is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)
        for thread in self._threads:
            thread.join(STOP_S)

    def _run(self) -> None:
        error = caught(lambda: asyncio.run(self._serve()))
        if error is not None and not self._started.done():
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        await self._server.start()
        try:
            self._started.set_result(self._server.link)
            while not self._stopping.is_set():
                self._look()
                try:
                    await asyncio.wait_for(self._stopping.wait(), LOOK_S)
                except asyncio.TimeoutError:
                    continue
        finally:
            await self._server.stop()

    def _make_session(self, presets: Mapping[str, Preset]) -> Session:
        self._session = Session(SESSION, SESSION, self._controls, presets)
        self._session.set_paused = self._set_paused
        return self._session

    def _set_paused(self, paused: bool) -> None:
        self._served.paused = paused

    @property
    def _served(self) -> Job:
        assert self._job is not None, "served before start"
        return self._job

    def _look(self) -> None:
        session = self._session
        assert session is not None
        job = self._served
        # Who looks at the panel wants to see themselves, whether or not a call is on.
        job.keep_awake = session.results.readers > 0
        session.paused = job.paused
        session.reason = job.reason
        session.tell_state()

    def _take(self, result: StepResult) -> None:
        """Called in the filter's thread: only leaves the result."""
        self._slot.put((result, monotonic_ns(), self._asked_seq))

    def _convert(self) -> None:
        while (item := self._slot.get()) is not None:
            session, loop = self._session, self._loop
            if session is not None and loop is not None and not loop.is_closed():
                result = _result_of(*item, pictures=session.results.readers > 0)
                with suppress(RuntimeError):  # the loop was closed meanwhile: nobody is left to tell
                    loop.call_soon_threadsafe(session.deliver, result)

    async def _list(self, _: web.Request) -> web.Response:
        loop = asyncio.get_running_loop()
        cameras = await loop.run_in_executor(None, list_cameras)
        camera = self._served.camera
        return web.json_response(
            {
                "cameras": [
                    {"device": found.path, "name": found.name}
                    for found in cameras
                    if not (found.problem or found.virtual)
                ],
                "current": {
                    "device": camera.device,
                    "width": camera.width,
                    "height": camera.height,
                    "fps": camera.fps,
                },
            }
        )

    async def _switch(self, request: web.Request) -> web.Response:
        body = parse_object(await request.text())
        device, width, height, fps = (body.get(key) for key in ("device", "width", "height", "fps"))
        asked = [_count(value) for value in (width, height, fps)]
        if not isinstance(device, str) or 0 in asked:
            raise RefusedError(
                400, 'expected {"device": "/dev/video0", "width": 1280, "height": 720, "fps": 30}'
            )
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, partial(self._served.switch_camera, device, *asked))
        except (DeviceError, UsageError) as error:
            raise RefusedError(409, str(error)) from error
        return await self._list(request)


def _count(value: object) -> int:
    """A size or a rate as a whole number; 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 16384:
        return 0
    return round(value)


def _result_of(result: StepResult, done_ns: int, applied_seq: int | None, *, pictures: bool) -> Filtered:
    """What the session tells of a frame; without `pictures` they are empty, for nobody looks."""
    frame, report = result
    shown, original = frame, frame.original or frame
    if pictures:
        filtered = _picture(shown)
        before = filtered if shown.changed is None else _picture(original)
    else:
        filtered = before = _blank(shown)
    stages_ms = {name: round(ns / 1e6, 2) for name, ns in report.stage_ns.items() if name != "total"}
    stages_ms["total"] = round((done_ns - frame.captured_ns) / 1e6, 2)
    return Filtered(
        picture=filtered,
        original=before,
        arrived_ns=frame.captured_ns,
        done_ns=done_ns,
        stages_ms=stages_ms,
        face_box=face_box(report.landmarks, frame.width, frame.height),
        strength=report.strength,
        applied_seq=applied_seq,
        dropped=0,
    )


def _picture(frame: Frame) -> av.VideoFrame:
    picture = av.VideoFrame.from_ndarray(frame.rgb, format="rgb24").reformat(format="yuv420p")
    picture.pts, picture.time_base = frame.pts, frame.time_base
    return picture


def _blank(frame: Frame) -> av.VideoFrame:
    picture = av.VideoFrame(frame.width, frame.height, "yuv420p")
    picture.pts, picture.time_base = frame.pts, frame.time_base
    return picture
