"""`python -m rtfilter.bench.webrtc_echo`: stock aiortc that sends back what it gets, as its examples do.

The contender without a filter; nothing is tuned. `POST /api/sessions` as the product's server has it. Run by
`bench.webrtc_turns`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack


async def serve() -> None:
    """Serve on a free port of the loopback, printed on standard output, until the process is ended."""
    connections: set[RTCPeerConnection] = set()

    async def answer(request: web.Request) -> web.Response:
        offer = await request.json()
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        connections.add(connection)

        @connection.on("track")
        def took(track: MediaStreamTrack) -> None:
            connection.addTrack(track)

        @connection.on("connectionstatechange")
        async def changed() -> None:
            if connection.connectionState in ("failed", "closed"):
                connections.discard(connection)
                await connection.close()

        await connection.setRemoteDescription(RTCSessionDescription(offer["sdp"], offer["type"]))
        await connection.setLocalDescription(await connection.createAnswer())
        local = connection.localDescription
        return web.json_response({"id": "echo", "sdp": local.sdp, "type": local.type}, status=201)

    app = web.Application()
    app.add_routes([web.post("/api/sessions", answer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(f"http://127.0.0.1:{runner.addresses[0][1]}/", flush=True)
        await asyncio.Event().wait()
    finally:
        await asyncio.gather(*(connection.close() for connection in connections))
        await runner.cleanup()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(serve())
