"""ICE of one peer connection held to the allowed networks, from gathering to the last packet.

Reaches into aioice, which has no setting for any of it: `check_versions` names the releases that this was
proven with (tests/serve/test_ice_guard.py) and refuses others.
"""

from __future__ import annotations

import logging
from importlib.metadata import version

from aioice.candidate import Candidate
from aioice.ice import Connection
from aiortc import RTCPeerConnection
from aiortc.rtcicetransport import RTCIceTransport

from rtfilter.errors import UsageError
from rtfilter.serve.gate.ice_sockets import MOST_REMOTE_CANDIDATES, open_sockets
from rtfilter.serve.gate.networks import AllowedNetworks
from rtfilter.serve.gate.sdp_candidates import LOWEST_PORT
from rtfilter.system.installation import install_packages

_log = logging.getLogger(__name__)

PROVEN = {"aiortc": "1.16.", "aioice": "0.13."}


def check_versions() -> None:
    """Raises UsageError when an installed release is not among those that the guard is proven with."""
    for package, proven in PROVEN.items():
        found = version(package)
        if not f"{found}.".startswith(proven):
            raise UsageError(
                f"{package} {found}: the guard of network addresses is proven with {proven}x only, and the"
                f" server does not run without it: {install_packages(f'{package}=={proven}*')}"
            )


def guard_ice(pc: RTCPeerConnection, networks: AllowedNetworks) -> None:
    """Hold every ICE connection of `pc` to `networks`.

    To be called after `setRemoteDescription` (or, for the offering side, after the transceivers are there)
    and before `setLocalDescription`, which opens the sockets; may be called again when there are more
    transports. From then on sockets are bound where `networks.media_addresses` says, packets from other
    addresses are not answered or heard, none are sent to them, and candidates added later are filtered.
    No STUN or TURN server is asked, whatever `pc` was configured with.

    Raises UsageError when aioice is another than the proven one, RuntimeError when sockets are open
    already.
    """
    check_versions()
    for transport in _ice_transports(pc):
        _guard(transport.iceGatherer._connection, networks)


def _ice_transports(pc: RTCPeerConnection) -> set[RTCIceTransport]:
    found = {transceiver.receiver.transport.transport for transceiver in pc.getTransceivers()}
    if pc.sctp is not None:
        found.add(pc.sctp.transport.transport)
    return found


def _guard(connection: Connection, networks: AllowedNetworks) -> None:
    if isinstance(getattr(connection, "rtfilter_networks", None), AllowedNetworks):
        return
    if connection._protocols or connection._local_candidates_start:
        raise RuntimeError("guard_ice: the sockets are open already; call it before setLocalDescription")

    async def get_component_candidates(
        component: int, addresses: list[str], timeout: int = 5
    ) -> list[Candidate]:
        protocols, candidates = await open_sockets(connection, component, networks)
        connection._protocols += protocols
        return candidates

    add_any = connection.add_remote_candidate

    async def add_remote_candidate(remote_candidate: Candidate | None) -> None:
        # The end of candidates is kept from aioice: with all of them filtered away it would give up
        # before the peer's own checks arrive. The server's deadline for ICE ends what never connects.
        if remote_candidate is None:
            return
        if len(connection._remote_candidates) >= MOST_REMOTE_CANDIDATES:
            _log.debug("one candidate more than %d left out", MOST_REMOTE_CANDIDATES)
        elif _is_harmless(remote_candidate, networks):
            await add_any(remote_candidate)

    connection._remote_candidates[:] = [
        each for each in connection._remote_candidates if _is_harmless(each, networks)
    ]
    connection._remote_candidates_end = False
    replaced = {
        "get_component_candidates": get_component_candidates,
        "add_remote_candidate": add_remote_candidate,
        "rtfilter_networks": networks,
    }
    for name, value in replaced.items():
        setattr(connection, name, value)


def _is_harmless(candidate: Candidate, networks: AllowedNetworks) -> bool:
    return (
        candidate.transport.lower() == "udp"
        and candidate.component == 1
        and candidate.port >= LOWEST_PORT
        and networks.permits(candidate.host)
    )
