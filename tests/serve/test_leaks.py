"""Visitors come and go, politely and not: nothing of them stays. The long run of this is bench/soak.py."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path

import aiohttp
import pytest

from rtfilter.bench.soak import RUDE_EVERY, SIZE, visit
from rtfilter.bench.webrtc_camera import demo_pictures
from rtfilter.controls import Controls
from rtfilter.serve.app.pipeline import FilterPipeline
from rtfilter.serve.app.server import SESSIONS, Server, make_app
from rtfilter.serve.app.sessions import TIDY_AFTER_S, Sessions
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.rtc.encoders import PictureEncoder

TOKEN = "a-token-of-the-tests"
FILES = Path("/proc/self/fd")
# Filters and workers are made on demand and kept; three visits make all that one visitor at a time needs.
WARM_UP, VISITS = 3, 6
# A visitor of this number closes its sockets, and ends nothing.
RUDE = 2 * RUDE_EVERY - 1
SETTLE_S = 60.0


def held() -> tuple[int, int, int]:
    """Event-loop tasks, threads of ours and aiortc's that belong to a visit, open files."""
    visit_threads = [
        thread.name
        for thread in threading.enumerate()
        if thread.name.endswith("-decoder") or thread.name == "rtfilter-filter"
    ]
    return len(asyncio.all_tasks()), len(visit_threads), len(list(FILES.iterdir()))


def leftovers() -> int:
    """How many filters and encoders of connections are still in memory."""
    # By type: isinstance asks weak proxies of other packages for a class that may be gone.
    return sum(issubclass(type(each), (FilterPipeline, PictureEncoder)) for each in gc.get_objects())


async def settled(sessions: Sessions) -> tuple[int, int, int]:
    """What is held once the last session is over; a rude visitor is missed after half a minute."""

    async def empty() -> None:
        while sessions.count:
            await asyncio.sleep(0.2)

    await asyncio.wait_for(empty(), SETTLE_S)
    await asyncio.sleep(TIDY_AFTER_S + 1.0)
    return held()


async def visits() -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    options = ServeOptions(port=0, token=TOKEN, controls=Controls(emotions={"happy": 0.8}))
    app = make_app(options)
    server = Server(options, app)
    await server.start()
    pictures = demo_pictures(*SIZE, 10)
    address = f"http://127.0.0.1:{server.port}"
    try:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            for number in range(WARM_UP):
                await visit(client, address, pictures, number)
            before = await settled(app[SESSIONS])
            left_before = leftovers()
            for number in range(VISITS):
                # The last one leaves without a goodbye.
                await visit(client, address, pictures, RUDE if number == VISITS - 1 else number)
            after = await settled(app[SESSIONS])
            # Both ends of a visit are in this process: a filter and two encoders. On a busy machine the last
            # one's may come free after the server's last collection, and wait for the next visitor's.
            assert leftovers() <= left_before + 3
            return before, after
    finally:
        await server.stop()


@pytest.mark.skipif(not FILES.is_dir(), reason="needs /proc/self/fd (Linux) to count open files")
def test_visitors_leave_nothing_behind() -> None:
    before, after = asyncio.run(visits())
    # Fewer is right too: the client's kept connection to the server, a task there, may have timed out.
    assert after[0] <= before[0], f"tasks: {before[0]} before, {after[0]} after"
    assert after[1] == before[1] == 0, f"threads of visits: {before[1]} before, {after[1]} after"
    # The executor may still be growing towards its fixed size, and each worker has a selector or two.
    assert after[2] <= before[2] + 2, f"open files: {before[2]} before, {after[2]} after"
