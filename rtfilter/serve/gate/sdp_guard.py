"""Offers from outside: refused with one line, or written anew with only what the server needs of them."""

from __future__ import annotations

import re
from typing import Literal

from aiortc.codecs import CODECS
from aiortc.rtcpeerconnection import find_common_codecs
from aiortc.rtcrtpparameters import ParametersDict, RTCRtpCodecParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities
from aiortc.rtp import DYNAMIC_PAYLOAD_TYPES
from aiortc.sdp import DIRECTIONS, MediaDescription, SessionDescription

from rtfilter.serve.gate.networks import AllowedNetworks
from rtfilter.serve.gate.options import Limits
from rtfilter.serve.gate.sdp_candidates import TrickleFragment, checked_candidates, usable_candidates
from rtfilter.serve.gate.sdp_lines import PARSER_ERRORS, SdpRefusedError, Section, readable_lines, shown
from rtfilter.serve.gate.sdp_offer import CheckedOffer, accept_h264
from rtfilter.serve.gate.sdp_transport import settle_transport

__all__ = [
    "CheckedOffer",
    "Kind",
    "SdpRefusedError",
    "TrickleFragment",
    "checked_candidates",
    "checked_offer",
]

Kind = Literal["peer", "whip", "whep"]

# Sections that are served, at most, by kind of offer. A WHEP watcher may ask for the original too.
_SERVED: dict[Kind, dict[str, int]] = {
    "peer": {"video": 1, "audio": 1, "application": 1},
    "whip": {"video": 1, "audio": 1, "application": 1},
    "whep": {"video": 2, "audio": 1, "application": 1},
}
# Directions of the video, as the offering side says them.
_VIDEO_DIRECTIONS: dict[Kind, set[str]] = {
    "peer": {"sendrecv", "sendonly"},
    "whip": {"sendonly", "sendrecv"},
    "whep": {"recvonly", "sendrecv"},
}
_RTP = {"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/TLS/RTP/SAVPF", "RTP/SAVPF", "RTP/SAVP"}
_PROFILES = {
    "audio": _RTP,
    "video": _RTP,
    "application": {"UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP"},
}
_MID = re.compile(r"[!-~]{1,64}")
_MOST_SSRCS = 64
_DEFAULT_MESSAGE_SIZE = 65536  # RFC 8841, section 6.1


def checked_offer(text: str, kind: Kind, limits: Limits, networks: AllowedNetworks) -> CheckedOffer:
    """The offer `text`, read by aiortc's parser behind bounds, and written anew by it.

    kind: "peer" (camera in, picture back), "whip" (in) or "whep" (out). What is optional and cannot be read
    is left out; the result shares a codec with aiortc in every section. Raises SdpRefusedError with one
    line: 413 when larger than `limits.sdp_bytes`, 400 when something needed is missing or a limit is passed,
    422 when it is well-formed but offers or asks for something that is not served.
    """
    if not text.startswith("v=0"):
        raise SdpRefusedError(400, f"this is no SDP: expected v=0 first, got {shown(text[:20])}")
    lines = readable_lines(text, limits)
    if not lines.sections:
        raise SdpRefusedError(400, "SDP without a media section: expected m=video")
    rejected = {index: each for index, each in enumerate(lines.sections) if each.is_rejected}
    live = [each for each in lines.sections if not each.is_rejected]
    _check_kinds(live, kind)
    offer = _parsed(lines.session, live)
    _check_mids(offer)
    settle_transport(offer)
    common = [line[2:] for line in lines.session if line[2:] in DIRECTIONS]
    h264: dict[tuple[str, int | None], ParametersDict] = {}
    for media in offer.media:
        media.ice_candidates = usable_candidates(media.ice_candidates, limits, networks)
        # Candidates were removed: the peer's own checks have to be waited for.
        media.ice_candidates_complete = False
        _settle(media, (common or ["sendrecv"])[0])
        if media.kind == "video":
            _check_direction(media, kind)
            h264 |= _accept_profiles(media, kind)
        _check_codecs(media)
    return CheckedOffer(
        str(offer),
        rejected,
        frozenset(str(mid) for group in offer.group for mid in group.items),
        frozenset(media.ice.usernameFragment or "" for media in offer.media if media.ice is not None),
        any(media.dtls is not None and media.dtls.role == "server" for media in offer.media),
        h264,
    )


def _check_kinds(sections: list[Section], kind: Kind) -> None:
    served = _SERVED[kind]
    for section in sections:
        if section.kind not in served:
            raise SdpRefusedError(422, f"m={shown(section.kind)} is not served: expected {', '.join(served)}")
        if section.profile not in _PROFILES[section.kind]:
            raise SdpRefusedError(
                400, f"m={section.kind} with {shown(section.profile)}: expected DTLS, as UDP/TLS/RTP/SAVPF"
            )
    for name, most in served.items():
        count = sum(section.kind == name for section in sections)
        if count > most:
            raise SdpRefusedError(422, f"{count} sections m={name}: expected at most {most}")
    if not any(section.kind == "video" for section in sections):
        raise SdpRefusedError(422, "SDP without m=video: there is nothing to filter or to watch")


def _parsed(session: list[str], sections: list[Section]) -> SessionDescription:
    lines = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0", *session]
    for section in sections:
        lines += [section.line, *section.lines]
    try:
        return SessionDescription.parse("\r\n".join(lines) + "\r\n")
    except PARSER_ERRORS as error:
        raise SdpRefusedError(400, f"SDP that cannot be read: {_said(error)}") from error


def _said(error: Exception) -> str:
    return shown(f"{type(error).__name__} {error}".strip(), 80)


def _check_mids(offer: SessionDescription) -> None:
    mids = [media.rtp.muxId for media in offer.media]
    for media in offer.media:
        if not _MID.fullmatch(media.rtp.muxId or ""):
            raise SdpRefusedError(400, f"m={media.kind} needs an a=mid of 1 to 64 visible characters")
    if len(set(mids)) != len(mids):
        raise SdpRefusedError(400, "two media sections have the same a=mid")


def _settle(media: MediaDescription, direction: str) -> None:
    """Reduce a section to what the server uses, with numbers that fit the protocols' fields."""
    media.port, media.host, media.msid, media.ice_options = media.port or 9, None, None, None
    if media.kind == "application":
        _settle_channel(media)
        return
    media.direction = media.direction or direction
    media.rtcp_port, media.rtcp_host = 9, None
    known = {each.id: each for each in reversed(media.rtp.headerExtensions) if 1 <= each.id <= 255}
    media.rtp.headerExtensions = list(reversed(known.values()))
    media.rtp.codecs = [each for each in media.rtp.codecs if _keeps_its_number(each)]
    media.ssrc = [each for each in media.ssrc if 0 <= each.ssrc < 2**32][:_MOST_SSRCS]


def _keeps_its_number(codec: RTCRtpCodecParameters) -> bool:
    """Whether aiortc answers with the payload type that was offered; it knows no dynamic ones below 96."""
    own = [each.payloadType for each in CODECS["audio"] if each.mimeType.lower() == codec.mimeType.lower()]
    return codec.payloadType in DYNAMIC_PAYLOAD_TYPES or codec.payloadType in own


def _settle_channel(media: MediaDescription) -> None:
    # Written "m=application 9 DTLS/SCTP 5000" before RFC 8841.
    legacy = str(media.fmt[0]) if media.profile == "DTLS/SCTP" else ""
    port = int(legacy) if re.fullmatch(r"[0-9]{1,5}", legacy) else media.sctp_port
    if port is None or not 0 <= port <= 65535:
        raise SdpRefusedError(400, "m=application needs an a=sctp-port from 0 to 65535")
    capabilities = media.sctpCapabilities
    if capabilities is None or not 0 <= capabilities.maxMessageSize < 2**63:
        media.sctpCapabilities = RTCSctpCapabilities(_DEFAULT_MESSAGE_SIZE)


def _check_direction(video: MediaDescription, kind: Kind) -> None:
    expected = _VIDEO_DIRECTIONS[kind]
    if video.direction not in expected:
        raise SdpRefusedError(
            422, f"m=video is a={video.direction}: expected {' or '.join(sorted(expected))} from this side"
        )


def _accept_profiles(video: MediaDescription, kind: Kind) -> dict[tuple[str, int | None], ParametersDict]:
    """H.264 of every profile from who publishes; where we send too, only when there is nothing simpler."""
    if kind != "whip" and _has_common_codec(video):
        return {}
    return accept_h264(video, sends_only=kind == "whip")


def _has_common_codec(media: MediaDescription) -> bool:
    common = find_common_codecs(CODECS[media.kind], media.rtp.codecs)
    return any(codec.name.lower() != "rtx" for codec in common)


def _check_codecs(media: MediaDescription) -> None:
    if media.kind in CODECS and not _has_common_codec(media):
        names = sorted({codec.name for codec in media.rtp.codecs if codec.name.lower() != "rtx"})
        offered = shown(", ".join(names) or "no codec", 80)
        raise SdpRefusedError(422, f"m={media.kind} offers {offered}: expected {_expected(media.kind)}")


def _expected(kind: str) -> str:
    if kind == "video":
        return "VP8, or H.264 with packetization-mode=1"
    return ", ".join(sorted({codec.name for codec in CODECS[kind] if codec.name.lower() != "rtx"}))
