"""What the filter is compared with: stock aiortc that sends back what it gets, as its examples do.

Nothing is tuned and nothing is filtered here. One process, `POST /api/sessions` as the server has it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack

CONNECTIONS: web.AppKey[set[RTCPeerConnection]] = web.AppKey("connections", set)


def make_echo() -> web.Application:
    """The echo as an application."""
    app = web.Application()
    app[CONNECTIONS] = set()
    app.add_routes([web.post("/api/sessions", _answer)])
    app.on_shutdown.append(_hang_up)
    return app


async def _answer(request: web.Request) -> web.Response:
    offer = await request.json()
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    request.app[CONNECTIONS].add(connection)

    @connection.on("track")
    def took(track: MediaStreamTrack) -> None:
        connection.addTrack(track)

    @connection.on("connectionstatechange")
    async def changed() -> None:
        if connection.connectionState in ("failed", "closed"):
            request.app[CONNECTIONS].discard(connection)
            await connection.close()

    await connection.setRemoteDescription(RTCSessionDescription(offer["sdp"], offer["type"]))
    await connection.setLocalDescription(await connection.createAnswer())
    answer = connection.localDescription
    return web.json_response({"id": "echo", "sdp": answer.sdp, "type": answer.type}, status=201)


async def _hang_up(app: web.Application) -> None:
    connections = app[CONNECTIONS]
    await asyncio.gather(*(connection.close() for connection in list(connections)))


async def serve() -> None:
    """Serve on a free port of the loopback, told on standard output, until the process is ended."""
    runner = web.AppRunner(make_echo(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(f"http://127.0.0.1:{runner.addresses[0][1]}/", flush=True)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(serve())
