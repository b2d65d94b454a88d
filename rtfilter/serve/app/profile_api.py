"""`ProfileApi`: profiles and enrolment over HTTP, for the sessions of a server. Called by `server`.

Profiles are those of the user who runs the server; whoever may use them here may use all of them, so that a
server that others can reach offers them only when its operator says so (`ServeOptions.offers_profiles`).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from aiohttp import web

from rtfilter.profiles.preview import encoded_preview
from rtfilter.profiles.profile import Profile
from rtfilter.profiles.seal import PassphraseError
from rtfilter.profiles.store import check_name
from rtfilter.serve.app.enrolment import Enrolment
from rtfilter.serve.app.messages import parse_object
from rtfilter.serve.app.pipeline import Filtered
from rtfilter.serve.app.profile_files import EnrolmentRequest, deleted, listed, opened, passphrase_in
from rtfilter.serve.app.session import Session
from rtfilter.serve.app.sessions import Sessions
from rtfilter.serve.app.shapes import Json
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.system.latest import Latest

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OFF = "profiles are off here, because others can reach this server: its operator allows them with --profiles"


class ProfileApi:
    """Handlers by route. folder: of the profiles; default the user's. One enrolment at a time."""

    def __init__(self, options: ServeOptions, sessions: Sessions, folder: Path | None = None) -> None:
        self._options, self._sessions, self._folder = options, sessions, folder
        self._enrolling: Enrolment | None = None
        self._enrolled: Session | None = None
        self._beginning = False
        # A guess of a passphrase costs 32 MB and a tenth of a second: one at a time.
        self._opening = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        one = "/api/sessions/{id}"
        return [
            web.get("/api/profiles", self._allowed(self._list)),
            web.delete("/api/profiles/{name}", self._allowed(self._delete)),
            web.get(f"{one}/profile", self._allowed(self._report)),
            web.put(f"{one}/profile", self._allowed(self._wear)),
            web.get(f"{one}/enrolment", self._allowed(self._show)),
            web.post(f"{one}/enrolment", self._allowed(self._enrol)),
            web.delete(f"{one}/enrolment", self._allowed(self._stop)),
        ]

    def _allowed(self, handler: Handler) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            if not self._options.offers_profiles:
                raise RefusedError(403, OFF)
            return await handler(request)

        return checked

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response({"profiles": await _aside(partial(listed, self._folder))})

    async def _delete(self, request: web.Request) -> web.Response:
        name = check_name(request.match_info["name"])
        if self._enrolling is not None and self._enrolling.name == name:
            raise RefusedError(409, f"{name} is being enrolled: stop that first")
        await _aside(partial(deleted, self._folder, name))
        self._sessions.replace_profile(name, None)
        return web.Response(status=204)

    async def _report(self, request: web.Request) -> web.Response:
        profile = self._session(request).profile.newest
        if profile is None:
            raise RefusedError(404, "this session paints nobody's own skin: choose a profile first")
        picture = await _aside(partial(encoded_preview, profile, ".jpg"))
        return web.json_response(
            {
                "name": profile.name,
                "created": profile.created,
                "report": profile.quality.lines(),
                "quality": profile.quality.as_dict(),
                "preview": f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}",
            }
        )

    async def _wear(self, request: web.Request) -> web.Response:
        session = self._session(request)
        body = parse_object(await request.text())
        name, passphrase = body.get("name"), passphrase_in(body)
        if "name" not in body or not isinstance(name, str | None):
            raise RefusedError(400, 'expected {"name": "me", "passphrase"?: text} or {"name": null}')
        profile = None
        if name is not None:
            async with self._opening:
                profile = await _aside(partial(opened, self._folder, check_name(name), passphrase))
        session.wear(profile)
        return web.json_response(session.describe()["profile"])

    async def _show(self, request: web.Request) -> web.Response:
        enrolment = self._session(request).describe()["enrolment"]
        if enrolment is None:
            raise RefusedError(404, "nobody is being enrolled in this session")
        return web.json_response(enrolment)

    async def _enrol(self, request: web.Request) -> web.Response:
        session = self._session(request)
        wanted = EnrolmentRequest.of(parse_object(await request.text()))
        if self._enrolling is not None or self._beginning:
            name = self._enrolling.name if self._enrolling is not None else "somebody"
            raise RefusedError(409, f"{name} is being enrolled, one at a time: wait, or stop that")
        self._beginning = True
        pictures = session.results.subscribe()
        try:
            enrolment = await _aside(partial(self._begun, wanted, session, pictures))
        except BaseException:
            session.results.unsubscribe(pictures)
            raise
        finally:
            self._beginning = False
        self._enrolling, self._enrolled = enrolment, session
        enrolment.start()
        headers = {"Location": f"/api/sessions/{session.id}/enrolment"}
        return web.json_response(enrolment.describe(), status=201, headers=headers)

    def _begun(self, wanted: EnrolmentRequest, session: Session, pictures: Latest[Filtered]) -> Enrolment:
        """Blocks on the disk: what was gathered before is read."""
        loop = session.loop

        def tell(state: Json) -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(session.tell, "enrolment", state)

        def over(profile: Profile | None) -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._over, session, pictures, profile)

        store = wanted.store(self._folder)
        try:
            return Enrolment(wanted.name, store, wanted.seconds, pictures, lambda: session.paused, tell, over)
        except PassphraseError as error:
            raise RefusedError(
                403,
                f"what was gathered for {wanted.name} is locked: give the passphrase that it was begun with, "
                "or begin anew",
            ) from error

    def _over(self, session: Session, pictures: Latest[Filtered], profile: Profile | None) -> None:
        self._enrolling = None
        session.results.unsubscribe(pictures)
        if profile is not None:
            self._sessions.replace_profile(profile.name, profile)
            session.wear(profile)

    async def _stop(self, request: web.Request) -> web.Response:
        session = self._session(request)
        if self._enrolling is None or self._enrolled is not session:
            session.tell("enrolment", None)
        elif self._enrolling.learning:
            raise RefusedError(409, "it is learning already: in some seconds there is a profile to delete")
        else:
            self._enrolling.stop()
        return web.Response(status=204)

    def _session(self, request: web.Request) -> Session:
        return self._sessions.find(request.match_info["id"])


async def _aside(action: Callable[[], T]) -> T:
    """What `action`, which blocks, gives, in a thread of the loop's executor."""
    return await asyncio.get_running_loop().run_in_executor(None, action)
