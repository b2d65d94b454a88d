"""The UDP sockets that media goes through: where they listen, and whose packets they take."""

from __future__ import annotations

import asyncio
import logging
import struct
from typing import Any

from aioice import stun
from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aioice.ice import Connection, StunProtocol

from rtfilter.serve.gate.local_socket import udp_socket
from rtfilter.serve.gate.networks import AllowedNetworks

_log = logging.getLogger(__name__)

# Datagrams that wait for DTLS. aioice itself keeps them without a bound, and from the first packet on.
MOST_WAITING = 1024
# Pairs grow with every port that a peer checks from; a browser needs a handful.
MOST_REMOTE_CANDIDATES = 128
# A machine with many bridges has many addresses, and each is a socket in every session.
_MOST_SOCKETS = 16
# RFC 7983: a first byte up to this is STUN, and DTLS, RTP and RTCP begin with others.
_LAST_STUN_BYTE = 3


class GuardedProtocol(StunProtocol):
    """aioice's socket, deaf to all but the allowed addresses, and silent towards them too.

    A check from elsewhere gets no answer at all: its sender learns nothing of the server, and no
    peer-reflexive candidate is made of it.
    """

    def __init__(self, receiver: Connection, networks: AllowedNetworks) -> None:
        super().__init__(receiver)
        self._networks = networks
        self._known: dict[str, bool] = {}

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        if not data or not isinstance(data, bytes) or not self._permits(addr[0]):
            return
        if data[0] <= _LAST_STUN_BYTE:
            if self._is_sound_check(data, (addr[0], addr[1])):
                super().datagram_received(data, addr)
        # Past aioice's parser, which takes RTP for STUN when the sequence number is like its length.
        elif self.receiver._queue.qsize() < MOST_WAITING:
            self.receiver.data_received(data, self.local_candidate.component)

    def send_stun(self, message: stun.Message, addr: tuple[str, int]) -> None:
        if self._permits(addr[0]):
            super().send_stun(message, addr)

    async def send_data(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._permits(addr[0]):
            await super().send_data(data, addr)

    def _is_sound_check(self, data: bytes, address: tuple[str, int]) -> bool:
        """Whether aioice can read it, and it does not make one candidate too many."""
        try:
            message = stun.parse_message(data)
        except (ValueError, struct.error):
            return False
        if message.message_class != stun.Class.REQUEST:
            return True
        remote = self.receiver._remote_candidates
        return "PRIORITY" in message.attributes and (
            len(remote) < MOST_REMOTE_CANDIDATES
            or address in {(each._network_host, each.port) for each in remote}
        )

    def _permits(self, address: str) -> bool:
        """Asked for every packet, so that an address is looked up once."""
        known = self._known.get(address)
        if known is None:
            known = self._networks.permits(address)
            if len(self._known) < MOST_REMOTE_CANDIDATES:
                self._known[address] = known
        return known


async def open_sockets(
    connection: Connection, component: int, networks: AllowedNetworks
) -> tuple[list[GuardedProtocol], list[Candidate]]:
    """One guarded socket for each of `networks.media_addresses()` that can be bound, and its candidate."""
    loop = asyncio.get_running_loop()
    protocols: list[GuardedProtocol] = []
    candidates: list[Candidate] = []
    for address in networks.media_addresses()[:_MOST_SOCKETS]:
        try:
            sock = udp_socket(address, networks.this_machine_only)
        except OSError as error:
            _log.info("no media at %s: %s", address, error)
            continue
        _, protocol = await loop.create_datagram_endpoint(
            lambda: GuardedProtocol(connection, networks), sock=sock
        )
        host, port = sock.getsockname()[:2]
        protocol.local_candidate = Candidate(
            foundation=candidate_foundation("host", "udp", host),
            component=component,
            transport="udp",
            # Falling with the order, where aioice gives all the same: RFC 8445, section 5.1.2.1.
            priority=candidate_priority(component, "host", 65535 - len(candidates)),
            host=host,
            port=port,
            type="host",
        )
        protocols.append(protocol)
        candidates.append(protocol.local_candidate)
    return protocols, candidates
