"""ICE and DTLS of an SDP: candidates that checks may be sent to, and sound transport parameters.

Called by `gate.sdp_offer` and `app.whip`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass

from aiortc import RTCIceCandidate
from aiortc.rtcdtlstransport import RTCDtlsFingerprint
from aiortc.sdp import MediaDescription, SessionDescription, candidate_from_sdp

from rtfilter.serve.gate.networks import AllowedNetworks
from rtfilter.serve.gate.options import Limits
from rtfilter.serve.gate.refusals import RefusedError
from rtfilter.serve.gate.sdp_lines import PARSER_ERRORS, bounded_lines

# Bytes of the digests that aiortc compares; others are left out, and one of these is needed.
_DIGEST_BYTES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_DIGEST = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*")
_MOST_FINGERPRINTS = 8
_UFRAG = re.compile(r"[0-9A-Za-z+/]{4,256}")
_PWD = re.compile(r"[0-9A-Za-z+/]{22,256}")


@dataclass(frozen=True, slots=True)
class TrickleFragment:
    """A body of type `application/trickle-ice-sdpfrag` (RFC 8840).

    Attributes:
        ufrags: ICE user fragments of the peer; new ones mean an ICE restart.
        candidates: Candidates for `RTCPeerConnection.addIceCandidate`, in order.
    """

    ufrags: frozenset[str]
    candidates: tuple[RTCIceCandidate, ...]


def checked_candidates(text: str, limits: Limits, networks: AllowedNetworks) -> TrickleFragment:
    """The fragment `text`, with only the candidates that checks may be sent to.

    Raises:
        RefusedError: 413 for too many bytes, 400 for too many lines or none of an SDP.
    """
    session, sections = bounded_lines(text, limits)
    every = [line for lines in (session, *sections) for line in lines]
    if not any(line.startswith("a=") for line in every):
        raise RefusedError(400, "the fragment has no line of an SDP: expected a=candidate:...")
    # Lines before the first section belong to it: a fragment need not repeat the m-line.
    found: list[RTCIceCandidate] = []
    for index, lines in [(0, session), *enumerate(sections)]:
        mids = _values(lines, "mid")
        for value in _values(lines, "candidate"):
            try:
                candidate = candidate_from_sdp(value)
            except PARSER_ERRORS:
                continue
            candidate.sdpMid, candidate.sdpMLineIndex = (mids[0], None) if mids else (None, index)
            found.append(candidate)
    return TrickleFragment(
        frozenset(_values(every, "ice-ufrag")), tuple(usable_candidates(found, limits, networks))
    )


def _values(lines: list[str], name: str) -> list[str]:
    start = f"a={name}:"
    return [line[len(start) :].strip() for line in lines if line.startswith(start)]


def usable_candidates(
    found: Iterable[RTCIceCandidate], limits: Limits, networks: AllowedNetworks
) -> list[RTCIceCandidate]:
    """Candidates that checks may be sent to, each address once, and at most `limits.candidates`.

    Left out are those that `networks` does not permit, and names: the peer behind a `.local` name sends
    checks itself, and its address is taken from them.
    """
    kept: dict[tuple[str, int], RTCIceCandidate] = {}
    for each in found:
        permitted = networks.permits_candidate(each.protocol, each.component, each.ip, each.port)
        if permitted and each.type in ("host", "srflx", "relay") and 0 <= each.priority < 2**32:
            each.protocol, each.relatedAddress, each.relatedPort, each.tcpType = "udp", None, None, None
            kept.setdefault((each.ip, each.port), each)
    return list(kept.values())[: limits.candidates]


def settle_transport(offer: SessionDescription) -> None:
    """Check ICE and DTLS of an offer, and give every section the parameters that hold for it.

    In a bundle those of its first section hold for all (RFC 8843, section 9.2), and RFC 8829 has the others
    offered without any. A mid without a section is taken out of the group: FFmpeg's muxer names two sections
    even if it has one.

    Raises:
        RefusedError: 400 for a parameter that is missing or malformed.
    """
    by_mid: dict[int | str, MediaDescription] = {media.rtp.muxId: media for media in offer.media}
    groups = [group for group in offer.group if group.semantic == "BUNDLE"][:1]
    for group in groups:
        group.items = [mid for mid in dict.fromkeys(group.items) if mid in by_mid]
    offer.group = [group for group in groups if group.items]
    bundle = [by_mid[mid] for mid in offer.group[0].items] if offer.group else []
    for media in [*bundle[:1], *(each for each in offer.media if each not in bundle)]:
        _check(media)
    for media in bundle[1:]:
        media.ice, media.dtls = deepcopy(bundle[0].ice), deepcopy(bundle[0].dtls)
        media.rtcp_mux = media.rtcp_mux or bundle[0].rtcp_mux
    for media in offer.media:
        if media.kind != "application" and not media.rtcp_mux:
            raise RefusedError(400, f"m={media.kind} needs a=rtcp-mux")


def _check(media: MediaDescription) -> None:
    where, dtls = f"m={media.kind}", media.dtls
    ufrag, pwd = (media.ice.usernameFragment, media.ice.password) if media.ice is not None else (None, None)
    # The messages do not repeat the values: both together give access to the connection.
    if not _UFRAG.fullmatch(ufrag or ""):
        raise RefusedError(400, f"{where} needs an a=ice-ufrag of 4 to 256 letters, digits, + or /")
    if not _PWD.fullmatch(pwd or ""):
        raise RefusedError(400, f"{where} needs an a=ice-pwd of 22 to 256 letters, digits, + or /")
    if dtls is None or dtls.role is None:
        raise RefusedError(400, f"{where} needs an a=setup: expected actpass in an offer")
    known = {(each.algorithm.lower(), each.value.upper()) for each in dtls.fingerprints if _is_known(each)}
    if not known:
        count = len(dtls.fingerprints)
        raise RefusedError(400, f"{where} needs an a=fingerprint with sha-256, got {count} lines without")
    if len(known) > _MOST_FINGERPRINTS:
        raise RefusedError(
            400, f"{where} has {len(known)} fingerprints: expected at most {_MOST_FINGERPRINTS}"
        )
    dtls.fingerprints = [RTCDtlsFingerprint(algorithm, value) for algorithm, value in sorted(known)]


def _is_known(fingerprint: RTCDtlsFingerprint) -> bool:
    size = _DIGEST_BYTES.get(fingerprint.algorithm.lower(), 0)
    return len(fingerprint.value) == size * 3 - 1 and bool(_DIGEST.fullmatch(fingerprint.value))
