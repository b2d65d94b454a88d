"""A real `rtfilter serve` process for a test, and what it serves it with."""

from __future__ import annotations

import os
import queue
import re
import secrets
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rtfilter.system.tied import TiedProcess

START_S = 60.0
STOP_S = 20.0
_LINK = re.compile(r"https?://\S+/#token=\S+")


@dataclass
class ServerProcess:
    """A running server. link: the address with the token that it printed."""

    process: subprocess.Popen[str]
    link: str
    lines: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Without the token, without a slash at the end."""
        return self.link.partition("/#")[0]

    @property
    def token(self) -> str:
        return self.link.partition("token=")[2]

    def stop(self, kill: bool = False) -> None:
        """End it: as Ctrl-C does, or at once with `kill`."""
        if self.process.poll() is None:
            self.process.kill() if kill else self.process.terminate()
        self.process.wait(STOP_S)


def start_server(*arguments: str, port: int = 0, token: str | None = None) -> ServerProcess:
    """Start `rtfilter serve` on 127.0.0.1 and wait until it has printed its link.

    arguments: more of its command line. Raises AssertionError with what it printed when it does not start.
    """
    command = ["-m", "rtfilter", "serve", "--port", str(port), *arguments]
    if token is not None:
        command += ["--token", token]
    process = TiedProcess(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    server = ServerProcess(process, "")
    links: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(server, links), daemon=True).start()
    try:
        server.link = links.get(timeout=START_S)
    except queue.Empty:
        server.stop(kill=True)
        raise AssertionError(f"no link within {START_S:g} s; it printed: {server.lines}") from None
    if not server.link:
        raise AssertionError(f"the server ended; it printed: {server.lines}")
    return server


@contextmanager
def running_server(*arguments: str, port: int = 0, token: str | None = None) -> Iterator[ServerProcess]:
    """`start_server`, and its end."""
    server = start_server(*arguments, port=port, token=token)
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def new_token() -> str:
    return secrets.token_hex(16)  # never a dash first, which would read as an option


def _read(server: ServerProcess, links: queue.Queue[str]) -> None:
    """Everything that it prints, so that its pipe never fills; "" for a link that never came."""
    assert server.process.stdout is not None
    for line in server.process.stdout:
        server.lines.append(line.rstrip())
        if match := _LINK.search(line):
            links.put(match[0])
    links.put("")
