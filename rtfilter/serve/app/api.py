"""The JSON interface, which docs/serve-api.md and openapi.json describe. Called by `server`."""

from __future__ import annotations

import asyncio
import json

from aiohttp import WSMsgType, web

from rtfilter.controls import EMOTIONS, INTENSITY_MAX, Controls
from rtfilter.serve.app.handle import handle
from rtfilter.serve.app.messages import LONGEST_MESSAGE, MessageBudget, merged, parse_object, place_in
from rtfilter.serve.app.preset_store import PresetStore
from rtfilter.serve.app.session import Session
from rtfilter.serve.app.sessions import Sessions
from rtfilter.serve.app.shapes import Json
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.serve.gate.sdp_offer import checked_offer
from rtfilter.system.clock import NS_PER_S, monotonic_ns
from rtfilter.system.version import __version__

OWN_CAMERA = "this server filters its own camera: watch it with POST /whep/cam"
# On a WebSocket; a data channel gets the timings of every frame.
TIMINGS_EVERY_NS = NS_PER_S // 10
WAITING_MESSAGES = 64


class Api:
    """Handlers by route. mode: "serve", or "cam" when the server itself has the camera."""

    def __init__(self, options: ServeOptions, sessions: Sessions, mode: str, presets: PresetStore) -> None:
        self._options = options
        self._sessions = sessions
        self._mode = mode
        self._presets = presets

    def routes(self) -> list[web.RouteDef]:
        one = "/api/sessions/{id}"
        return [
            web.get("/api/info", self.info),
            web.post("/api/sessions", self.open),
            web.get("/api/sessions", self.list),
            web.get(one, self.show),
            web.patch(one, self.pause),
            web.delete(one, self.close),
            web.get(f"{one}/controls", self.controls),
            web.patch(f"{one}/controls", self.change_controls),
            web.put(f"{one}/controls", self.replace_controls),
            web.post(f"{one}/preset", self.choose_preset),
            web.get(f"{one}/people", self.people),
            web.patch(f"{one}/people", self.change_people),
            web.post(f"{one}/choose", self.choose_face),
            web.get(f"{one}/events", self.events),
        ]

    async def info(self, _: web.Request) -> web.Response:
        limits = self._options.limits
        return web.json_response(
            {
                "version": __version__,
                "mode": self._mode,
                "emotions": list(EMOTIONS),
                "intensity_max": INTENSITY_MAX,
                "presets": self._presets.describe(),
                "presets_can_be_saved": self._presets.folder is not None,
                "profiles": self._options.offers_profiles,
                "faces": self._options.faces,
                "limits": {
                    "width_px": limits.width_px,
                    "height_px": limits.height_px,
                    "fps": limits.fps,
                    "sessions": limits.sessions,
                },
                "codec": self._options.codec,
                "bitrate_bps": self._options.bitrate_bps,
                "controls": self._options.controls.as_dict(),
            }
        )

    async def open(self, request: web.Request) -> web.Response:
        if self._mode != "serve":
            raise RefusedError(409, OWN_CAMERA)
        body = parse_object(await request.text())
        sdp, kind, changes = body.get("sdp"), body.get("type"), body.get("controls")
        if not isinstance(sdp, str) or kind != "offer":
            raise RefusedError(400, 'expected {"sdp": "v=0...", "type": "offer"}')
        if changes is not None and not isinstance(changes, dict):
            raise RefusedError(400, f"controls: expected an object, got {type(changes).__name__}")
        controls = merged(self._options.controls, changes) if changes else None
        address = request.remote or ""
        offer = checked_offer(sdp, "peer", self._options.limits, self._sessions.networks_for(address))
        session, _, answer = await self._sessions.open_peer("peer", offer, address, controls)
        return web.json_response(
            {"id": session.id, "sdp": answer, "type": "answer"},
            status=201,
            headers={"Location": f"/api/sessions/{session.id}"},
        )

    async def list(self, _: web.Request) -> web.Response:
        return web.json_response({"sessions": [session.describe() for session in self._sessions.all()]})

    async def show(self, request: web.Request) -> web.Response:
        return web.json_response(self._session(request).describe())

    async def pause(self, request: web.Request) -> web.Response:
        session = self._session(request)
        paused = parse_object(await request.text()).get("paused")
        if not isinstance(paused, bool):
            raise RefusedError(400, 'expected {"paused": true} or {"paused": false}')
        session.pause(paused)
        return web.json_response(session.describe())

    async def close(self, request: web.Request) -> web.Response:
        session = self._session(request)
        if session.kind == "cam":
            raise RefusedError(409, "the camera's session ends with its program: stop rtfilter cam")
        await self._sessions.close(session.id, "ended by request")
        return web.Response(status=204)

    async def controls(self, request: web.Request) -> web.Response:
        return web.json_response(self._session(request).controls.current.as_dict())

    async def change_controls(self, request: web.Request) -> web.Response:
        controls = self._session(request).controls
        return web.json_response(controls.change(parse_object(await request.text())).as_dict())

    async def replace_controls(self, request: web.Request) -> web.Response:
        controls = self._session(request).controls
        values = merged(Controls(), parse_object(await request.text()))
        return web.json_response(controls.replace(values).as_dict())

    async def choose_preset(self, request: web.Request) -> web.Response:
        session = self._session(request)
        body = parse_object(await request.text())
        name, person = body.get("name"), body.get("person")
        whole = person is None or (isinstance(person, int) and not isinstance(person, bool))
        if not (isinstance(name, str) and whole):
            raise RefusedError(400, 'expected {"name": "friendly", "person"?: 3}')
        return web.json_response(session.choose_preset(name, person=person).as_dict())

    async def people(self, request: web.Request) -> web.Response:
        return web.json_response({"people": self._session(request).describe()["people"]})

    async def change_people(self, request: web.Request) -> web.Response:
        session = self._session(request)
        session.controls.change_people(parse_object(await request.text()))
        return web.json_response({"people": session.describe()["people"]})

    async def choose_face(self, request: web.Request) -> web.Response:
        session = self._session(request)
        session.look_at(*place_in(parse_object(await request.text())))
        return web.Response(status=204)

    async def events(self, request: web.Request) -> web.WebSocketResponse:
        session = self._session(request)
        if not web.WebSocketResponse(protocols=("rtfilter",)).can_prepare(request):
            raise RefusedError(426, "expected a WebSocket: connect with ws:// or wss://")
        return await _serve_websocket(request, session)

    def _session(self, request: web.Request) -> Session:
        return self._sessions.find(request.match_info["id"])


async def _serve_websocket(request: web.Request, session: Session) -> web.WebSocketResponse:
    """The messages of `session` over a WebSocket, until either side closes it."""
    socket = web.WebSocketResponse(heartbeat=15.0, max_msg_size=2 * LONGEST_MESSAGE, protocols=("rtfilter",))
    await socket.prepare(request)
    waiting: asyncio.Queue[Json | None] = asyncio.Queue()
    budget = MessageBudget()
    last_timings_ns = 0

    def enqueue(message: Json) -> None:
        nonlocal last_timings_ns
        if message["type"] == "timings":
            now_ns = monotonic_ns()
            if now_ns - last_timings_ns < TIMINGS_EVERY_NS or waiting.qsize() > 2:
                return
            last_timings_ns = now_ns
        elif waiting.qsize() >= WAITING_MESSAGES:
            # A client that reads so slowly is disconnected; `hello` has the whole state when it is back.
            waiting.put_nowait(None)
            return
        waiting.put_nowait(message)
        if message["type"] == "state" and message["state"] == "ended":
            waiting.put_nowait(None)

    async def send_all() -> None:
        while (message := await waiting.get()) is not None:
            await socket.send_str(json.dumps(message, separators=(",", ":")))
        await socket.close()

    leave = session.listen(enqueue)
    sending = asyncio.create_task(send_all())
    try:
        async for message in socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            if budget.spend():
                handle(session, message.data, enqueue)
    finally:
        leave()
        sending.cancel()
    return socket
