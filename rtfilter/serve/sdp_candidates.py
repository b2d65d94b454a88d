"""ICE candidates of an offer or of a trickled fragment: read, counted, and only the harmless ones kept."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from aiortc import RTCIceCandidate

from rtfilter.serve.networks import AllowedNetworks
from rtfilter.serve.options import Limits
from rtfilter.serve.sdp_lines import SdpRefusedError, parse_sections, shown, split_lines, values_of

# Ports below are those of services; a check, harmless as it is, does not have to go to a DNS server.
LOWEST_PORT = 1024

_CANDIDATE = re.compile(
    r"([0-9A-Za-z+/_\-.]{1,64}) ([0-9]{1,3}) ([A-Za-z]{1,8}) ([0-9]{1,10}) ([0-9A-Za-z:.%\-]{1,255})"
    r" ([0-9]{1,5}) typ ([a-z]{1,8})((?: [!-~]{1,64} [!-~]{1,255})*) *"
)
_UFRAG = re.compile(r"[0-9A-Za-z+/]{4,256}")
_PWD = re.compile(r"[0-9A-Za-z+/]{22,256}")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A UDP candidate of component 1, its extensions left out: nothing here uses them."""

    foundation: str
    priority: int
    address: str
    port: int
    kind: str

    def sdp(self) -> str:
        """As the value of `a=candidate`."""
        return f"{self.foundation} 1 udp {self.priority} {self.address} {self.port} typ {self.kind}"

    def for_aiortc(self, mid: str | None, index: int | None) -> RTCIceCandidate:
        return RTCIceCandidate(
            component=1,
            foundation=self.foundation,
            ip=self.address,
            port=self.port,
            priority=self.priority,
            protocol="udp",
            type=self.kind,
            sdpMid=mid,
            sdpMLineIndex=index,
        )


@dataclass(frozen=True, slots=True)
class TrickleFragment:
    """What a PATCH with `application/trickle-ice-sdpfrag` says (RFC 8840).

    ufrag, pwd: of the peer, None when the fragment has none; others than before ask for an ICE restart.
    candidates: for `RTCPeerConnection.addIceCandidate`, in order. ended: no more will come.
    """

    ufrag: str | None
    pwd: str | None
    candidates: tuple[RTCIceCandidate, ...]
    ended: bool


def usable_candidates(values: Iterable[str], networks: AllowedNetworks) -> list[Candidate]:
    """Those of `values`, each the value of an `a=candidate`, that checks may be sent to.

    Left out are TCP, the second component (RTP and RTCP share a port here), names (`.local`: the
    peer's own checks reach this server and tell its address), service ports, and addresses that
    `networks` does not permit. Raises SdpRefusedError for one that is malformed.
    """
    kept: dict[tuple[str, int], Candidate] = {}
    for value in values:
        candidate = _udp_candidate(value)
        if (
            candidate is not None
            and candidate.kind in ("host", "srflx", "relay")
            and candidate.port >= LOWEST_PORT
            and networks.permits(candidate.address)
        ):
            kept.setdefault((candidate.address, candidate.port), candidate)
    return list(kept.values())


def count_candidates(values: Iterable[str], limits: Limits) -> None:
    """Raises SdpRefusedError when there are more UDP candidates than the limit, each counted once."""
    found = {(c.address, c.port) for c in map(_udp_candidate, values) if c is not None}
    if len(found) > limits.candidates:
        raise SdpRefusedError(400, f"SDP has {len(found)} candidates: expected at most {limits.candidates}")


def _udp_candidate(value: str) -> Candidate | None:
    match = _CANDIDATE.fullmatch(value)
    if match is None or int(match[4]) >= 2**32 or int(match[6]) > 65535:
        raise SdpRefusedError(400, f"malformed candidate in the SDP: {shown(value, 60)}")
    foundation, component, protocol, priority, address, port, kind, _ = match.groups()
    if protocol.lower() != "udp" or component != "1":
        return None
    return Candidate(foundation, int(priority), address, int(port), kind)


def checked_credentials(ufrag: str, pwd: str) -> None:
    """Raises SdpRefusedError unless both are as RFC 8839 wants them; the message does not repeat them."""
    if not _UFRAG.fullmatch(ufrag):
        raise SdpRefusedError(400, "a=ice-ufrag: expected 4 to 256 letters, digits, + or /")
    if not _PWD.fullmatch(pwd):
        raise SdpRefusedError(400, "a=ice-pwd: expected 22 to 256 letters, digits, + or /")


def checked_candidates(text: str, limits: Limits, networks: AllowedNetworks) -> TrickleFragment:
    """A trickled fragment, with only the candidates that checks may be sent to.

    Raises SdpRefusedError with one line: 413 too large, 400 malformed, more candidates than the limit,
    several peers' credentials.
    """
    parsed = parse_sections(split_lines(text, limits), limits)
    # What stands before the first section belongs to it: a fragment need not repeat the m-line.
    blocks = [(0, parsed.attributes)]
    blocks += [(index, section.attributes) for index, section in enumerate(parsed.sections)]
    found: list[RTCIceCandidate] = []
    every: list[str] = []
    credentials: dict[str, set[str]] = {"ice-ufrag": set(), "ice-pwd": set()}
    ended = False
    for index, attributes in blocks:
        values, mids = values_of(attributes, "candidate"), values_of(attributes, "mid")
        every += values
        for name in credentials:
            credentials[name] |= set(values_of(attributes, name))
        ended = ended or any(name == "end-of-candidates" for name, _ in attributes)
        where = (mids[0], None) if mids else (None, index)
        found += [each.for_aiortc(*where) for each in usable_candidates(values, networks)]
    count_candidates(every, limits)
    ufrags, pwds = credentials["ice-ufrag"], credentials["ice-pwd"]
    if len(ufrags) > 1 or len(pwds) > 1:
        raise SdpRefusedError(400, "the fragment has more than one a=ice-ufrag or a=ice-pwd: expected one")
    ufrag, pwd = next(iter(ufrags), None), next(iter(pwds), None)
    if ufrag is not None and pwd is not None:
        checked_credentials(ufrag, pwd)
    return TrickleFragment(ufrag, pwd, tuple(found), ended)
