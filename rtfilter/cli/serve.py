"""`rtfilter serve`, the WebRTC server with its control panel; and the panel of `rtfilter cam`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import os
import secrets
import sys
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rtfilter.cli.settings import chosen_editor, chosen_lane, chosen_profile, controls_for, settings_for
from rtfilter.cli.terminal import announce
from rtfilter.config import presets_dir
from rtfilter.controls import Controls
from rtfilter.errors import MissingExtraError, OutputError, UsageError
from rtfilter.gpu.choose import LaneChoice
from rtfilter.presets import load_presets
from rtfilter.system.installation import install_extra
from rtfilter.system.threads import stop_on_signals

if TYPE_CHECKING:
    from rtfilter.profiles.profile import Profile
    from rtfilter.serve.app.cam_panel import CamPanel, Job
    from rtfilter.serve.app.pool import FilterPool
    from rtfilter.serve.gate.options import ServeOptions

# The longest wait of the event loop's thread for the interpreter, while a filter's thread runs Python.
SWITCH_INTERVAL_S = 0.0005
PACKAGES = ("aiohttp", "aiortc", "cryptography", "prometheus_client")


class Stop:
    """Told by a signal, at any moment from the first import on, that the server shall end.

    Noted, not raised: an exception between any two lines of an event loop, or of a module that loads, may be
    lost, or end a task that others wait for.
    """

    def __init__(self) -> None:
        self.told = False
        self._wake: Callable[[], object] | None = None

    def tell(self) -> None:
        """Called by the signal's handler, between any two lines of the main thread."""
        self.told = True
        if self._wake is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._wake()

    async def wait(self, timeout_s: float | None) -> None:
        """Return once told, or after `timeout_s`."""
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        self._wake = partial(loop.call_soon_threadsafe, stopping.set)
        if self.told:  # perhaps before there was somebody to wake
            return
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stopping.wait(), timeout_s)


def serve(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C, SIGTERM, SIGHUP, or `--duration`."""
    require_serve_extra()
    stop = Stop()
    with stop_on_signals(stop.tell) as came:
        ready = _serve_until(stop, arguments)
    if not ready:
        raise KeyboardInterrupt(*came[:1])
    return 0


def _serve_until(stop: Stop, arguments: argparse.Namespace) -> bool:
    """Whether the server was up before it was told to stop."""
    from rtfilter.serve.app.logs import set_up_logs

    options = options_of(arguments)
    set_up_logs(arguments.log_format, quiet=arguments.quiet, token=options.token)
    values = settings_for(arguments).values
    lane, editor = chosen_lane(arguments, values), chosen_editor(values)
    profile = chosen_profile(arguments, values)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    return not stop.told and asyncio.run(_serve(arguments, options, lane, editor, profile, stop))


def require_serve_extra() -> None:
    """Raises MissingExtraError unless the packages of the `serve` extra are installed."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"serving needs {', '.join(missing)}: {install_extra('serve')}")


def options_of(arguments: argparse.Namespace) -> ServeOptions:
    """The options of parsed arguments. Raises UsageError with what was expected."""
    from rtfilter.serve.gate.options import Limits, ServeOptions

    settings = settings_for(arguments)
    limits = Limits(sessions=arguments.sessions, sessions_per_address=arguments.sessions_per_address)
    return ServeOptions(
        host=arguments.host,
        port=arguments.port,
        token=token_of(arguments),
        tls=arguments.tls or arguments.certificate is not None,
        certificate=Path(arguments.certificate) if arguments.certificate else None,
        key=Path(arguments.key) if arguments.key else None,
        allowed_hosts=tuple(arguments.allow_host or ()),
        allowed_origins=tuple(arguments.allow_origin or ()),
        ice_networks=tuple(arguments.ice_network or ()),
        codec=arguments.video_codec,
        bitrate_bps=round(arguments.bitrate * 1000),
        limits=limits,
        controls=controls_for(settings),
        profiles=arguments.profiles,
        faces=settings.values.get("faces", 1),
    )


def token_of(arguments: argparse.Namespace) -> str:
    """The token of the command line or of its file, or a new one. Raises UsageError or OutputError."""
    if arguments.token is not None and arguments.token_file is not None:
        raise UsageError("--token and --token-file: expected one of them")
    if arguments.token is not None:
        return str(arguments.token)
    if arguments.token_file is not None:
        return kept_token(Path(arguments.token_file))
    return secrets.token_urlsafe(24)


def kept_token(path: Path) -> str:
    """The token in `path`; where there is none, a new one, readable by its owner alone.

    Raises OutputError or UsageError when the file can't be read or written, or holds no token.
    """
    try:
        token = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        token = secrets.token_urlsafe(24)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(f"{token}\n")
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({error.strerror}): name another file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a token's file ({error}): name another") from error
    if len(token) < 16 or any(letter.isspace() for letter in token):
        raise UsageError(f"{path}: expected a token of at least 16 characters; delete it to get a new one")
    return token


async def _serve(
    arguments: argparse.Namespace,
    options: ServeOptions,
    lane: LaneChoice,
    editor: str,
    profile: Profile | None,
    stop: Stop,
) -> bool:
    """Whether the server was up before it was told to stop."""
    from rtfilter.filter import FaceFilter

    if stop.told:  # the rest takes another second to load
        return False
    from rtfilter.serve.app.pool import FilterPool
    from rtfilter.serve.app.server import Server, make_app

    def show(line: str) -> None:
        if not arguments.quiet:
            print(line, flush=True)

    if stop.told:
        return False
    # A session's filter, and one that is loaded ahead.
    shared = replace(lane, streams=options.limits.sessions + 1)
    pool = FilterPool(partial(FaceFilter, lane=shared, editor=editor, faces=options.faces))
    folder = presets_dir()
    app = make_app(options, presets=load_presets(folder), presets_folder=folder, pool=pool, profile=profile)
    server = Server(options, app, show)
    await server.start()
    settling = asyncio.create_task(_settle(pool))
    try:
        if stop.told:
            return False
        announce(lane, arguments.quiet)
        show(f"rtfilter is ready. Open this link in a browser:\n\n    {server.link}\n")
        show("Whoever has the link can use this server: keep it to yourself. Ctrl-C ends.")
        if arguments.open:
            webbrowser.open(server.link)
        await stop.wait(arguments.duration)
    finally:
        settling.cancel()
        await server.stop()
    return True


async def _settle(pool: FilterPool) -> None:
    while not pool.idle:
        await asyncio.sleep(0.2)
    leave_out_of_collection()


def leave_out_of_collection() -> None:
    """Freeze all objects that are there now, once everything is loaded: the garbage collector skips them.

    A full collection over what the networks' libraries load takes a tenth of a second, in which no frame is
    filtered; over what a call leaves behind, a few milliseconds.
    """
    gc.collect()
    gc.freeze()


def make_panel(
    arguments: argparse.Namespace, controls: Controls, profile: Profile | None, faces: int
) -> CamPanel:
    """The panel of `rtfilter cam --panel`, for this machine alone; it does not serve yet.

    faces: how many the job's filter follows.

    Raises MissingExtraError without the `serve` extra, UsageError for a token that is none.
    """
    require_serve_extra()
    from rtfilter.serve.app.cam_panel import CamPanel
    from rtfilter.serve.app.live_controls import LiveControls
    from rtfilter.serve.gate.options import ServeOptions

    options = ServeOptions(port=arguments.port, token=token_of(arguments), controls=controls, faces=faces)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    folder = presets_dir()
    return CamPanel(options, load_presets(folder), LiveControls(controls), folder, profile)


def open_panel(panel: CamPanel, job: Job, arguments: argparse.Namespace) -> None:
    """Serve the panel of `job`, and print its link. Raises DeviceError when its port is taken."""
    leave_out_of_collection()
    link = panel.start(job)
    if not arguments.quiet:
        print(f"rtfilter: the control panel, for you alone: {link}", file=sys.stderr, flush=True)
    if arguments.open:
        webbrowser.open(link)
