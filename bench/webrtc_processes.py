"""Servers, clients and load, each in a process of its own, and none left behind however this one ends."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from rtfilter.bench.webrtc_record import ClientRecord, ClientSpec, record_from_json, to_json
from rtfilter.errors import DeviceError
from rtfilter.system.tied import TiedProcess, run_tied

START_S = 60.0
# Connecting, drawing pictures and hanging up, beside the seconds of the record itself.
CLIENT_EXTRA_S = 90.0
_LINK = re.compile(r"(?P<url>https?://[^\s/]+)/(?:#token=(?P<token>\S+))?\s")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, without a slash at the end, and the token that it wants ("": none)."""

    url: str
    token: str


class ServerProcess:
    """One server, up from `__enter__` on. arguments: of Python; it prints its link when it is up.

    Raises DeviceError when it does not come up.
    """

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self._resources = ExitStack()

    def __enter__(self) -> Address:
        folder = Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="rtfilter-bench-")))
        # Files, not pipes: nobody reads them while it runs, and a full pipe would hold the server.
        out, said = folder / "out", folder / "said"
        with out.open("w") as out_file, said.open("w") as said_file:
            process = TiedProcess(self._arguments, stdout=out_file, stderr=said_file)
        self._resources.callback(process.stop)
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s and process.poll() is None:
            if (link := _LINK.search(out.read_text(encoding="utf-8"))) is not None:
                return Address(link["url"], link["token"] or "")
            time.sleep(0.05)
        last = _last_line(said.read_text(encoding="utf-8"))
        self._resources.close()
        raise DeviceError(f"{' '.join(self._arguments[:3])} did not come up: {last}")

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._resources.close()


def echo_server() -> ServerProcess:
    """Stock aiortc that sends back what it gets."""
    return ServerProcess("-m", "rtfilter.bench.webrtc_echo")


def filter_server(*options: str) -> ServerProcess:
    """The product's own, on a free port."""
    return ServerProcess("-m", "rtfilter", "serve", "--port", "0", *options)


def run_client(address: Address, spec: ClientSpec) -> ClientRecord:
    """Let a client do what `spec` says, at `address`. Raises DeviceError when it could not."""
    told = to_json(replace(spec, url=address.url, token=address.token))
    limit_s = spec.warm_up_s + spec.seconds + CLIENT_EXTRA_S
    try:
        done = run_tied(["-m", "rtfilter.bench.webrtc_client", told], limit_s)
    except subprocess.TimeoutExpired as error:
        raise DeviceError(f"a client of the benchmark was not done within {limit_s:g} s") from error
    if done.returncode != 0:
        raise DeviceError(f"a client of the benchmark failed: {_last_line(done.stderr)}")
    return record_from_json(done.stdout)


@contextmanager
def busy(count: int) -> Iterator[None]:
    """`count` processes beside it that each take as much of a processor as they get."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(TiedProcess(["-c", "while True: pass"]))
        yield


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
