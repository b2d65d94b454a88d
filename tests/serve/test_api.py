"""The JSON interface with real peers: what scripts and the control panel speak with the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import aiohttp
import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamTrack

from rtfilter.bench.webrtc_camera import StampArea, StampedCamera
from rtfilter.controls import Controls
from rtfilter.serve.app.pool import FilterPool
from rtfilter.serve.gate.options import Limits, ServeOptions
from tests.fakes.serving import (
    TOKEN,
    Camera,
    PaintingFilter,
    Running,
    first,
    grey_picture,
    incoming,
    luma,
    new_peer,
    next_picture,
    offer_of,
    picture_when,
    serving,
    visiting,
)

HAPPY = {"emotions": {"happy": 1.0}}


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 90))


def camera() -> Camera:
    return Camera(lambda _: grey_picture())


def painted(picture: av.VideoFrame) -> bool:
    """Whether the quick filter's bright box is there, and only there."""
    grey = luma(picture)
    return bool(grey[24:40, 24:40].mean() > 180 and grey[:8].mean() < 140)


def plain(picture: av.VideoFrame) -> bool:
    return bool(luma(picture)[24:40, 24:40].mean() < 140)


async def request(
    running: Running, method: str, path: str, body: object = None, text: str | None = None
) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"}
    data = text if text is not None else (None if body is None else json.dumps(body))
    async with running.http.request(method, path, data=data, headers=headers if data else {}) as response:
        answer = await response.text()
        return response.status, json.loads(answer) if answer else None


def test_a_session_gives_the_filtered_picture_back() -> None:
    async def test() -> None:
        async with serving() as running, visiting(running, camera(), controls=HAPPY) as visitor:
            assert visitor.headers["Location"] == f"/api/sessions/{visitor.id}"
            assert visitor.answer.keys() == {"id", "sdp", "type"}
            await picture_when(visitor.tracks["video"][0], painted)
            status, session = await request(running, "GET", f"/api/sessions/{visitor.id}")
            assert status == 200
            assert (session["kind"], session["state"]) == ("peer", "live")
            assert session["controls"]["emotions"] == {"happy": 1.0}
            assert (session["video"]["width"], session["video"]["height"]) == (64, 64)
            status, listed = await request(running, "GET", "/api/sessions")
            assert [each["id"] for each in listed["sessions"]] == [visitor.id]

    run(test())


def test_pictures_come_back_with_the_times_they_were_sent_with() -> None:
    pictures = [grey_picture(size=(320, 240)) for _ in range(2)]

    async def test() -> None:
        source = StampedCamera(pictures, 20)
        async with serving() as running, visiting(running, source) as visitor:
            area, offsets = StampArea(320, 240), set()
            for _ in range(12):
                picture = await next_picture(visitor.tracks["video"][0])
                stamp = area.read(picture)
                assert stamp is not None
                assert picture.pts is not None
                offsets.add((picture.pts - stamp.number * 90_000 // 20) % 2**32)
            # RTP's timestamps begin anywhere; from there on they are the camera's.
            assert len(offsets) == 1

    run(test())


def test_the_controls_are_merged_replaced_and_chosen() -> None:
    async def test() -> None:
        async with serving() as running, visiting(running, camera()) as visitor:
            path = f"/api/sessions/{visitor.id}/controls"
            assert (await request(running, "GET", path))[1] == Controls().as_dict()
            status, answer = await request(running, "PATCH", path, {"emotions": {"happy": 0.5}, "mouth": 0.2})
            assert (status, answer["emotions"], answer["mouth"]) == (200, {"happy": 0.5}, 0.2)
            _, answer = await request(running, "PATCH", path, {"emotions": {"sad": 0.1, "happy": None}})
            assert (answer["emotions"], answer["mouth"]) == ({"sad": 0.1}, 0.2)
            _, answer = await request(running, "PATCH", path, {"mouth": None})
            assert answer["mouth"] == Controls().mouth
            _, answer = await request(running, "PUT", path, {"intensity": 0.7})
            assert answer == Controls(intensity=0.7).as_dict()
            status, answer = await request(
                running, "POST", f"/api/sessions/{visitor.id}/preset", {"name": "friendly"}
            )
            assert (status, answer["emotions"]) == (200, {"happy": 0.4})
            assert (await request(running, "GET", path))[1] == answer

    run(test())


@pytest.mark.parametrize(
    ("method", "path", "text", "status", "expected"),
    [
        ("PATCH", "/controls", '{"emotions": {"happpy": 1}}', 400, "happy"),
        ("PATCH", "/controls", '{"intensity": 9}', 400, "0..1.5"),
        ("PATCH", "/controls", '{"intensity": NaN}', 400, "JSON"),
        ("PATCH", "/controls", '{"smile": 1}', 400, "unknown control"),
        ("PATCH", "/controls", "[1]", 400, "object"),
        ("PATCH", "/controls", "{", 400, "JSON"),
        ("POST", "/preset", '{"name": "frendly"}', 400, "friendly"),
        ("POST", "/preset", '{"name": 3}', 400, "name"),
        ("PATCH", "", '{"paused": 1}', 400, "paused"),
        ("PUT", "", "{}", 405, "GET"),
        ("GET", "/events", None, 426, "WebSocket"),
    ],
)
def test_mistakes_are_answered_in_one_line_and_change_nothing(
    method: str, path: str, text: str | None, status: int, expected: str
) -> None:
    async def test() -> None:
        async with serving() as running, visiting(running, camera()) as visitor:
            here = f"/api/sessions/{visitor.id}"
            got, body = await request(running, method, here + path, text=text)
            assert got == status
            assert body.keys() == {"error"}
            assert expected in body["error"]
            assert "\n" not in body["error"]
            _, session = await request(running, "GET", here)
            assert (session["controls"], session["paused"]) == (Controls().as_dict(), False)

    run(test())


def test_who_has_no_token_or_another_id_gets_nothing() -> None:
    async def test() -> None:
        async with serving() as running, aiohttp.ClientSession(running.address) as stranger:
            async with stranger.get("/api/sessions") as response:
                assert response.status == 401
            async with stranger.get("/healthz") as response:
                assert (response.status, await response.json()) == (200, {"status": "ok", "sessions": 0})
            for method, path in (("GET", "/api/sessions/none"), ("DELETE", "/api/sessions/none")):
                status, body = await request(running, method, path)
                assert (status, "no such session" in body["error"]) == (404, True)

    run(test())


def test_a_paused_session_shows_a_card_until_it_goes_on() -> None:
    async def test() -> None:
        async with serving() as running, visiting(running, camera()) as visitor:
            path, track = f"/api/sessions/{visitor.id}", visitor.tracks["video"][0]
            await picture_when(track, lambda picture: luma(picture).mean() > 80)
            status, session = await request(running, "PATCH", path, {"paused": True})
            assert (status, session["paused"], session["state"]) == (200, True, "paused")
            card = await picture_when(track, lambda picture: luma(picture).mean() < 60)
            assert (card.width, card.height) == (64, 64)
            await request(running, "PATCH", path, {"paused": False})
            await picture_when(track, lambda picture: luma(picture).mean() > 80)

    run(test())


def test_deleting_a_session_ends_it_for_its_peer() -> None:
    async def test() -> None:
        async with serving() as running, visiting(running, camera()) as visitor:
            await next_picture(visitor.tracks["video"][0])
            assert await request(running, "DELETE", f"/api/sessions/{visitor.id}") == (204, None)
            assert (await request(running, "GET", f"/api/sessions/{visitor.id}"))[0] == 404
            await first(lambda: visitor.pc.connectionState in ("closed", "failed"))

    run(test())


def test_a_peer_that_hangs_up_ends_its_session() -> None:
    async def test() -> None:
        async with serving() as running:
            async with visiting(running, camera()) as visitor:
                await next_picture(visitor.tracks["video"][0])
            await first(lambda: running.sessions.count == 0)

    run(test())


def test_the_data_channel_and_the_websocket_tell_the_same() -> None:
    async def test() -> None:
        async with serving() as running, visiting(running, camera(), channel=True) as visitor:
            channel = visitor.channel
            assert channel is not None
            hello = await visitor.message(lambda message: message["type"] == "hello")
            assert hello["session"]["id"] == visitor.id
            protocols = ("rtfilter", f"token.{TOKEN}")
            async with running.http.ws_connect(
                f"/api/sessions/{visitor.id}/events", protocols=protocols
            ) as socket:
                assert (await socket.receive_json())["type"] == "hello"
                channel.send(json.dumps({"type": "controls", "changes": HAPPY, "seq": 7}))
                echoed = await visitor.message(lambda message: message["type"] == "controls")
                assert (echoed["controls"]["emotions"], echoed["seq"]) == ({"happy": 1.0}, 7)
                received = await receive(socket, "controls")
                assert received == echoed
                timings = await visitor.message(lambda message: message.get("applied_seq") == 7)
                assert timings["strength"] == 1.0
                assert {"wait", "unpack", "pack", "total"} <= timings["stages_ms"].keys()
                assert (await receive(socket, "timings"))["type"] == "timings"
                await socket.send_json({"type": "ping", "t": 12.5})
                assert await receive(socket, "pong") == {"type": "pong", "t": 12.5}
                await socket.send_str("rubbish")
                assert (await receive(socket, "error"))["seq"] is None
                channel.send(json.dumps({"type": "preset", "name": "no-such", "seq": 8}))
                wrong = await visitor.message(lambda message: message["type"] == "error")
                assert wrong["seq"] == 8
                await socket.send_json({"type": "paused", "paused": True})
                paused = await visitor.message(lambda message: message.get("state") == "paused")
                assert paused["paused"] is True
                await request(running, "DELETE", f"/api/sessions/{visitor.id}")
                while (last := await receive(socket, "state"))["state"] != "ended":
                    pass
                assert last["reason"] == "ended by request"
                assert (await socket.receive(20)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING)

    run(test())


async def receive(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    while (message := await socket.receive_json(timeout=20))["type"] != kind:
        pass
    return dict(message)


def test_a_websocket_needs_the_token_too() -> None:
    async def test() -> None:
        async with (
            serving() as running,
            visiting(running, camera()) as visitor,
            aiohttp.ClientSession(running.address) as stranger,
        ):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await stranger.ws_connect(f"/api/sessions/{visitor.id}/events", protocols=("rtfilter",))
            assert refused.value.status == 401

    run(test())


@pytest.mark.parametrize(
    ("limits", "status", "expected"),
    [
        (Limits(sessions=1), 503, "all 1 places"),
        (Limits(sessions_per_address=1), 429, "from one address"),
        (Limits(cpu_share=0.0), 503, "processors are busy"),
    ],
)
def test_a_refusal_for_no_room_has_its_reason(limits: Limits, status: int, expected: str) -> None:
    async def test() -> None:
        options = ServeOptions(port=0, token=TOKEN, limits=limits)
        async with serving(options) as running, visiting(running, camera()) as visitor:
            pc = new_peer()
            pc.addTrack(camera())
            body = {"sdp": await offer_of(pc), "type": "offer"}
            async with running.http.post("/api/sessions", json=body) as response:
                assert response.status == status
                assert int(response.headers["Retry-After"]) > 0
                assert expected in (await response.json())["error"]
            await pc.close()
            await next_picture(visitor.tracks["video"][0])
            await request(running, "DELETE", f"/api/sessions/{visitor.id}")
            async with visiting(running, camera()) as another:
                await next_picture(another.tracks["video"][0])

    run(test())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"sdp": "v=0\r\nrubbish", "type": "offer"}, 400),
        ({"sdp": "v=0\r\ns=-\r\nt=0 0\r\n", "type": "offer"}, 400),
        ({"sdp": "", "type": "answer"}, 400),
        ({"sdp": "v=0\r\n" + "a=x\r\n" * 20_000, "type": "offer"}, 413),
        ({}, 400),
    ],
)
def test_nonsense_from_one_peer_leaves_the_others_alone(body: dict[str, str], status: int) -> None:
    async def test() -> None:
        async with serving() as running, visiting(running, camera()) as visitor:
            got, answer = await request(running, "POST", "/api/sessions", body)
            assert got == status, answer
            assert running.sessions.count == 1
            for _ in range(3):
                await next_picture(visitor.tracks["video"][0])

    run(test())


def test_a_filter_that_fails_ends_its_own_session_only() -> None:
    filters: list[PaintingFilter] = []

    def make() -> PaintingFilter:
        filters.append(PaintingFilter())
        return filters[-1]

    async def test() -> None:
        async with (
            serving(pool=FilterPool(make, spares=0)) as running,
            visiting(running, camera()) as steady,
            visiting(running, camera()) as victim,
        ):
            await next_picture(steady.tracks["video"][0])
            await next_picture(victim.tracks["video"][0])
            filters[-1].error = RuntimeError("broken on purpose")
            await first(lambda: not running.sessions.has(victim.id))
            assert running.sessions.has(steady.id)
            for _ in range(3):
                await next_picture(steady.tracks["video"][0])

    run(test())


class Beeper(MediaStreamTrack):
    """Silence of 20 ms a frame, and a beep in those that `loud` names."""

    kind = "audio"

    def __init__(self, start_s: float, loud: Any) -> None:
        super().__init__()
        self._start_s, self._loud, self._count = start_s, loud, 0

    async def recv(self) -> av.AudioFrame:
        await asyncio.sleep(max(0.0, self._start_s + self._count * 0.02 - asyncio.get_running_loop().time()))
        wave = np.zeros((1, 960), np.int16)
        if self._loud(self._count * 0.02):
            wave[0] = 12_000 * np.sin(np.arange(960) * 0.2)
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, self._count * 960
        self._count += 1
        return frame


def test_sound_comes_back_with_the_picture() -> None:
    async def test() -> None:
        beeper = Beeper(asyncio.get_running_loop().time(), lambda time_s: time_s > 1.0)
        async with serving() as running, visiting(running, camera(), beeper) as visitor:
            await next_picture(visitor.tracks["video"][0])
            await first_loud(visitor.tracks["audio"][0])

    run(test())


async def first_loud(track: MediaStreamTrack) -> None:
    while np.abs((await asyncio.wait_for(track.recv(), 20)).to_ndarray()).max() < 3000:
        pass


def test_info_and_metrics_say_what_there_is() -> None:
    async def test() -> None:
        async with serving() as running, visiting(running, camera()) as visitor:
            await picture_when(visitor.tracks["video"][0], plain)
            _, info = await request(running, "GET", "/api/info")
            assert info["mode"] == "serve"
            assert "friendly" in [preset["name"] for preset in info["presets"]]
            async with running.http.get("/metrics") as response:
                text = await response.text()
            assert 'rtfilter_sessions_opened_total{kind="peer"} 1.0' in text
            assert "rtfilter_sessions 1.0" in text
            frames = [line for line in text.splitlines() if line.startswith("rtfilter_frames_total")]
            assert float(frames[0].split()[-1]) >= 1

    run(test())


def test_an_offer_without_sound_or_channel_gets_the_picture_alone() -> None:
    async def test() -> None:
        async with serving() as running, visiting(running, camera()) as visitor:
            assert [len(tracks) for tracks in incoming(visitor.pc).values()] == [0, 1]
            await next_picture(visitor.tracks["video"][0])

    run(test())
