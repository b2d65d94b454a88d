"""The server: `make_app` puts it together, `Server` runs it.

Called by `cli.serve`, `bench` and `cam_panel`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

from aiohttp import web

from rtfilter.errors import DeviceError
from rtfilter.presets import BUILT_IN, Preset
from rtfilter.profiles.profile import Profile
from rtfilter.serve.app.admission import Processors
from rtfilter.serve.app.api import Api
from rtfilter.serve.app.logs import ACCESS, AccessLogger, server_logger
from rtfilter.serve.app.metrics import CONTENT_TYPE, Metrics
from rtfilter.serve.app.pool import FilterPool
from rtfilter.serve.app.preset_store import PresetStore
from rtfilter.serve.app.profile_api import ProfileApi
from rtfilter.serve.app.session import Session
from rtfilter.serve.app.sessions import Sessions
from rtfilter.serve.app.whip import Whip
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.gate.security import body_limit, protect
from rtfilter.serve.gate.tls import ssl_context
from rtfilter.serve.gate.transports import check_versions
from rtfilter.system.threads import caught, start_thread
from rtfilter.system.version import __version__

SAMPLE_EVERY_S = 1.0
# The end waits so long for a filter that still loads: seconds, on a GPU more than ten.
CLOSE_S = 5.0
# Threads for encoders, and for filters that are loaded or closed.
WORKERS = 16

_log = logging.getLogger(__name__)

SESSIONS = web.AppKey("sessions", Sessions)


def openapi_document() -> dict[str, Any]:
    """The OpenAPI 3.1 description of the interface: `openapi.json` with the version of this program."""
    file = resources.files("rtfilter.serve.app") / "openapi.json"
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    document["info"]["version"] = __version__
    return document


def make_app(
    options: ServeOptions,
    *,
    presets: Mapping[str, Preset] = BUILT_IN,
    presets_folder: Path | None = None,
    pool: FilterPool | None = None,
    own_session: Callable[[Mapping[str, Preset]], Session] | None = None,
    profile: Profile | None = None,
    profiles_folder: Path | None = None,
) -> web.Application:
    """The whole server as an aiohttp application, with `Sessions` at `app[SESSIONS]`.

    Args:
        presets_folder: where clients save presets; None when they may not.
        pool: default one of its own, warmed up in the background; it is closed with the application.
        own_session: makes the only session, of a camera that the caller filters itself; called with the
            presets, on the event loop. No client can then open another one.
        profile: whose own skin a session paints at first.
        profiles_folder: of profiles that clients may use; default the user's.

    Raises:
        UsageError: with versions of aiortc or aioice that the guard of network addresses is not made for.
    """
    check_versions()
    mode = "serve" if own_session is None else "cam"
    metrics = Metrics()
    pool = pool or FilterPool()
    store = PresetStore(presets, presets_folder)
    sessions = Sessions(options, store.all, pool, metrics, profile)
    app = web.Application(client_max_size=body_limit(options.limits))
    protect(app, options)

    async def count_refusals(_: web.Request, response: web.StreamResponse) -> None:
        if response.status >= 400:
            metrics.refused(response.status)

    async def lifetime(_: web.Application) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(WORKERS, "rtfilter-serve"))
        if own_session is not None:
            sessions.add(own_session(store.all))
        else:
            warming = _in_a_thread("warm-up", pool.warm_up)
        sampling = asyncio.create_task(_sample(sessions.processors))
        yield
        sampling.cancel()
        await sessions.close_all("the server stopped")
        if own_session is None:
            if not (await asyncio.wait({warming}, timeout=CLOSE_S))[0]:
                _log.warning("a filter that was loading is given up after %g s", CLOSE_S)
            await loop.run_in_executor(None, pool.close)

    app.on_response_prepare.append(count_refusals)
    app.cleanup_ctx.append(lifetime)
    app[SESSIONS] = sessions
    app.add_routes(Api(options, sessions, mode, store).routes())
    app.add_routes(store.routes())
    app.add_routes(ProfileApi(options, sessions, profiles_folder).routes())
    app.add_routes(Whip(options, sessions, mode).routes())
    app.add_routes(_plain_routes(sessions, metrics))
    return app


def _in_a_thread(name: str, action: Callable[[], object]) -> asyncio.Future[None]:
    """Done when `action` is, whatever it raises. A daemon: nobody waits for it at the end of the program."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def finish() -> None:
        if not done.done():
            done.set_result(None)

    def run() -> None:
        caught(action)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(finish)

    start_thread(name, run)
    return done


async def _sample(processors: Processors) -> None:
    while True:
        await asyncio.sleep(SAMPLE_EVERY_S)
        processors.sample()


def _plain_routes(sessions: Sessions, metrics: Metrics) -> list[web.AbstractRouteDef]:
    folder = Path(str(resources.files("rtfilter.serve"))) / "static"
    # By name, so that no path of a request becomes one of the file system.
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    document = openapi_document()

    async def static(request: web.Request) -> web.FileResponse:
        path = files.get(request.match_info["filename"])
        if path is None:
            raise web.HTTPNotFound
        return web.FileResponse(path)

    async def index(_: web.Request) -> web.FileResponse:
        return web.FileResponse(folder / "index.html")

    async def icon(_: web.Request) -> web.FileResponse:
        return web.FileResponse(folder / "icon.svg")

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "sessions": sessions.count})

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def openapi(_: web.Request) -> web.Response:
        return web.json_response(document)

    return [
        web.get("/", index),
        web.get("/favicon.ico", icon),
        web.get("/healthz", health),
        web.get("/metrics", show_metrics),
        web.get("/openapi.json", openapi),
        web.get("/static/{filename:.+}", static),
    ]


class Server:
    """Runs an application until `stop`. notify: gets a line about the certificate, with TLS."""

    def __init__(
        self, options: ServeOptions, app: web.Application, notify: Callable[[str], object] | None = None
    ) -> None:
        self._options = options
        self._notify = notify
        self._app = app
        self._runner: web.AppRunner | None = None
        self.port = options.port

    @property
    def link(self) -> str:
        """The address with the token that opens the control panel."""
        options = self._options
        host = "127.0.0.1" if options.host in ("0.0.0.0", "localhost") else options.host
        if options.host == "::":
            host = "::1"
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if options.tls else 'http'}://{host}:{self.port}/#token={options.token}"

    async def start(self) -> None:
        """Listen. Raises DeviceError when the address can't be had, UsageError for a bad certificate."""
        context = ssl_context(self._options, self._notify)
        self._runner = web.AppRunner(
            self._app,
            access_log=logging.getLogger(ACCESS),
            access_log_class=AccessLogger,
            logger=server_logger(),
            shutdown_timeout=2.0,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._options.host, self._options.port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            await self.stop()
            raise DeviceError(
                f"cannot listen on {self._options.host}:{self._options.port} ({error.strerror or error}): is"
                " another program, or another rtfilter, there? Choose another port with --port"
            ) from error
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """End all sessions and stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
