"""Servers, clients and load of the WebRTC benchmark, each in a process of its own that ends with this one."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rtfilter.bench.webrtc_record import ClientRecord, ClientSpec, record_from_json, to_json
from rtfilter.errors import DeviceError
from rtfilter.system.tied import TiedProcess, run_tied

START_S = 60.0
# Connecting, drawing pictures and hanging up, beside the seconds of the record itself.
CLIENT_EXTRA_S = 90.0
_LINK = re.compile(r"(?P<url>https?://[^\s/]+)/(?:#token=(?P<token>\S+))?\s")

# Arguments of Python that start a server which prints its link: stock aiortc that sends back what it gets,
# and the product's own, on a free port.
ECHO_SERVER = ("-m", "rtfilter.bench.webrtc_echo")
FILTER_SERVER = ("-m", "rtfilter", "serve", "--port", "0")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is up. url: without a slash at the end. token: "" for none. pid: of its process."""

    url: str
    token: str = ""
    pid: int = 0


@contextmanager
def running(*arguments: str) -> Iterator[Server]:
    """A server for the length of a `with` block. Raises DeviceError when it does not come up."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rtfilter-bench-")))
        # Files, not pipes: a full pipe would hold the server.
        out, err = folder / "out", folder / "err"
        with out.open("w") as out_file, err.open("w") as err_file:
            process = stack.enter_context(TiedProcess(arguments, stdout=out_file, stderr=err_file))
        deadline_s = time.monotonic() + START_S
        while (link := _LINK.search(out.read_text(encoding="utf-8"))) is None:
            if time.monotonic() > deadline_s or process.poll() is not None:
                last = _last_line(err.read_text(encoding="utf-8"))
                raise DeviceError(f"{' '.join(arguments[:3])} did not come up: {last}")
            time.sleep(0.05)
        yield Server(link["url"], link["token"] or "", process.pid)


def run_client(server: Server, spec: ClientSpec) -> ClientRecord:
    """Run a client at `server`. Raises DeviceError when it fails."""
    task = to_json(replace(spec, url=server.url, token=server.token))
    limit_s = spec.warm_up_s + spec.seconds + CLIENT_EXTRA_S
    try:
        done = run_tied(["-m", "rtfilter.bench.webrtc_client", task], limit_s)
    except subprocess.TimeoutExpired as error:
        raise DeviceError(f"a client of the benchmark was not done within {limit_s:g} s") from error
    if done.returncode != 0:
        raise DeviceError(f"a client of the benchmark failed: {_last_line(done.stderr)}")
    return record_from_json(done.stdout)


@contextmanager
def busy(count: int) -> Iterator[None]:
    """`count` processes that each take as much of a processor as they get."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(TiedProcess(["-c", "while True: pass"]))
        yield


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
