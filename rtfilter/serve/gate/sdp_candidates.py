"""ICE candidates of an offer or of a trickled fragment: read by aiortc, and only the harmless ones kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aiortc import RTCIceCandidate
from aiortc.sdp import candidate_from_sdp

from rtfilter.serve.gate.networks import AllowedNetworks
from rtfilter.serve.gate.options import Limits
from rtfilter.serve.gate.sdp_lines import PARSER_ERRORS, SdpRefusedError, bounded_lines

# Ports below are those of services; a check, harmless as it is, does not have to go to a DNS server.
LOWEST_PORT = 1024


@dataclass(frozen=True, slots=True)
class TrickleFragment:
    """What a PATCH with `application/trickle-ice-sdpfrag` says (RFC 8840).

    ufrags: of the peer; others than before ask for an ICE restart. candidates: for
    `RTCPeerConnection.addIceCandidate`, in order. ended: no more will come.
    """

    ufrags: frozenset[str]
    candidates: tuple[RTCIceCandidate, ...]
    ended: bool


def usable_candidates(
    found: Iterable[RTCIceCandidate], limits: Limits, networks: AllowedNetworks
) -> list[RTCIceCandidate]:
    """Those that checks may be sent to, each address once, and at most `limits.candidates`.

    Left out are TCP, the second component (RTP and RTCP share a port here), names (`.local`: the
    peer's own checks reach this server and tell its address), service ports, and addresses that
    `networks` does not permit.
    """
    kept: dict[tuple[str, int], RTCIceCandidate] = {}
    for each in found:
        if (
            each.protocol.lower() == "udp"
            and each.component == 1
            and each.type in ("host", "srflx", "relay")
            and LOWEST_PORT <= each.port <= 65535
            and 0 <= each.priority < 2**32
            and networks.permits(each.ip)
        ):
            harmless = RTCIceCandidate(
                component=1,
                foundation=each.foundation,
                ip=each.ip,
                port=each.port,
                priority=each.priority,
                protocol="udp",
                type=each.type,
                sdpMid=each.sdpMid,
                sdpMLineIndex=each.sdpMLineIndex,
            )
            kept.setdefault((each.ip, each.port), harmless)
    return list(kept.values())[: limits.candidates]


def checked_candidates(text: str, limits: Limits, networks: AllowedNetworks) -> TrickleFragment:
    """A trickled fragment, with only the candidates that checks may be sent to.

    Raises SdpRefusedError with one line: 413 too large, 400 for too many lines or none of an SDP.
    """
    session, sections = bounded_lines(text, limits)
    if not any(line.startswith("a=") for lines in (session, *sections) for line in lines):
        raise SdpRefusedError(400, "the fragment has no line of an SDP: expected a=candidate:...")
    # What stands before the first section belongs to it: a fragment need not repeat the m-line.
    found: list[RTCIceCandidate] = []
    for index, lines in [(0, session), *enumerate(sections)]:
        mids = _values(lines, "mid")
        where = (mids[0], None) if mids else (None, index)
        found += filter(None, (_candidate(value, *where) for value in _values(lines, "candidate")))
    every = [line for lines in (session, *sections) for line in lines]
    return TrickleFragment(
        frozenset(_values(every, "ice-ufrag")),
        tuple(usable_candidates(found, limits, networks)),
        "a=end-of-candidates" in every,
    )


def _values(lines: list[str], name: str) -> list[str]:
    start = f"a={name}:"
    return [line[len(start) :].strip() for line in lines if line.startswith(start)]


def _candidate(value: str, mid: str | None, index: int | None) -> RTCIceCandidate | None:
    """As aiortc reads it; None for what it cannot read."""
    try:
        candidate = candidate_from_sdp(value)
    except PARSER_ERRORS:
        return None
    candidate.sdpMid, candidate.sdpMLineIndex = mid, index
    return candidate
