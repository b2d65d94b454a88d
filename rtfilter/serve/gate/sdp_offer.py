"""Offers of WebRTC clients: refused with one line, or rewritten with only what the server needs of them.

Called by `app.api` and `app.whip`; `app.peer` gives the result to aiortc.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from aiortc.codecs import CODECS
from aiortc.rtcpeerconnection import find_common_codecs
from aiortc.rtcrtpparameters import ParametersDict, RTCRtpCodecParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities
from aiortc.rtp import DYNAMIC_PAYLOAD_TYPES
from aiortc.sdp import DIRECTIONS, GroupDescription, MediaDescription, SessionDescription

from rtfilter.serve.gate.networks import AllowedNetworks
from rtfilter.serve.gate.options import Limits
from rtfilter.serve.gate.refusals import RefusedError, shown
from rtfilter.serve.gate.sdp_lines import PARSER_ERRORS, Section, readable_lines
from rtfilter.serve.gate.sdp_transport import settle_transport, usable_candidates

Kind = Literal["peer", "whip", "whep"]
# H.264 parameters by mid and payload type.
H264Parameters = dict[tuple[str, "int | None"], ParametersDict]

# Sections that are served by kind of offer, at most. A WHEP watcher may request the original too.
_SERVED = {
    "peer": {"video": 1, "audio": 1, "application": 1},
    "whip": {"video": 1, "audio": 1, "application": 1},
    "whep": {"video": 2, "audio": 1, "application": 1},
}
# Directions of the video, from the offering side.
_VIDEO_DIRECTIONS = {
    "peer": ("sendonly", "sendrecv"),
    "whip": ("sendonly", "sendrecv"),
    "whep": ("recvonly", "sendrecv"),
}
_RTP = {"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/TLS/RTP/SAVPF", "RTP/SAVPF", "RTP/SAVP"}
_SCTP = {"UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP"}
_MID = re.compile(r"[!-~]{1,64}")
_MOST_SSRCS = 64
_DEFAULT_MESSAGE_SIZE = 65536  # RFC 8841, section 6.1
# aiortc accepts only the baseline profile of H.264; its decoder, libavcodec, decodes every profile.
_PROFILE, _PACKETS = "profile-level-id", "packetization-mode"
_KNOWN_H264: ParametersDict = {"level-asymmetry-allowed": "1", _PACKETS: "1", _PROFILE: "42e01f"}


@dataclass(frozen=True, slots=True)
class CheckedOffer:
    """An offer for aiortc, and what is needed to turn aiortc's answer into one to the original offer.

    Attributes:
        sdp: The offer, every line written by aiortc itself, with only candidates that may be checked.
        rejected: Sections that the peer switched off, by index in the original; `sdp` lacks them.
        bundle: Mids that the peer offers to bundle.
        ufrags: ICE user fragments of the peer.
        is_passive: Whether the peer waits for DTLS to be opened from here.
        h264: Parameters of the original offer, where `sdp` has the ones that aiortc accepts.
    """

    sdp: str
    rejected: Mapping[int, Section]
    bundle: frozenset[str]
    ufrags: frozenset[str]
    is_passive: bool
    h264: H264Parameters

    def answer(self, sdp: str) -> str:
        """aiortc's answer `sdp` as one to the original offer: all of its sections, its H.264 parameters."""
        answer = SessionDescription.parse(sdp)
        for media in answer.media:
            for codec in media.rtp.codecs:
                offered = self.h264.get((media.rtp.muxId, codec.payloadType))
                if offered is not None:
                    kept = {name: offered[name] for name in (_PACKETS, _PROFILE) if name in offered}
                    codec.parameters = {"level-asymmetry-allowed": "1", **kept}
        # aiortc bundles all; an answer may only bundle what the offer does.
        mids = [media.rtp.muxId for media in answer.media if media.rtp.muxId in self.bundle]
        answer.group = [GroupDescription("BUNDLE", [*mids])] if mids else []
        sections = [str(media) for media in answer.media]
        for index, section in sorted(self.rejected.items()):
            sections.insert(index, _rejected(section))
        answer.media = []
        return str(answer) + "".join(sections)


def _rejected(section: Section) -> str:
    """The section switched off in the answer too (RFC 3264, section 6)."""
    lines = [f"m={section.kind} 0 {section.profile} {' '.join(section.formats)}", "c=IN IP4 0.0.0.0"]
    lines += [f"a=mid:{section.mid}"] if section.mid is not None else []
    return "\r\n".join([*lines, "a=inactive"]) + "\r\n"


def checked_offer(text: str, kind: Kind, limits: Limits, networks: AllowedNetworks) -> CheckedOffer:
    """The offer `text`, parsed by aiortc behind bounds and written anew by it.

    Optional lines that cannot be read are left out. The result shares a codec with aiortc in every section.

    Args:
        text: An SDP.
        kind: "peer" (camera in, picture back), "whip" (in) or "whep" (out).
        limits: Bounds of size and count.
        networks: Addresses that ICE checks may be sent to.

    Raises:
        RefusedError: 413 for too many bytes, 400 for a required line that is missing or a limit that is
            passed, 422 for a well-formed offer of something that is not served.
    """
    if not text.startswith("v=0"):
        raise RefusedError(400, f"this is no SDP: expected v=0 first, got {shown(text[:20])}")
    session, sections = readable_lines(text, limits)
    if not sections:
        raise RefusedError(400, "SDP without a media section: expected m=video")
    live = [each for each in sections if not each.is_rejected]
    _check_kinds(live, kind)
    offer = _parsed(session, live)
    _check_mids(offer)
    settle_transport(offer)
    direction = next((line[2:] for line in session if line[2:] in DIRECTIONS), "sendrecv")
    h264: H264Parameters = {}
    for media in offer.media:
        media.ice_candidates = usable_candidates(media.ice_candidates, limits, networks)
        # Candidates may have been removed: the peer's own checks are waited for.
        media.ice_candidates_complete = False
        _settle(media, direction)
        if media.kind == "video":
            _check_direction(media, kind)
            h264 |= _accept_h264(media, kind)
        _check_codecs(media)
    return CheckedOffer(
        str(offer),
        {index: each for index, each in enumerate(sections) if each.is_rejected},
        frozenset(str(mid) for group in offer.group for mid in group.items),
        frozenset(media.ice.usernameFragment or "" for media in offer.media if media.ice is not None),
        any(media.dtls is not None and media.dtls.role == "server" for media in offer.media),
        h264,
    )


def _check_kinds(sections: list[Section], kind: Kind) -> None:
    served = _SERVED[kind]
    for section in sections:
        if section.kind not in served:
            raise RefusedError(422, f"m={shown(section.kind)} is not served: expected {', '.join(served)}")
        if section.profile not in (_SCTP if section.kind == "application" else _RTP):
            raise RefusedError(
                400, f"m={section.kind} with {shown(section.profile)}: expected DTLS, as UDP/TLS/RTP/SAVPF"
            )
    for name, most in served.items():
        count = sum(section.kind == name for section in sections)
        if count > most:
            raise RefusedError(422, f"{count} sections m={name}: expected at most {most}")
    if not any(section.kind == "video" for section in sections):
        raise RefusedError(422, "SDP without m=video: there is nothing to filter or to watch")


def _parsed(session: list[str], sections: list[Section]) -> SessionDescription:
    lines = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0", *session]
    for section in sections:
        lines += [section.line, *section.lines]
    try:
        return SessionDescription.parse("\r\n".join(lines) + "\r\n")
    except PARSER_ERRORS as error:
        reason = shown(f"{type(error).__name__} {error}".strip(), 80)
        raise RefusedError(400, f"SDP that cannot be read: {reason}") from error


def _check_mids(offer: SessionDescription) -> None:
    for media in offer.media:
        if not _MID.fullmatch(media.rtp.muxId or ""):
            raise RefusedError(400, f"m={media.kind} needs an a=mid of 1 to 64 visible characters")
    if len({media.rtp.muxId for media in offer.media}) != len(offer.media):
        raise RefusedError(400, "two media sections have the same a=mid")


def _settle(media: MediaDescription, direction: str) -> None:
    """Reduce a section to what the server uses, with numbers that fit the fields of the protocols."""
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
    """Whether aiortc answers with the payload type that was offered; it has no dynamic ones below 96."""
    own = [each.payloadType for each in CODECS["audio"] if each.mimeType.lower() == codec.mimeType.lower()]
    return codec.payloadType in DYNAMIC_PAYLOAD_TYPES or codec.payloadType in own


def _settle_channel(media: MediaDescription) -> None:
    # "m=application 9 DTLS/SCTP 5000" before RFC 8841.
    legacy = str(media.fmt[0]) if media.profile == "DTLS/SCTP" else ""
    port = int(legacy) if re.fullmatch(r"[0-9]{1,5}", legacy) else media.sctp_port
    if port is None or not 0 <= port <= 65535:
        raise RefusedError(400, "m=application needs an a=sctp-port from 0 to 65535")
    capabilities = media.sctpCapabilities
    if capabilities is None or not 0 <= capabilities.maxMessageSize < 2**63:
        media.sctpCapabilities = RTCSctpCapabilities(_DEFAULT_MESSAGE_SIZE)


def _check_direction(video: MediaDescription, kind: Kind) -> None:
    expected = _VIDEO_DIRECTIONS[kind]
    if video.direction not in expected:
        raise RefusedError(
            422, f"m=video is a={video.direction}: expected {' or '.join(expected)} from this side"
        )


def _accept_h264(video: MediaDescription, kind: Kind) -> H264Parameters:
    """Replace the H.264 parameters that `video` offers by `_KNOWN_H264`; returns the originals.

    Every profile is taken from a publisher, which may also send single NAL units only (packetization-mode
    0): the decoder takes both. Where we send, it is done only without a simpler common codec.
    """
    offered: H264Parameters = {}
    if kind != "whip" and _has_common_codec(video):
        return offered
    for codec in video.rtp.codecs:
        if codec.name.lower() == "h264" and (kind == "whip" or codec.parameters.get(_PACKETS) == "1"):
            offered[video.rtp.muxId, codec.payloadType] = codec.parameters
            codec.parameters = dict(_KNOWN_H264)
    return offered


def _has_common_codec(media: MediaDescription) -> bool:
    common = find_common_codecs(CODECS[media.kind], media.rtp.codecs)
    return any(codec.name.lower() != "rtx" for codec in common)


def _check_codecs(media: MediaDescription) -> None:
    if media.kind not in CODECS or _has_common_codec(media):
        return
    expected = "VP8, or H.264 with packetization-mode=1"
    if media.kind != "video":
        expected = ", ".join(sorted({codec.name for codec in CODECS[media.kind]}))
    names = sorted({codec.name for codec in media.rtp.codecs if codec.name.lower() != "rtx"})
    offered = shown(", ".join(names) or "no codec", 80)
    raise RefusedError(422, f"m={media.kind} offers {offered}: expected {expected}")
