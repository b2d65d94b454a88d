"""WHIP (RFC 9725) in, WHEP out: what OBS, GStreamer and FFmpeg publish with, and players watch with."""

from __future__ import annotations

import re
import secrets

from aiohttp import web

from rtfilter.serve.options import ServeOptions
from rtfilter.serve.refusals import RefusedError
from rtfilter.serve.sdp_guard import checked_sdp
from rtfilter.serve.sessions import Sessions

DEFAULT_NAME = "main"
NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"


class Whip:
    """Handlers by route. Resources are named by a secret, so that only who made one can end it."""

    def __init__(self, options: ServeOptions, sessions: Sessions) -> None:
        self._options = options
        self._sessions = sessions
        # Secret of a publisher by the name of its stream.
        self._publishers: dict[str, str] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/whip", self.publish),
            web.post("/whip/{name}", self.publish),
            web.options("/whip", self.options),
            web.options("/whip/{name}", self.options),
            web.patch("/whip/{name}/{secret}", self.trickle),
            web.delete("/whip/{name}/{secret}", self.unpublish),
            web.post("/whep/{name}", self.watch),
            web.options("/whep/{name}", self.options),
            web.patch("/whep/{name}/{secret}", self.trickle),
            web.delete("/whep/{name}/{secret}", self.unwatch),
        ]

    async def options(self, _: web.Request) -> web.Response:
        return web.Response(status=204, headers={"Accept-Post": SDP})
