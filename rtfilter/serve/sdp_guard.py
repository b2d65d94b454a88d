"""Offers from outside: refused with one line, or written anew with only what the server needs of them."""

from __future__ import annotations

from typing import Literal

from aiortc.codecs import CODECS
from aiortc.rtcpeerconnection import find_common_codecs
from aiortc.sdp import MediaDescription, SessionDescription

from rtfilter.serve.networks import AllowedNetworks
from rtfilter.serve.options import Limits
from rtfilter.serve.sdp_candidates import (
    TrickleFragment,
    checked_candidates,
    count_candidates,
    usable_candidates,
)
from rtfilter.serve.sdp_lines import (
    ParsedSdp,
    SdpRefusedError,
    Section,
    parse_sections,
    shown,
    split_lines,
    values_of,
)
from rtfilter.serve.sdp_section import direction_of, mid_of, section_lines

__all__ = ["Kind", "SdpRefusedError", "TrickleFragment", "checked_candidates", "checked_sdp"]

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
# What aiortc's parser and negotiation raise on text that they do not expect.
_PARSER_ERRORS = (
    ValueError,
    AssertionError,
    LookupError,
    AttributeError,
    TypeError,
    StopIteration,
    OverflowError,
    RecursionError,
)


def checked_sdp(text: str, kind: Kind, limits: Limits, networks: AllowedNetworks) -> str:
    """The offer `text`, written anew: unknown attributes gone, only candidates that may be checked.

    kind: "peer" (camera in, picture back), "whip" (in) or "whep" (out). The result parses with aiortc and
    shares a codec with it in every section. Raises SdpRefusedError with one line: 413 when larger than
    `limits.sdp_bytes`, 400 when it is malformed or passes another limit, 422 when it is well-formed but
    offers or asks for something that is not served.
    """
    offer = parse_sections(split_lines(text, limits), limits)
    if not text.startswith("v=0"):
        raise SdpRefusedError(400, f"this is no SDP: expected v=0 first, got {shown(text[:20])}")
    if not offer.sections:
        raise SdpRefusedError(400, "SDP without a media section: expected m=video")
    _check_kinds(offer, kind)
    count_candidates((value for section in offer.sections for value in section.values("candidate")), limits)
    mids = [mid_of(section) for section in offer.sections]
    if len(set(mids)) != len(mids):
        raise SdpRefusedError(400, "two media sections have the same a=mid")
    lines = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0", *_session_lines(offer, mids)]
    for section in offer.sections:
        candidates = usable_candidates(section.values("candidate"), networks)
        lines += section_lines(section, offer, candidates)
    written = "\r\n".join(lines) + "\r\n"
    _check_codecs(_parsed(written))
    return written


def _check_kinds(offer: ParsedSdp, kind: Kind) -> None:
    served = _SERVED[kind]
    for section in offer.sections:
        if section.kind not in served:
            raise SdpRefusedError(422, f"m={shown(section.kind)} is not served: expected {', '.join(served)}")
    for name, most in served.items():
        count = sum(section.kind == name for section in offer.sections)
        if count > most:
            raise SdpRefusedError(422, f"{count} sections m={name}: expected at most {most}")
    videos = [section for section in offer.sections if section.kind == "video"]
    if not videos:
        raise SdpRefusedError(422, "SDP without m=video: there is nothing to filter or to watch")
    for video in videos:
        _check_direction(video, offer, kind)


def _check_direction(video: Section, offer: ParsedSdp, kind: Kind) -> None:
    direction, expected = direction_of(video, offer), _VIDEO_DIRECTIONS[kind]
    if direction not in expected:
        raise SdpRefusedError(
            422, f"m=video is a={direction}: expected {' or '.join(sorted(expected))} from this side"
        )


def _session_lines(offer: ParsedSdp, mids: list[str]) -> list[str]:
    lines = []
    groups = [value.split() for value in values_of(offer.attributes, "group")]
    bundles = [items[1:] for items in groups if items and items[0] == "BUNDLE"]
    if len(bundles) > 1:
        raise SdpRefusedError(400, f"{len(bundles)} a=group:BUNDLE: expected one")
    if bundles and bundles[0]:
        bundle = bundles[0]
        if len(set(bundle)) != len(bundle) or not set(bundle) <= set(mids):
            raise SdpRefusedError(400, "a=group:BUNDLE names a section that is not there, or one twice")
        lines.append(f"a=group:BUNDLE {' '.join(bundle)}")
    lines.append("a=msid-semantic:WMS *")
    if any(name == "ice-lite" for name, _ in offer.attributes):
        lines.append("a=ice-lite")
    return lines


def _parsed(written: str) -> SessionDescription:
    """By aiortc's own parser, which is what will read it next."""
    try:
        return SessionDescription.parse(written)
    except _PARSER_ERRORS as error:
        raise SdpRefusedError(400, f"SDP that cannot be read: {type(error).__name__}") from error


def _check_codecs(description: SessionDescription) -> None:
    for media in description.media:
        if media.kind not in CODECS:
            continue
        try:
            common = find_common_codecs(CODECS[media.kind], media.rtp.codecs)
        except _PARSER_ERRORS as error:
            raise SdpRefusedError(400, f"codecs that cannot be read: {type(error).__name__}") from error
        if not [codec for codec in common if codec.name.lower() != "rtx"]:
            raise SdpRefusedError(
                422, f"m={media.kind} offers {_names(media)}: expected {_expected(media.kind)}"
            )


def _names(media: MediaDescription) -> str:
    names = sorted({codec.name for codec in media.rtp.codecs if codec.name.lower() != "rtx"})
    return shown(", ".join(names) or "no codec", 80)


def _expected(kind: str) -> str:
    if kind == "video":
        return "VP8, or H.264 of the (constrained) baseline profile with packetization-mode=1"
    return ", ".join(sorted({codec.name for codec in CODECS[kind] if codec.name.lower() != "rtx"}))
