"""The server: routes, start and stop. `make_app` for whoever embeds it, `Server` to run one."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any

from aiohttp import web

import rtfilter
from rtfilter.errors import DeviceError
from rtfilter.media.card import still_card
from rtfilter.presets import BUILT_IN, Preset
from rtfilter.serve.app.access_log import AccessLogger, server_logger
from rtfilter.serve.app.api import Api
from rtfilter.serve.app.filters import FilterPool
from rtfilter.serve.app.metrics import CONTENT_TYPE, Metrics
from rtfilter.serve.app.preset_store import PresetStore
from rtfilter.serve.app.session import Session
from rtfilter.serve.app.sessions import Sessions
from rtfilter.serve.app.whip import Whip
from rtfilter.serve.gate.networks import AllowedNetworks
from rtfilter.serve.gate.options import ServeOptions
from rtfilter.serve.gate.security import body_limit, protect
from rtfilter.serve.gate.tls import ssl_context
from rtfilter.serve.gate.transports import check_versions
from rtfilter.system.threads import caught

SAMPLE_EVERY_S = 1.0
STOP_S = 10.0
# Encoders, and filters that are loaded or closed.
WORKERS = 16

SESSIONS = web.AppKey("sessions", Sessions)
METRICS = web.AppKey("metrics", Metrics)

_log = logging.getLogger(__name__)
_access = logging.getLogger("rtfilter.serve.access")


def static_folder() -> Path:
    """Where the control panel's files are installed."""
    return Path(str(resources.files("rtfilter.serve"))) / "static"


def openapi_document() -> dict[str, Any]:
    """The OpenAPI 3.1 description of the interface: `openapi.json` with the version of this program."""
    file = resources.files("rtfilter.serve.app") / "openapi.json"
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    document["info"]["version"] = rtfilter.__version__
    return document


def make_app(
    options: ServeOptions,
    *,
    presets: Mapping[str, Preset] = BUILT_IN,
    presets_folder: Path | None = None,
    pool: FilterPool | None = None,
    mode: str = "serve",
    own_session: Callable[[Mapping[str, Preset]], Session] | None = None,
    routes: Iterable[web.AbstractRouteDef] = (),
) -> web.Application:
    """The whole server as an aiohttp application, with `Sessions` at `app[SESSIONS]`.

    pool: default one of its own, warmed up in the background; it is closed with the application.
    presets_folder: where clients save presets; None when they may not.
    mode: "serve", or "cam" when the one who embeds it feeds a session of its own, which `own_session` makes
        on the event loop. routes: further ones, which pass the same guards.

    Raises UsageError with an aiortc or aioice that the guard of network addresses does not know.
    """
    check_versions()
    metrics = Metrics()
    card = still_card(1280, 720, "Paused", "the picture comes back when it is switched on again")
    pool = pool or FilterPool()
    networks = AllowedNetworks(options)
    store = PresetStore(presets, presets_folder)
    sessions = Sessions(options, store.all, pool, networks, card, metrics)
    metrics.sessions = lambda: sessions.count
    app = web.Application(client_max_size=body_limit(options.limits))
    protect(app, options)

    async def count_refusals(_: web.Request, response: web.StreamResponse) -> None:
        if response.status >= 400:
            metrics.refused(response.status)

    app.on_response_prepare.append(count_refusals)
    app[SESSIONS] = sessions
    app[METRICS] = metrics
    app.add_routes(Api(options, sessions, mode, store).routes())
    app.add_routes(store.routes())
    app.add_routes(Whip(options, sessions, mode).routes())
    app.add_routes(routes)
    app.add_routes(_plain_routes(sessions, metrics))
    app.cleanup_ctx.append(_life_of(sessions, metrics, pool if mode == "serve" else None, own_session))
    return app


def _plain_routes(sessions: Sessions, metrics: Metrics) -> list[web.AbstractRouteDef]:
    folder = static_folder()
    # By name, so that no path from outside ever becomes one of the file system.
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}

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

    document = openapi_document()

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


def _life_of(
    sessions: Sessions,
    metrics: Metrics,
    pool: FilterPool | None,
    own_session: Callable[[Mapping[str, Preset]], Session] | None,
) -> Callable[[web.Application], AsyncIterator[None]]:
    async def life(_: web.Application) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        executor = ThreadPoolExecutor(WORKERS, "rtfilter-serve")
        loop.set_default_executor(executor)
        warming = loop.run_in_executor(None, caught, pool.warm_up) if pool is not None else None
        if own_session is not None:
            sessions.add_own(own_session(sessions.presets))
        sampling = asyncio.create_task(_sample(metrics))
        yield
        sampling.cancel()
        await sessions.close_all("the server stopped")
        if warming is not None:
            await warming
        if pool is not None:
            await loop.run_in_executor(None, pool.close)

    return life


async def _sample(metrics: Metrics) -> None:
    while True:
        await asyncio.sleep(SAMPLE_EVERY_S)
        metrics.processors.sample()


class Server:
    """Runs an application until `stop`. tell: gets a line about the certificate, with TLS."""

    def __init__(
        self, options: ServeOptions, app: web.Application, tell: Callable[[str], object] | None = None
    ) -> None:
        self._options = options
        self._tell = tell
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
        context = ssl_context(self._options, self._tell)
        self._runner = web.AppRunner(
            self._app,
            access_log=_access,
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
            raise _cannot_listen(self._options, error) from error
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """End all sessions and stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


def _cannot_listen(options: ServeOptions, error: OSError) -> DeviceError:
    where = f"{options.host}:{options.port}"
    return DeviceError(
        f"cannot listen on {where} ({error.strerror or error}): is another program, or another rtfilter,"
        " there? Choose another port with --port"
    )
