"""Who is compared, and how they take turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace

from rtfilter.bench.webrtc_processes import Address, ServerProcess, echo_server, filter_server, run_client
from rtfilter.bench.webrtc_record import ClientRecord, ClientSpec

STOCK, STOCK_TUNED, BYPASS, FILTERED, FILTERED_STOCK = (
    "stock",
    "stock_tuned_client",
    "bypass",
    "filtered",
    "filtered_stock_client",
)
ECHO, FILTER = "echo", "filter"


@dataclass(frozen=True, slots=True)
class Contender:
    """server: echo or filter. tuned: whether the client releases at the marker, as browsers do.

    bypass: the filter is asked to let everything through.
    """

    title: str
    server: str
    tuned: bool
    bypass: bool = False


CONTENDERS: Mapping[str, Contender] = {
    STOCK: Contender("stock aiortc both ends, no filter", ECHO, tuned=False),
    STOCK_TUNED: Contender("stock aiortc server, tuned client, no filter", ECHO, tuned=True),
    BYPASS: Contender("rtfilter without the filter (bypass), tuned client", FILTER, tuned=True, bypass=True),
    FILTERED: Contender("rtfilter with the filter, tuned client", FILTER, tuned=True),
    FILTERED_STOCK: Contender("rtfilter with the filter, stock client", FILTER, tuned=False),
}
# What a look at one's own machine compares; the rest is for the published figures.
USUAL = (STOCK, BYPASS, FILTERED)


def spec_of(name: str, base: ClientSpec) -> ClientSpec:
    """`base` as the contender's client does it."""
    contender = CONTENDERS[name]
    controls = {**base.controls, "bypass": contender.bypass}
    return replace(base, tuned=contender.tuned, controls=controls)


class Ring:
    """The servers, started when first needed and ended together; idle ones take no processor time.

    servers: by name, echo and filter; default the two of `processes`.
    """

    def __init__(self, servers: Mapping[str, ServerProcess] | None = None) -> None:
        self._servers = servers or {ECHO: echo_server(), FILTER: filter_server()}
        self._resources = ExitStack()
        self._up: dict[str, Address] = {}

    def __enter__(self) -> Ring:
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def at(self, server: str) -> Address:
        """The address of `server`, echo or filter. Raises DeviceError when it does not come up."""
        if server not in self._up:
            self._up[server] = self._resources.enter_context(self._servers[server])
        return self._up[server]

    def run(self, name: str, base: ClientSpec) -> ClientRecord:
        """One contender, once."""
        return run_client(self.at(CONTENDERS[name].server), spec_of(name, base))


def take_turns(
    ring: Ring,
    names: Iterable[str],
    base: ClientSpec,
    rounds: int,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, list[ClientRecord]]:
    """Every contender `rounds` times, A B C C B A ..., so that what else the machine does hits all alike.

    base: what every client does; its controls are the filter's.
    """
    order = list(names)
    records: dict[str, list[ClientRecord]] = {name: [] for name in order}
    for number in range(rounds):
        for name in order if number % 2 == 0 else reversed(order):
            tell(f"round {number + 1} of {rounds}: {CONTENDERS[name].title}")
            records[name].append(ring.run(name, base))
    return records
