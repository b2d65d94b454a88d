"""WHIP (RFC 9725) for publishers such as OBS and GStreamer, WHEP for players. Called by `server`."""

from __future__ import annotations

import re

from aiohttp import web

from rtfilter.serve.app.api import OWN_CAMERA
from rtfilter.serve.app.peer import Peer
from rtfilter.serve.app.sessions import Sessions
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.serve.gate.sdp_offer import checked_offer
from rtfilter.serve.gate.sdp_transport import checked_candidates

DEFAULT_NAME = "main"
NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
# A player that came before its publisher may try again after so long (WHEP's 409).
RETRY_AFTER_S = 2
# A publisher that sends nothing for so long may be replaced by one of its name; a live one may not.
SILENT_S = 3.0


class Whip:
    """Handlers by route. Resources are named by a secret, so that only their maker can end one here."""

    def __init__(self, options: ServeOptions, sessions: Sessions, mode: str = "serve") -> None:
        self._options = options
        self._sessions = sessions
        self._mode = mode

    def routes(self) -> list[web.RouteDef]:
        """OPTIONS is not among them: the middleware answers it for every path."""
        whip, whep = "/whip/{name}", "/whep/{name}"
        return [
            web.post("/whip", self.publish),
            web.post(whip, self.publish),
            web.patch(f"{whip}/{{secret}}", self.trickle),
            web.delete(f"{whip}/{{secret}}", self.end),
            web.post(whep, self.watch),
            web.patch(f"{whep}/{{secret}}", self.trickle),
            web.delete(f"{whep}/{{secret}}", self.end),
        ]

    async def publish(self, request: web.Request) -> web.Response:
        """Open a session of that name, fed by the peer's stream."""
        if self._mode != "serve":
            raise RefusedError(409, OWN_CAMERA)
        name = _name(request)
        address = request.remote or ""
        networks = self._sessions.networks_for(address)
        offer = checked_offer(await _text(request, SDP), "whip", self._options.limits, networks)
        await self._replace_silent(name)
        _, peer, answer = await self._sessions.open_peer("whip", offer, address, name=name)
        return _created("whip", name, peer, answer)

    async def _replace_silent(self, name: str) -> None:
        """End a session of that name that gets no pictures: its publisher crashed, and is now back."""
        if self._sessions.has(name):
            session = self._sessions.find(name)
            if session.kind == "whip" and session.silent_s > SILENT_S:
                await self._sessions.close(name, "its publisher came back")

    async def watch(self, request: web.Request) -> web.Response:
        """Send the filtered stream of a name, or of a session's id, to one more peer."""
        name = _name(request)
        if not self._sessions.has(name):
            # The draft's answer to a player that comes before the publisher; players try again by it.
            raise RefusedError(
                409, f"nobody sends {name!r} now: start its publisher, then try again", RETRY_AFTER_S
            )
        address = request.remote or ""
        networks = self._sessions.networks_for(address)
        offer = checked_offer(await _text(request, SDP), "whep", self._options.limits, networks)
        peer, answer = await self._sessions.open_watcher(name, offer, address)
        return _created("whep", name, peer, answer)

    async def trickle(self, request: web.Request) -> web.Response:
        """Add the peer's candidates. An ICE restart is refused with 422: aiortc has none."""
        peer = self._peer(request)
        text = await _text(request, FRAGMENT)
        _match_etag(request, peer.etag)
        networks = self._sessions.networks_for(request.remote or "")
        fragment = checked_candidates(text, self._options.limits, networks)
        if not fragment.ufrags <= peer.ufrags:
            # RFC 9725, section 4.3.1: for what PATCH is not supported for; the stream goes on.
            raise RefusedError(422, "ICE restarts are not supported: DELETE this stream and POST a new offer")
        for candidate in fragment.candidates:
            await peer.connection.addIceCandidate(candidate)
        return web.Response(status=204, headers={"ETag": peer.etag})

    async def end(self, request: web.Request) -> web.Response:
        """End a watcher's connection; a publisher's with its session and watchers."""
        peer, name = self._peer(request), request.match_info["name"]
        if _is_whip(request):
            await self._sessions.close(name, "ended by its publisher")
        else:
            await self._sessions.close_watcher(name, peer.secret)
        return web.Response(status=200)

    def _peer(self, request: web.Request) -> Peer:
        """The peer of the path. Raises RefusedError 404, also for one that ended."""
        name, secret = request.match_info["name"], request.match_info["secret"]
        peer = self._sessions.peer(name, None if _is_whip(request) else secret)
        if peer is None or peer.secret != secret:
            raise RefusedError(404, "no such stream: it ended, or the server was started anew; POST again")
        return peer


def _created(protocol: str, name: str, peer: Peer, answer: str) -> web.Response:
    headers = {
        "Location": f"/{protocol}/{name}/{peer.secret}",
        "ETag": peer.etag,
        "Accept-Patch": FRAGMENT,
    }
    return web.Response(status=201, text=answer, content_type=SDP, headers=headers)


def _is_whip(request: web.Request) -> bool:
    return request.path.startswith("/whip/")


def _name(request: web.Request) -> str:
    name = request.match_info.get("name", DEFAULT_NAME)
    if not NAME.fullmatch(name):
        raise RefusedError(404, "a stream's name has 1 to 40 letters, digits, - and _: choose such a one")
    return name


async def _text(request: web.Request, content_type: str) -> str:
    if request.content_type != content_type:
        raise RefusedError(415, f"Content-Type {request.content_type[:60]!r}: expected {content_type}")
    return await request.text()


def _match_etag(request: web.Request, etag: str) -> None:
    """RFC 9725, section 4.3.1: 428 without If-Match, 412 for another ICE session's."""
    given = ",".join(request.headers.getall("If-Match", []))
    if not given:
        raise RefusedError(428, "PATCH without If-Match: expected the ETag that POST answered with")
    if given.strip() != "*" and etag not in [each.strip() for each in given.split(",")]:
        raise RefusedError(412, "If-Match names another ICE session: expected the ETag of POST's answer")
