"""Connect, take a few pictures, leave; two hundred times and more: what does a server keep of it?

`python -m bench.soak --minutes 10` starts `rtfilter serve` and counts, before and after, its memory,
threads, open files (sockets among them) and event-loop tasks. The result goes to bench/results/soak.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import aiohttp
import av
import psutil
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from rtfilter.sources.demo import DemoSource
from rtfilter.system.machine import machine_facts, versions
from rtfilter.system.tied import tied_command

RESULT = Path(__file__).parent / "results" / "soak.json"
WIDTH, HEIGHT, FPS = 640, 360, 30
PICTURES = 10
# The first cycles load filters and fill caches; growth is counted from there on.
WARM_UP_CYCLES = 20
# A peer that vanishes is missed when its consent checks stop being answered, after half a minute.
SETTLE_S = 45.0
RUDE_EVERY = 10
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Held:
    """What the server's process holds."""

    sessions: int
    tasks: int
    threads: int
    files: int
    rss_mib: float


class DemoTrack(MediaStreamTrack):
    """Demo pictures at their rate."""

    kind = "video"

    def __init__(self, pictures: list[av.VideoFrame]) -> None:
        super().__init__()
        self._pictures = pictures
        self._count = 0
        self._started_s = time.monotonic()

    async def recv(self) -> av.VideoFrame:
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(max(0.0, self._started_s + self._count / FPS - time.monotonic()))
        shown = self._pictures[self._count % len(self._pictures)]
        picture = shown.reformat(format="yuv420p")
        picture.pts, picture.time_base = self._count * 90_000 // FPS, Fraction(1, 90_000)
        self._count += 1
        return picture


def demo_pictures(count: int = FPS) -> list[av.VideoFrame]:
    """The demo's first pictures as 4:2:0."""
    source = DemoSource(width=WIDTH, height=HEIGHT, frame_count=count)
    frames = [av.VideoFrame.from_ndarray(source.frame(n).rgb, format="rgb24") for n in range(count)]
    source.close()
    return [frame.reformat(format="yuv420p") for frame in frames]


async def visit(
    client: aiohttp.ClientSession, address: str, pictures: list[av.VideoFrame], number: int
) -> float:
    """One connection: offer, some filtered pictures, and the leaving. Seconds to the first picture."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTrack(DemoTrack(pictures))
    connection.createDataChannel("rtfilter")
    try:
        started_s = time.monotonic()
        await connection.setLocalDescription(await connection.createOffer())
        offer = {"sdp": connection.localDescription.sdp, "type": "offer"}
        body = await admitted(client, address, offer)
        await connection.setRemoteDescription(RTCSessionDescription(body["sdp"], "answer"))
        track = connection.getReceivers()[0].track
        first_s = 0.0
        for count in range(PICTURES):
            await asyncio.wait_for(track.recv(), 15.0)
            if count == 0:
                first_s = time.monotonic() - started_s
        if number % 3 == 0:
            async with client.delete(f"{address}/api/sessions/{body['id']}") as deleted:
                assert deleted.status == 204
        return first_s
    finally:
        if number % RUDE_EVERY == RUDE_EVERY - 1:
            await hang_up_rudely(connection)
        await connection.close()


async def admitted(client: aiohttp.ClientSession, address: str, offer: dict[str, str]) -> dict[str, str]:
    """The answer to an offer; a server that has no room just now is asked again, as its answer says."""
    for _ in range(ATTEMPTS):
        async with client.post(f"{address}/api/sessions", json=offer) as answered:
            body: dict[str, str] = await answered.json()
            if answered.status == 201:
                return body
            if answered.status != 503:
                break
            wait_s = float(answered.headers["Retry-After"])
        await asyncio.sleep(wait_s)
    raise RuntimeError(f"not let in: {answered.status} {body}")


async def hang_up_rudely(connection: RTCPeerConnection) -> None:
    """Close the sockets under the connection, so that no goodbye reaches the server."""
    for transceiver in connection.getTransceivers():
        await transceiver.receiver.transport.transport._connection.close()


async def held(client: aiohttp.ClientSession, address: str, process: psutil.Process) -> Held:
    """What the server holds now."""
    async with client.get(f"{address}/metrics") as answered:
        text = await answered.text()
    number = {name: float(value) for name, value in re.findall(r"^(rtfilter_\w+) ([\d.e+]+)$", text, re.M)}
    return Held(
        sessions=int(number["rtfilter_sessions"]),
        tasks=int(number["rtfilter_tasks"]),
        threads=process.num_threads(),
        files=process.num_fds(),
        rss_mib=round(process.memory_info().rss / 2**20, 1),
    )


async def settled(client: aiohttp.ClientSession, address: str, process: psutil.Process) -> Held:
    """What the server holds once all sessions are over."""
    deadline_s = time.monotonic() + SETTLE_S
    while (await held(client, address, process)).sessions and time.monotonic() < deadline_s:
        await asyncio.sleep(1.0)
    await asyncio.sleep(2.0)
    return await held(client, address, process)


async def soak(minutes: float, cycles: int) -> dict[str, Any]:
    """Both are least amounts: at least so long, and at least so often."""
    token = "soak-" + "0" * 20
    server = await asyncio.create_subprocess_exec(
        *tied_command(["-m", "rtfilter", "serve", "--port", "0", "--token", token]),
        *("--emotion", "happy=0.8", "--sessions-per-address", "16"),
        stdin=asyncio.subprocess.PIPE,  # held open until this process ends
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert server.stdout is not None
    try:
        address = ""
        while not address:
            line = (await server.stdout.readline()).decode()
            found = re.search(r"(http://[\d.:]+)/#token=", line)
            address = found.group(1) if found else ""
        process = psutil.Process(server.pid)
        pictures = demo_pictures()
        first_s: list[float] = []
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(headers=headers) as client:
            for number in range(WARM_UP_CYCLES):
                await visit(client, address, pictures, number)
            before = await settled(client, address, process)
            started_s = time.monotonic()
            number = 0
            minute_by_minute = [before]
            while number < cycles or time.monotonic() - started_s < minutes * 60:
                first_s.append(await visit(client, address, pictures, number))
                number += 1
                if time.monotonic() - started_s >= 60 * len(minute_by_minute):
                    minute_by_minute.append(await held(client, address, process))
            took_s = time.monotonic() - started_s
            after = await settled(client, address, process)
    finally:
        server.terminate()
        await server.wait()
    first_s.sort()
    return {
        "cycles": number,
        "minutes": round(took_s / 60, 1),
        "first_picture_s": {
            "p50": round(first_s[len(first_s) // 2], 3),
            "p95": round(first_s[int(len(first_s) * 0.95)], 3),
        },
        "before": asdict(before),
        "after": asdict(after),
        # With visitors still there, or missed for less than half a minute.
        "rss_mib_minute_by_minute": [now.rss_mib for now in minute_by_minute],
        "threads_minute_by_minute": [now.threads for now in minute_by_minute],
        "machine": machine_facts(),
        "versions": versions(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Connect and leave again and again; what is left behind?")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    document = asyncio.run(soak(arguments.minutes, arguments.cycles))
    arguments.output.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps({key: document[key] for key in ("cycles", "minutes", "before", "after")}, indent=2))


if __name__ == "__main__":
    main()
