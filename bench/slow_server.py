"""`python -m rtfilter.bench.slow_server`: the product's server with a filter that is slower than its input.

Run by `bench.webrtc`, which measures whether the age of its pictures stays bounded.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import time

from rtfilter.controls import Controls
from rtfilter.filter import FaceFilter, StepResult
from rtfilter.frame import Frame
from rtfilter.gpu.lane import People
from rtfilter.serve.app.pool import FilterPool
from rtfilter.serve.app.server import Server, make_app
from rtfilter.serve.gate.options import ServeOptions


class SlowFilter(FaceFilter):
    """Takes `delay_s` longer for every frame."""

    delay_s = 0.05

    def step(self, frame: Frame, controls: Controls, people: People | None = None) -> StepResult:
        time.sleep(self.delay_s)
        return super().step(frame, controls, people)


async def serve() -> None:
    """Serve on a free port, printed on standard output, until the process is ended."""
    options = ServeOptions(port=0, token=secrets.token_urlsafe(24))
    server = Server(options, make_app(options, pool=FilterPool(SlowFilter)))
    await server.start()
    print(server.link, flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m rtfilter.bench.slow_server", description=__doc__)
    parser.add_argument("--delay-ms", type=float, default=50.0, help="a frame (default 50)")
    SlowFilter.delay_s = parser.parse_args().delay_ms / 1000.0
    asyncio.run(serve())
