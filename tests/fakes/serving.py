"""A real server and real peers in one event loop, and a quick filter with a visible effect."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from rtfilter.colour import planes_of
from rtfilter.controls import Controls
from rtfilter.filter import StepReport, StepResult
from rtfilter.frame import Frame
from rtfilter.gpu.lane import People
from rtfilter.profiles.profile import Profile
from rtfilter.serve.app.pool import FilterPool
from rtfilter.serve.app.server import SESSIONS, Server, make_app
from rtfilter.serve.app.sessions import Sessions
from rtfilter.serve.gate.options import Limits, ServeOptions
from rtfilter.system.arrays import Box

TOKEN = "a-token-of-the-tests"
GUARD_S = 30.0
# Lets in as many as come, however busy the machine is with other tests.
BUSY = Limits(cpu_share=100.0)
PAINT = Box(16, 16, 48, 48)


class PaintingFilter:
    """In place of `FaceFilter`: paints a bright box for the emotion `happy`, and counts its users.

    delay_s: how long a step takes. The next step raises `error`, if there is one.
    """

    def __init__(self, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self.error: Exception | None = None
        self.resets = 0
        self.closed = 0
        self.profile: Profile | None = None
        self.own_skin = True
        self.place: tuple[float, float] | None = None

    def wear(self, profile: Profile | None) -> None:
        self.profile = profile

    def choose(self, x: float, y: float) -> None:
        self.place = (x, y)

    def step(self, frame: Frame, controls: Controls, people: People | None = None) -> StepResult:
        if self.error is not None:
            raise self.error
        time.sleep(self.delay_s)
        strength = 0.0 if controls.bypass else controls.emotions.get("happy", 0.0)
        report = StepReport(strength=strength, stage_ns={"track": 1_000_000})
        if not strength:
            return StepResult(frame.unchanged(), report)
        rgb = frame.rgb.copy()
        rgb[PAINT.y0 : PAINT.y1, PAINT.x0 : PAINT.x1] = 250
        return StepResult(frame.filtered(rgb, PAINT), report)

    def reset(self) -> None:
        self.resets += 1

    def close(self) -> None:
        self.closed += 1


def painting_pool() -> FilterPool:
    return FilterPool(PaintingFilter)


def grey_picture(
    level: int = 90, size: tuple[int, int] = (64, 64), pts: int = 0, rate: int = 90_000
) -> av.VideoFrame:
    """A 4:2:0 picture of one grey, with a slope so that no two rows are alike."""
    width, height = size
    luma = np.clip(level + np.arange(height)[:, None] // 4 + np.zeros((1, width)), 0, 255)
    planes = np.concatenate([luma, np.full((height // 2, width), 128)]).astype(np.uint8)
    picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    picture.pts, picture.time_base = pts, Fraction(1, rate)
    return picture


def luma(picture: av.VideoFrame) -> np.ndarray[Any, Any]:
    """A copy of the Y plane, as it is."""
    return planes_of(picture)[0].copy()


class Camera(MediaStreamTrack):
    """Sends what `draw` gives for 0, 1, 2, ... at `fps`, stamped in 1/90000 s."""

    kind = "video"

    def __init__(self, draw: Callable[[int], av.VideoFrame], fps: int = 20) -> None:
        super().__init__()
        self._draw = draw
        self._fps = fps
        self._start_s: float | None = None
        self.given = 0

    async def recv(self) -> av.VideoFrame:
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        if self._start_s is None:
            self._start_s = loop.time()
        await asyncio.sleep(max(0.0, self._start_s + self.given / self._fps - loop.time()))
        picture = self._draw(self.given)
        picture.pts, picture.time_base = self.given * 90_000 // self._fps, Fraction(1, 90_000)
        self.given += 1
        return picture


@dataclass
class Running:
    """A server that listens. http: a client that has the token."""

    address: str
    http: aiohttp.ClientSession
    sessions: Sessions


@dataclass
class Visitor:
    """A connected peer. id: of its session. answer: of the server's POST."""

    pc: RTCPeerConnection
    id: str
    answer: dict[str, Any]
    headers: dict[str, str]
    tracks: dict[str, list[MediaStreamTrack]]
    channel: RTCDataChannel | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)

    async def message(self, test: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first message of the data channel that passes `test`, waiting for it."""
        return await first(lambda: next((m for m in self.messages if test(m)), None))


@asynccontextmanager
async def serving(
    options: ServeOptions | None = None,
    pool: FilterPool | None = None,
    *,
    profile: Profile | None = None,
    profiles_folder: Path | None = None,
) -> AsyncIterator[Running]:
    """A server with quick filters on a free port, for as long as the block lasts."""
    options = options or ServeOptions(port=0, token=TOKEN, limits=BUSY)
    app = make_app(options, pool=pool or painting_pool(), profile=profile, profiles_folder=profiles_folder)
    server = Server(options, app)
    await server.start()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", headers=headers) as http:
            yield Running(f"http://127.0.0.1:{server.port}", http, app[SESSIONS])
    finally:
        await server.stop()


def new_peer() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


def incoming(pc: RTCPeerConnection) -> dict[str, list[MediaStreamTrack]]:
    """What comes to a peer by kind, in the order of its sections, once it has an answer."""
    found: dict[str, list[MediaStreamTrack]] = {"audio": [], "video": []}
    for transceiver in pc.getTransceivers():
        found[transceiver.kind].append(transceiver.receiver.track)
    return found


async def offer_of(pc: RTCPeerConnection) -> str:
    await pc.setLocalDescription(await pc.createOffer())
    return str(pc.localDescription.sdp)


@asynccontextmanager
async def visiting(
    running: Running,
    video: MediaStreamTrack,
    audio: MediaStreamTrack | None = None,
    *,
    controls: dict[str, Any] | None = None,
    channel: bool = False,
) -> AsyncIterator[Visitor]:
    """A peer that sends its camera through POST /api/sessions and gets it back."""
    pc = new_peer()
    messages: list[dict[str, Any]] = []
    opened = pc.createDataChannel("rtfilter") if channel else None
    if opened is not None:
        opened.on("message", lambda text: messages.append(json.loads(text)))
    try:
        for track in (video, audio):
            if track is not None:
                pc.addTrack(track)
        body = {"sdp": await offer_of(pc), "type": "offer"} | ({"controls": controls} if controls else {})
        async with running.http.post("/api/sessions", json=body) as response:
            answer = await response.json()
            assert response.status == 201, answer
            headers = dict(response.headers)
        await pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
        yield Visitor(pc, answer["id"], answer, headers, incoming(pc), opened, messages)
    finally:
        await pc.close()


async def next_picture(track: MediaStreamTrack) -> av.VideoFrame:
    picture = await asyncio.wait_for(track.recv(), GUARD_S)
    assert isinstance(picture, av.VideoFrame)
    return picture


async def picture_when(track: MediaStreamTrack, test: Callable[[av.VideoFrame], bool]) -> av.VideoFrame:
    """The first picture from now on that passes `test`."""

    async def look() -> av.VideoFrame:
        while not test(picture := await next_picture(track)):
            pass
        return picture

    return await asyncio.wait_for(look(), GUARD_S)


async def first(find: Callable[[], Any], timeout_s: float = GUARD_S) -> Any:
    """What `find` gives once it gives something."""
    deadline_s = asyncio.get_running_loop().time() + timeout_s
    while (found := find()) is None or found is False:
        assert asyncio.get_running_loop().time() < deadline_s, "it never came"
        await asyncio.sleep(0.02)
    return found
