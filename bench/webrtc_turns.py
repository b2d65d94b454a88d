"""The contenders of the WebRTC benchmark and their turns: servers, clients and load in processes of their
own.

The processes end with this one. Called by `bench.webrtc` and `bench.soak`.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rtfilter.bench.common import notify
from rtfilter.bench.webrtc_figures import course, figures, reaction, slope
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

STOCK, BYPASS, FILTERED = "stock", "bypass", "filtered"
ECHO, FILTER = "echo", "filter"
# Each turns the picture over: an edit that comes, an edit that goes.
_CHANGES: list[dict[str, Any]] = [
    {"intensity": 1.5},
    {"intensity": 0.0},
    {"intensity": 1.5},
    {"bypass": True},
    {"bypass": False},
    {"intensity": 0.0},
]
_BEFORE_CHANGES = {"emotions": {"happy": 1.0}, "intensity": 0.0, "smoothing": 0.0}


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is up. url: without a slash at the end. token: "" for none. pid: of its process."""

    url: str
    token: str = ""
    pid: int = 0


Servers = Mapping[str, Server]


@dataclass(frozen=True, slots=True)
class Contender:
    """A pair of server and client.

    server: echo or filter. tuned: the client releases a picture at its marker, as browsers do. bypass: the
    filter passes everything through.
    """

    title: str
    server: str
    tuned: bool
    bypass: bool = False


CONTENDERS: Mapping[str, Contender] = {
    STOCK: Contender("stock aiortc both ends, no filter", ECHO, tuned=False),
    "stock_tuned_client": Contender("stock aiortc server, tuned client, no filter", ECHO, tuned=True),
    BYPASS: Contender("rtfilter without the filter (bypass), tuned client", FILTER, tuned=True, bypass=True),
    FILTERED: Contender("rtfilter with the filter, tuned client", FILTER, tuned=True),
    "filtered_stock_client": Contender("rtfilter with the filter, stock client", FILTER, tuned=False),
}


@contextmanager
def both_servers(*filter_server: str) -> Iterator[Servers]:
    """Echo and filter for the length of a `with` block; an idle one takes no processor time.

    filter_server: Python's arguments that start the filter. Raises DeviceError when one does not come up.
    """
    with running(*ECHO_SERVER) as echo, running(*filter_server) as filtering:
        yield {ECHO: echo, FILTER: filtering}


def one_turn(servers: Servers, name: str, base: ClientSpec) -> ClientRecord:
    """One client of a contender. Raises DeviceError."""
    contender = CONTENDERS[name]
    controls = {**base.controls, "bypass": contender.bypass}
    return run_client(servers[contender.server], replace(base, tuned=contender.tuned, controls=controls))


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


def take_turns(
    servers: Servers, names: Iterable[str], base: ClientSpec, rounds: int
) -> dict[str, dict[str, Any]]:
    """Title and figures by contender after `rounds` turns each, in the order A B C C B A ...

    base: the task of every client; its controls are the filter's.
    """
    order = list(names)
    records: dict[str, list[ClientRecord]] = {name: [] for name in order}
    for number in range(rounds):
        for name in order if number % 2 == 0 else reversed(order):
            notify(f"round {number + 1} of {rounds}: {CONTENDERS[name].title}")
            records[name].append(one_turn(servers, name, base))
    return {name: {"title": CONTENDERS[name].title, **figures(found)} for name, found in records.items()}


def endure(servers: Servers, base: ClientSpec, minutes: float, name: str = FILTERED) -> dict[str, Any]:
    """One contender without a break: its figures, the slope of its age, and the course of it."""
    notify(f"{minutes:g} min: {CONTENDERS[name].title}")
    record = one_turn(servers, name, replace(base, seconds=60.0 * minutes))
    return {
        "title": CONTENDERS[name].title,
        **figures([record]),
        "slope": slope(record.rows),
        "course": course(record.rows),
    }


def change_controls(servers: Servers, base: ClientSpec, times: int) -> dict[str, Any]:
    """How soon changes of the controls show in a still picture, without smoothing."""
    changes = _CHANGES * times
    notify(f"{len(changes)} changes over the data channel")
    seconds = (len(changes) + 1.5) * base.change_every_s
    spec = replace(base, controls=_BEFORE_CHANGES, still=True, changes=changes, seconds=seconds)
    return reaction(one_turn(servers, FILTERED, spec).changes)
