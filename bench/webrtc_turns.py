"""The contenders of the WebRTC benchmark, their turns, and what is made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from rtfilter.bench.common import notify
from rtfilter.bench.webrtc_figures import course, figures, reaction, slope
from rtfilter.bench.webrtc_record import ClientRecord, ClientSpec
from rtfilter.bench.webrtc_servers import ECHO_SERVER, FILTER_SERVER, Server, run_client, running

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


def spec_of(name: str, base: ClientSpec) -> ClientSpec:
    """`base` for a contender's client."""
    contender = CONTENDERS[name]
    controls = {**base.controls, "bypass": contender.bypass}
    return replace(base, tuned=contender.tuned, controls=controls)


class Servers:
    """The two servers, started on first use and ended with the `with` block; idle ones take no time.

    filter_server: Python's arguments that start the filter.
    """

    def __init__(self, *filter_server: str) -> None:
        self._arguments = {ECHO: ECHO_SERVER, FILTER: filter_server or FILTER_SERVER}
        self._resources = ExitStack()
        self._up: dict[str, Server] = {}

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def up(self, name: str) -> Server:
        """The server `echo` or `filter`. Raises DeviceError when it does not come up."""
        if name not in self._up:
            self._up[name] = self._resources.enter_context(running(*self._arguments[name]))
        return self._up[name]

    def run(self, name: str, base: ClientSpec) -> ClientRecord:
        """One turn of a contender. Raises DeviceError."""
        return run_client(self.up(CONTENDERS[name].server), spec_of(name, base))


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
            records[name].append(servers.run(name, base))
    return {name: {"title": CONTENDERS[name].title, **figures(found)} for name, found in records.items()}


def endure(servers: Servers, base: ClientSpec, minutes: float, name: str = FILTERED) -> dict[str, Any]:
    """One contender without a break: its figures, the slope of its age, and the course of it."""
    notify(f"{minutes:g} min: {CONTENDERS[name].title}")
    record = servers.run(name, replace(base, seconds=60.0 * minutes))
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
    return reaction(servers.run(FILTERED, spec).changes)
