"""One media section of an offer: what the server needs of it, each value checked, and nothing else.

aiortc's parser trusts its input: it indexes, converts and asserts. It is given lines that were made
here from values that matched, so that whatever it does not know never reaches it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rtfilter.serve.sdp_candidates import Candidate, checked_credentials
from rtfilter.serve.sdp_lines import ParsedSdp, SdpRefusedError, Section, shown, values_of

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
PROFILES = {
    "audio": {"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/TLS/RTP/SAVPF", "RTP/SAVPF", "RTP/SAVP"},
    "application": {"UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP"},
}
PROFILES["video"] = PROFILES["audio"]

# Hex digits of the digests that aiortc compares; others are left out, and one of these is needed.
_DIGEST_BYTES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_FINGERPRINT = re.compile(r"([A-Za-z0-9\-]{1,16}) ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*)")
_MID = re.compile(r"[!-~]{1,64}")
_MSID = re.compile(r"[!-~]{1,128}(?: [!-~]{1,128})?")
_RTPMAP = re.compile(r"([0-9]{1,3}) ([!-.0-~]{1,32})/([0-9]{1,7})(?:/([0-9]{1,2}))?")
_FMTP = re.compile(r"([0-9]{1,3}) (.{1,1024})")
_FEEDBACK = re.compile(r"([0-9]{1,3}|\*) ([!-~]{1,32}(?: [!-~]{1,32}){0,2})")
_EXTMAP = re.compile(r"([0-9]{1,3})(?:/[a-z]{1,8})? ([!-~]{1,256})(?: .*)?")
_SSRC = re.compile(r"([0-9]{1,10}) (cname|msid|mslabel|label):([ -~]{1,256})")
_SSRC_GROUP = re.compile(r"[A-Z\-]{1,16}(?: [0-9]{1,10}){1,8}")
# The parameters that are numbers to aiortc.
_NUMBERS = {
    "apt", "max-fr", "max-fs", "maxplaybackrate", "minptime", "stereo", "useinbandfec", "packetization-mode",
}  # fmt: skip
_MOST_SSRCS = 64
_DEFAULT_MESSAGE_SIZE = 65536  # RFC 8841, section 6.1


def direction_of(section: Section, session: ParsedSdp) -> str:
    """Of the section, else of the session, else "sendrecv" (RFC 8866). Raises SdpRefusedError for two."""
    own = [name for name, _ in section.attributes if name in DIRECTIONS]
    if len(own) > 1:
        raise SdpRefusedError(400, f"m={section.kind} has {len(own)} directions: expected one")
    common = [name for name, _ in session.attributes if name in DIRECTIONS]
    return (own or common or ["sendrecv"])[0]


def mid_of(section: Section) -> str:
    """Raises SdpRefusedError unless there is exactly one."""
    mids = section.values("mid")
    if len(mids) != 1 or not _MID.fullmatch(mids[0]):
        raise SdpRefusedError(400, f"m={section.kind} needs one a=mid, got {len(mids)}")
    return mids[0]


def section_lines(section: Section, session: ParsedSdp, candidates: list[Candidate]) -> list[str]:
    """The section written anew, `candidates` in place of its own. Raises SdpRefusedError.

    `a=end-of-candidates` is left out on purpose: candidates were removed, and the peer's own checks
    have to be waited for.
    """
    if section.profile not in PROFILES[section.kind]:
        raise SdpRefusedError(
            400, f"m={section.kind} with {shown(section.profile)}: expected DTLS, as UDP/TLS/RTP/SAVPF"
        )
    lines = [f"m={section.kind} {section.port} {section.profile} {' '.join(section.formats)}"]
    lines += _transport_lines(section, session)
    lines.append(f"a=mid:{mid_of(section)}")
    lines += [f"a=candidate:{candidate.sdp()}" for candidate in candidates]
    if section.kind == "application":
        lines += _channel_lines(section)
    else:
        lines.append(f"a={direction_of(section, session)}")
        lines += _media_lines(section)
    return lines


def _transport_lines(section: Section, session: ParsedSdp) -> Iterator[str]:
    """ICE and DTLS, from the section or from the session (libdatachannel's way)."""

    def values(name: str) -> list[str]:
        return section.values(name) or values_of(session.attributes, name)

    where = f"m={section.kind}"
    ufrags, pwds, setups = values("ice-ufrag"), values("ice-pwd"), values("setup")
    for name, found in (("ice-ufrag", ufrags), ("ice-pwd", pwds), ("setup", setups)):
        if len(found) != 1:
            raise SdpRefusedError(400, f"{where} needs one a={name}, got {len(found)}")
    checked_credentials(ufrags[0], pwds[0])
    if setups[0] not in ("actpass", "active", "passive"):
        raise SdpRefusedError(400, f"{where}: a=setup:{shown(setups[0])}: expected actpass in an offer")
    prints = [_fingerprint(value, where) for value in values("fingerprint")]
    known = [each for each in prints if each is not None]
    if not known or len(prints) > 8:
        raise SdpRefusedError(400, f"{where} needs an a=fingerprint with sha-256, got {len(prints)} lines")
    yield f"a=ice-ufrag:{ufrags[0]}"
    yield f"a=ice-pwd:{pwds[0]}"
    yield from (f"a=fingerprint:{each}" for each in known)
    yield f"a=setup:{setups[0]}"


def _fingerprint(value: str, where: str) -> str | None:
    match = _FINGERPRINT.fullmatch(value.strip())
    if match is None:
        raise SdpRefusedError(400, f"{where} has a malformed a=fingerprint")
    size = _DIGEST_BYTES.get(match[1].lower())
    if size is None:
        return None
    if len(match[2]) != size * 3 - 1:
        raise SdpRefusedError(400, f"{where} has a {match[1]} fingerprint that is not {size} bytes long")
    return f"{match[1]} {match[2]}"


def _channel_lines(section: Section) -> Iterator[str]:
    port = _number(section, "sctp-port", 65535)
    if port is None:
        # Written "m=application 9 DTLS/SCTP 5000" before RFC 8841.
        if section.profile != "DTLS/SCTP" or not re.fullmatch(r"[0-9]{1,5}", section.formats[0]):
            raise SdpRefusedError(400, "m=application needs an a=sctp-port")
    else:
        yield f"a=sctp-port:{port}"
    size = _number(section, "max-message-size", 2**63 - 1)
    yield f"a=max-message-size:{_DEFAULT_MESSAGE_SIZE if size is None else size}"


def _number(section: Section, name: str, highest: int) -> int | None:
    values = section.values(name)
    if not values:
        return None
    if len(values) > 1 or not re.fullmatch(r"[0-9]{1,19}", values[0]) or int(values[0]) > highest:
        raise SdpRefusedError(400, f"a={name}: expected one number from 0 to {highest}")
    return int(values[0])


def _media_lines(section: Section) -> Iterator[str]:
    if not section.has("rtcp-mux"):
        raise SdpRefusedError(400, f"m={section.kind} needs a=rtcp-mux")
    for number in section.formats:
        if not re.fullmatch(r"[0-9]{1,3}", number) or int(number) > 127 or 72 <= int(number) <= 76:
            raise SdpRefusedError(400, f"m={section.kind}: {shown(number)} is no payload type")
    yield "a=rtcp-mux"
    yield from (f"a=msid:{value}" for value in section.values("msid")[:1] if _MSID.fullmatch(value))
    yield from _codec_lines(section)
    seen: set[str] = set()
    for value in section.values("extmap"):
        match = _EXTMAP.fullmatch(value)
        if match is None or not 1 <= int(match[1]) <= 255 or match[1] in seen:
            raise SdpRefusedError(400, f"m={section.kind}: unreadable a=extmap:{shown(value)}")
        seen.add(match[1])
        yield f"a=extmap:{match[1]} {match[2]}"
    yield from _ssrc_lines(section)


def _codec_lines(section: Section) -> Iterator[str]:
    mapped: set[str] = set()
    for value in section.values("rtpmap"):
        match = _RTPMAP.fullmatch(value)
        if match is None or match[1] in mapped or match[1] not in section.formats:
            raise SdpRefusedError(400, f"m={section.kind}: unreadable a=rtpmap:{shown(value)}")
        mapped.add(match[1])
        channels = f"/{match[4]}" if match[4] else ""
        yield f"a=rtpmap:{match[1]} {match[2]}/{match[3]}{channels}"
    for value in section.values("fmtp"):
        match = _FMTP.fullmatch(value)
        if match is None:
            raise SdpRefusedError(400, f"m={section.kind}: unreadable a=fmtp:{shown(value)}")
        # One of a static payload type, which has no rtpmap, is of no codec that is served.
        if match[1] in mapped:
            yield f"a=fmtp:{match[1]} {_parameters(match[2], section.kind)}"
    for value in section.values("rtcp-fb"):
        match = _FEEDBACK.fullmatch(value.rstrip())
        if match is None:
            raise SdpRefusedError(400, f"m={section.kind}: unreadable a=rtcp-fb:{shown(value)}")
        if match[1] == "*" or match[1] in mapped:
            yield f"a=rtcp-fb:{match[1]} {match[2]}"


def _parameters(text: str, kind: str) -> str:
    """A codec's parameters without the spaces that some write after ";" and aiortc takes for names."""
    parts = [part.strip() for part in text.split(";")]
    for part in parts:
        name, equals, value = part.partition("=")
        if equals and name in _NUMBERS and not re.fullmatch(r"[0-9]{1,9}", value):
            raise SdpRefusedError(400, f"m={kind}: a=fmtp with {shown(part)}: expected a number")
    return ";".join(part for part in parts if part)


def _ssrc_lines(section: Section) -> Iterator[str]:
    for value in section.values("ssrc-group"):
        if _SSRC_GROUP.fullmatch(value):
            yield f"a=ssrc-group:{value}"
    sources: set[int] = set()
    for value in section.values("ssrc"):
        match = _SSRC.fullmatch(value)
        if match is None:
            continue
        sources.add(int(match[1]))
        if int(match[1]) >= 2**32 or len(sources) > _MOST_SSRCS:
            raise SdpRefusedError(400, f"m={section.kind}: absurd a=ssrc:{shown(value)}")
        yield f"a=ssrc:{match[1]} {match[2]}:{match[3]}"
