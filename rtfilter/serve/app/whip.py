"""WHIP (RFC 9725) for publishers such as OBS and GStreamer, WHEP for players. Called by `server`."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from aiohttp import web

from rtfilter.serve.app.api import OWN_CAMERA
from rtfilter.serve.app.peer import Peer
from rtfilter.serve.app.sessions import Sessions
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.serve.gate.sdp_offer import CheckedOffer, checked_offer
from rtfilter.serve.gate.sdp_transport import TrickleFragment, checked_candidates

DEFAULT_NAME = "main"
NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
# A player that came before its publisher may try again after so long (WHEP's 409).
RETRY_AFTER_S = 2
# A publisher that sends nothing for so long may be replaced by one of its name; a live one may not.
SILENT_S = 3.0
GONE = "no such stream: it ended, or the server was started anew; POST again"


@dataclass(frozen=True, slots=True)
class Resource:
    """The result of one POST. etag: of its only ICE session, quoted. ufrags: of the peer's offer."""

    protocol: str
    name: str
    peer: Peer
    etag: str
    ufrags: frozenset[str]


class Whip:
    """Handlers by route. Resources are named by a secret, so that only their maker can end one here."""

    def __init__(self, options: ServeOptions, sessions: Sessions, mode: str = "serve") -> None:
        self._options = options
        self._sessions = sessions
        self._mode = mode
        self._resources: dict[str, Resource] = {}

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
        session, answer = await self._sessions.open_peer("whip", offer, address, name=name)
        peer = self._sessions.peer(session.id)
        return self._created(secrets.token_urlsafe(18), "whip", name, peer, offer, answer)

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
        secret, answer = await self._sessions.open_watcher(name, offer, address)
        return self._created(secret, "whep", name, self._sessions.peer(name, secret), offer, answer)

    async def trickle(self, request: web.Request) -> web.Response:
        """Add the peer's candidates. An ICE restart is refused with 422: aiortc has none."""
        resource = self._resource(request)
        text = await _text(request, FRAGMENT)
        _match_etag(request, resource.etag)
        networks = self._sessions.networks_for(request.remote or "")
        fragment = checked_candidates(text, self._options.limits, networks)
        _refuse_restart(fragment, resource)
        for candidate in fragment.candidates:
            await resource.peer.connection.addIceCandidate(candidate)
        return web.Response(status=204, headers={"ETag": resource.etag})

    async def end(self, request: web.Request) -> web.Response:
        """End a stream, and with a publisher's its watchers."""
        resource = self._resource(request)
        secret = request.match_info["secret"]
        del self._resources[secret]
        if resource.protocol == "whip":
            await self._sessions.close(resource.name, "ended by its publisher")
        else:
            await self._sessions.close_watcher(resource.name, secret)
        return web.Response(status=200)

    def _created(
        self, secret: str, protocol: str, name: str, peer: Peer | None, offer: CheckedOffer, answer: str
    ) -> web.Response:
        if peer is None:
            raise RefusedError(404, GONE)
        # Resources that ended otherwise are removed here, so that there are never more than peers.
        self._resources = {key: each for key, each in self._resources.items() if self._is_there(key, each)}
        etag = f'"{secrets.token_urlsafe(9)}"'
        self._resources[secret] = Resource(protocol, name, peer, etag, offer.ufrags)
        headers = {"Location": f"/{protocol}/{name}/{secret}", "ETag": etag, "Accept-Patch": FRAGMENT}
        return web.Response(status=201, text=answer, content_type=SDP, headers=headers)

    def _is_there(self, secret: str, resource: Resource) -> bool:
        watcher_id = secret if resource.protocol == "whep" else None
        return self._sessions.peer(resource.name, watcher_id) is resource.peer

    def _resource(self, request: web.Request) -> Resource:
        """The resource of the path. Raises RefusedError 404, also for one that ended."""
        secret = request.match_info["secret"]
        resource = self._resources.get(secret)
        expected = None if resource is None else f"/{resource.protocol}/{resource.name}/{secret}"
        if resource is None or request.path != expected or not self._is_there(secret, resource):
            raise RefusedError(404, GONE)
        return resource


def _name(request: web.Request) -> str:
    name = request.match_info.get("name", DEFAULT_NAME)
    if not NAME.fullmatch(name):
        raise RefusedError(404, "a stream's name has 1 to 40 letters, digits, - and _: choose such a one")
    return name


async def _text(request: web.Request, content_type: str) -> str:
    if request.content_type != content_type:
        raise RefusedError(415, f"Content-Type {request.content_type[:60]!r}: expected {content_type}")
    try:
        return (await request.read()).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError(400, f"the body is no UTF-8 text: byte {error.start}") from None


def _match_etag(request: web.Request, etag: str) -> None:
    """RFC 9725, section 4.3.1: 428 without If-Match, 412 for another ICE session's."""
    given = ",".join(request.headers.getall("If-Match", []))
    if not given:
        raise RefusedError(428, "PATCH without If-Match: expected the ETag that POST answered with")
    if given.strip() != "*" and etag not in [each.strip() for each in given.split(",")]:
        raise RefusedError(412, "If-Match names another ICE session: expected the ETag of POST's answer")


def _refuse_restart(fragment: TrickleFragment, resource: Resource) -> None:
    """RFC 9725, section 4.3.1: 422 for what PATCH is not supported for; the stream goes on."""
    if not fragment.ufrags <= resource.ufrags:
        raise RefusedError(422, "ICE restarts are not supported: DELETE this stream and POST a new offer")
