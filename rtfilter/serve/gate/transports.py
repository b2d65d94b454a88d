"""ICE and DTLS of a peer connection: sockets that only permitted addresses can use, and the DTLS role.

The guard replaces parts of aioice, which has no setting for any of it; `check_versions` names the releases
that this was tested with. Called by `app.peer`; `app.server` and `cli.doctor_software` check the releases.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from aioice import stun
from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aioice.ice import Connection, StunProtocol
from aiortc import RTCPeerConnection
from aiortc.rtcdtlstransport import RTCDtlsTransport

from rtfilter.errors import UsageError
from rtfilter.serve.gate.networks import AllowedNetworks
from rtfilter.system.installation import install_packages

_log = logging.getLogger(__name__)

PROVEN = {"aiortc": "1.16.", "aioice": "0.13."}

# Datagrams that wait for DTLS. aioice itself keeps them without a bound, from the first packet on.
MOST_WAITING = 1024
# Pairs grow with every port that a peer checks from; a browser needs a handful.
MOST_REMOTE_CANDIDATES = 128
# A machine with many bridges has many addresses, and each is a socket in every session.
_MOST_SOCKETS = 16
_RECEIVE_BUFFER_BYTES = 1 << 20
# RFC 7983: a first byte up to this is STUN, and DTLS, RTP and RTCP begin with others.
_LAST_STUN_BYTE = 3

# Reason for the end of a connection. OpenSSL 4 has no P-224 any more, and FFmpeg 8 makes its own certificate
# with it where it is built with GnuTLS, as Debian's and PyAV's are.
DTLS_FAILED = (
    "the DTLS handshake failed: the certificate of the peer does not fit (FFmpeg built with GnuTLS needs"
    " -cert_file and -key_file with a P-256 key)"
)


def check_versions() -> None:
    """Raises UsageError unless the installed aiortc and aioice are releases that rtfilter is tested with."""
    for package, proven in PROVEN.items():
        found = version(package)
        if not f"{found}.".startswith(proven):
            raise UsageError(
                f"{package} {found}: the guard of network addresses is proven with {proven}x only, and the"
                f" server does not run without it: {install_packages(f'{package}=={proven}*')}"
            )


def transports_of(connection: RTCPeerConnection) -> set[RTCDtlsTransport]:
    """The DTLS transports of a connection: of its media and of its data channels."""
    found = {transceiver.receiver.transport for transceiver in connection.getTransceivers()}
    if connection.sctp is not None:
        found.add(connection.sctp.transport)
    return found


def answer_passively(connection: RTCPeerConnection) -> None:
    """Have the peer open DTLS where its offer leaves that open, as RFC 9725 requires of a WHIP server.

    aiortc's ciphers need a server with an ECDSA key, and GStreamer has an RSA one, so it must be the client.
    Not for an offer with a=setup:passive (FFmpeg's): both sides would wait for each other.
    """
    for transport in transports_of(connection):
        if transport._role == "auto":
            transport._set_role("server")


def guard_ice(connection: RTCPeerConnection, networks: AllowedNetworks) -> None:
    """Restrict every ICE transport of `connection` to `networks`, from gathering to the last packet.

    Sockets are bound to `networks.media_addresses`. Packets from other addresses are dropped without an
    answer, none are sent to them, and candidates added later are filtered. No STUN or TURN server is
    contacted, whatever the connection was configured with.

    Call it once, after `setRemoteDescription` (on the offering side, after the transceivers are added) and
    before `setLocalDescription`, which opens the sockets.

    Raises:
        RuntimeError: The sockets are open already.
    """
    for transport in transports_of(connection):
        _guard(transport.transport.iceGatherer._connection, networks)


def _guard(connection: Connection, networks: AllowedNetworks) -> None:
    if connection._protocols or connection._local_candidates_start:
        raise RuntimeError("guard_ice: the sockets are open already; call it before setLocalDescription")

    async def get_component_candidates(
        component: int, addresses: list[str], timeout: int = 5
    ) -> list[Candidate]:
        protocols = await _open_sockets(connection, component, networks)
        connection._protocols += protocols
        return [protocol.local_candidate for protocol in protocols]

    add_any = connection.add_remote_candidate

    async def add_remote_candidate(remote_candidate: Candidate | None) -> None:
        # The end of candidates is kept from aioice: with all of them filtered it would give up before the
        # peer's own checks arrive. The server's deadline for ICE ends what never connects.
        if (
            remote_candidate is not None
            and len(connection._remote_candidates) < MOST_REMOTE_CANDIDATES
            and is_permitted(remote_candidate)
        ):
            await add_any(remote_candidate)

    def is_permitted(each: Candidate) -> bool:
        return networks.permits_candidate(each.transport, each.component, each.host, each.port)

    connection._remote_candidates[:] = filter(is_permitted, connection._remote_candidates)
    connection._remote_candidates_end = False
    # By name: the methods of one instance are replaced, which type checkers object to.
    for method in (get_component_candidates, add_remote_candidate):
        setattr(connection, method.__name__, method)


async def _open_sockets(
    connection: Connection, component: int, networks: AllowedNetworks
) -> list[GuardedProtocol]:
    """A guarded socket, with its candidate, for each of `networks.media_addresses()` that can be bound."""
    loop = asyncio.get_running_loop()
    protocols: list[GuardedProtocol] = []
    for address in networks.media_addresses()[:_MOST_SOCKETS]:
        try:
            transport, protocol = await loop.create_datagram_endpoint(
                lambda: GuardedProtocol(connection, networks), local_addr=(address, 0)
            )
        except OSError as error:
            _log.info("no media at %s: %s", address, error)
            continue
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        host, port = sock.getsockname()[:2]
        protocol.local_candidate = Candidate(
            foundation=candidate_foundation("host", "udp", host),
            component=component,
            transport="udp",
            # Falling with the order, where aioice gives all the same: RFC 8445, section 5.1.2.1.
            priority=candidate_priority(component, "host", 65535 - len(protocols)),
            host=host,
            port=port,
            type="host",
        )
        protocols.append(protocol)
    return protocols


class GuardedProtocol(StunProtocol):
    """aioice's socket, for permitted addresses only, in both directions.

    A check from elsewhere gets no answer and makes no peer-reflexive candidate.
    """

    def __init__(self, receiver: Connection, networks: AllowedNetworks) -> None:
        super().__init__(receiver)
        # Called for every packet.
        self._permits = lru_cache(MOST_REMOTE_CANDIDATES)(networks.permits)

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        if not data or not isinstance(data, bytes) or not self._permits(addr[0]):
            return
        if data[0] <= _LAST_STUN_BYTE:
            if self._is_sound_check(data, (addr[0], addr[1])):
                super().datagram_received(data, addr)
        # Past aioice's parser, which takes RTP for STUN if the sequence number is like its length.
        elif self.receiver._queue.qsize() < MOST_WAITING:
            self.receiver.data_received(data, self.local_candidate.component)

    def send_stun(self, message: stun.Message, addr: tuple[str, int]) -> None:
        if self._permits(addr[0]):
            super().send_stun(message, addr)

    async def send_data(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._permits(addr[0]):
            await super().send_data(data, addr)

    def _is_sound_check(self, data: bytes, address: tuple[str, int]) -> bool:
        """Whether aioice can read a STUN message, and it does not make one candidate too many."""
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
