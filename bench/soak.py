"""`python -m bench.soak --minutes 10`: what a server keeps of clients that come and go.

It counts memory, threads, open files (sockets among them) and event-loop tasks of `rtfilter serve` before and
after, and writes soak.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import aiohttp
import av
import psutil
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from rtfilter.bench import common
from rtfilter.bench.webrtc_camera import StampedCamera, demo_pictures
from rtfilter.bench.webrtc_turns import FILTER_SERVER, Server, running
from rtfilter.errors import DeviceError
from rtfilter.system.interrupts import run_until_told

SIZE = (640, 360)
PICTURES = 10
# The first cycles load filters and fill caches; growth is counted from there on.
WARM_UP_CYCLES = 20
# A peer that vanishes is missed when its consent checks stop being answered, after half a minute.
SETTLE_S = 45.0
RUDE_EVERY = 10
CLOSE_S = 5.0
ATTEMPTS = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write soak.json, and print what was held before and after."""
    parser = common.argument_parser("soak", "Connect and leave again and again; what is left behind?")
    parser.add_argument("--minutes", type=float, default=10.0, help="at least (default 10)")
    parser.add_argument("--cycles", type=common.count, default=200, help="at least (default 200)")
    return common.publish(parser.parse_args(argv), "soak", measure, summary)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """The product's server before and after its visitors. Raises DeviceError."""
    options = ("--emotion", "happy=0.8", "--sessions-per-address", "16")
    with running(*FILTER_SERVER, *options) as server:
        return run_until_told(soak(server, arguments.minutes, arguments.cycles))


def summary(document: Mapping[str, Any]) -> str:
    """Cycles, minutes, and what was held before and after, as JSON."""
    return json.dumps({key: document[key] for key in ("cycles", "minutes", "before", "after")}, indent=2)


async def soak(server: Server, minutes: float, cycles: int) -> dict[str, Any]:
    """Visit a server at least so long and so often; what it held before and after."""
    process, pictures = psutil.Process(server.pid), demo_pictures(*SIZE, common.FPS)
    first_ms: list[float] = []
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {server.token}"}) as client:
        for number in range(WARM_UP_CYCLES):
            await visit(client, server.url, pictures, number)
        before = await settled(client, server.url, process)
        minute_by_minute, started_s = [before], time.monotonic()
        while len(first_ms) < cycles or time.monotonic() - started_s < minutes * 60:
            first_ms.append(1e3 * await visit(client, server.url, pictures, len(first_ms)))
            if time.monotonic() - started_s >= 60 * len(minute_by_minute):
                minute_by_minute.append(await held(client, server.url, process))
        took_s = time.monotonic() - started_s
        after = await settled(client, server.url, process)
    return {
        "cycles": len(first_ms),
        "minutes": round(took_s / 60, 1),
        "first_picture": common.percentiles(first_ms),
        "before": before,
        "after": after,
        # With visitors still there, or missed for less than half a minute.
        "rss_mib_minute_by_minute": [now["rss_mib"] for now in minute_by_minute],
        "threads_minute_by_minute": [now["threads"] for now in minute_by_minute],
    }


async def visit(
    client: aiohttp.ClientSession, address: str, pictures: list[av.VideoFrame], number: int
) -> float:
    """One connection: offer, some filtered pictures, and the leaving. Seconds to the first picture."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTrack(StampedCamera(pictures, common.FPS))
    connection.createDataChannel("rtfilter")
    try:
        started_s = time.monotonic()
        await connection.setLocalDescription(await connection.createOffer())
        offer = {"sdp": connection.localDescription.sdp, "type": "offer"}
        body = await admitted(client, address, offer)
        await connection.setRemoteDescription(RTCSessionDescription(body["sdp"], "answer"))
        track = connection.getReceivers()[0].track
        await asyncio.wait_for(track.recv(), 15.0)
        first_s = time.monotonic() - started_s
        for _ in range(PICTURES - 1):
            await asyncio.wait_for(track.recv(), 15.0)
        if number % 3 == 0:
            async with client.delete(f"{address}/api/sessions/{body['id']}") as deleted:
                assert deleted.status == 204
        return first_s
    finally:
        if number % RUDE_EVERY == RUDE_EVERY - 1:
            await hang_up_rudely(connection)
        with suppress(asyncio.TimeoutError):  # aiortc waits for tasks that were cancelled before they began
            await asyncio.wait_for(connection.close(), CLOSE_S)


async def admitted(client: aiohttp.ClientSession, address: str, offer: dict[str, str]) -> dict[str, str]:
    """The answer to an offer; sent again after `Retry-After` while the server has no room.

    Raises DeviceError when it is refused, or refused too often.
    """
    for _ in range(ATTEMPTS):
        async with client.post(f"{address}/api/sessions", json=offer) as answered:
            body: dict[str, str] = await answered.json()
            if answered.status == 201:
                return body
            if answered.status != 503:
                break
            wait_s = float(answered.headers["Retry-After"])
        await asyncio.sleep(wait_s)
    raise DeviceError(f"{address}: the server refused a visitor: {answered.status} {body}")


async def hang_up_rudely(connection: RTCPeerConnection) -> None:
    """Close the sockets under the connection, so that no goodbye reaches the server."""
    for transceiver in connection.getTransceivers():
        await transceiver.receiver.transport.transport._connection.close()


async def held(client: aiohttp.ClientSession, address: str, process: psutil.Process) -> dict[str, float]:
    """What the server holds now, by its own metrics and the system's."""
    async with client.get(f"{address}/metrics") as answered:
        text = await answered.text()
    number = {name: float(value) for name, value in re.findall(r"^(rtfilter_\w+) ([\d.e+]+)$", text, re.M)}
    return {
        "sessions": int(number["rtfilter_sessions"]),
        "tasks": int(number["rtfilter_tasks"]),
        "threads": process.num_threads(),
        "files": process.num_fds(),
        "rss_mib": round(process.memory_info().rss / 2**20, 1),
    }


async def settled(client: aiohttp.ClientSession, address: str, process: psutil.Process) -> dict[str, float]:
    """What the server holds once all sessions are over."""
    deadline_s = time.monotonic() + SETTLE_S
    while (await held(client, address, process))["sessions"] and time.monotonic() < deadline_s:
        await asyncio.sleep(1.0)
    await asyncio.sleep(2.0)
    return await held(client, address, process)


if __name__ == "__main__":
    common.run_as_program(main)
