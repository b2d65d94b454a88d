"""An SDP cut down to the lines that aiortc reads: bounded in size and count, the unreadable ones left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from aiortc.sdp import DIRECTIONS, SessionDescription, grouplines, parameters_from_sdp

from rtfilter.serve.gate.options import Limits
from rtfilter.serve.gate.refusals import RefusedError

# Chromium's offer for one camera has lines of at most 250 characters and about 230 a section.
LINE_LENGTH = 2048
MOST_LINES = 4000
# What aiortc's parser and negotiation raise on text that they do not expect.
PARSER_ERRORS = (
    ValueError,
    AssertionError,
    LookupError,
    AttributeError,
    TypeError,
    StopIteration,
    OverflowError,
    RecursionError,
)

_TRANSPORT = {"fingerprint", "ice-pwd", "ice-ufrag", "setup", *DIRECTIONS}
_OF_SESSION = {"group", "ice-lite", *_TRANSPORT}
_OF_SECTION = {
    "bundle-only", "candidate", "extmap", "fmtp", "max-message-size", "mid", "rtcp-fb", "rtcp-mux", "rtpmap",
    "sctp-port", "ssrc", *_TRANSPORT,
}  # fmt: skip
# Payload types that need no rtpmap (RFC 3551), of what aiortc can decode.
_STATIC = {"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000"}
_MEDIA = re.compile(r"m=([a-z]{1,32}) ([0-9]{1,5}) ([A-Z/]{1,32}) ([!-~]{1,32}(?: [!-~]{1,32}){0,127})")
# A section that any line of one can be tried in.
_PROBE = "m=audio 9 UDP/TLS/RTP/SAVPF 0"


class SdpRefusedError(RefusedError):
    """An SDP that is not taken. status: 400 malformed, 413 too large, 422 not what is served here."""


@dataclass(slots=True)
class Section:
    """One m-line and the attribute lines after it that aiortc reads.

    kind: "audio", "video", "application" or another word.
    """

    line: str
    kind: str
    port: int
    profile: str
    formats: list[str]
    lines: list[str] = field(default_factory=list)

    @property
    def is_rejected(self) -> bool:
        """Whether the peer itself has switched it off: port 0, and not because of BUNDLE (RFC 8843)."""
        return self.port == 0 and "a=bundle-only" not in self.lines

    @property
    def mid(self) -> str | None:
        return next((line[6:] for line in self.lines if line.startswith("a=mid:")), None)


@dataclass(slots=True)
class Lines:
    """The attribute lines of one SDP that aiortc reads: before its first section, and section by section."""

    session: list[str]
    sections: list[Section]


def shown(text: str, length: int = 40) -> str:
    """`text` from outside, fit for a one-line message."""
    escaped = ascii(text[: length + 1])
    return escaped if len(escaped) <= length + 2 else f"{escaped[:length]}...{escaped[0]}"


def bounded_lines(text: str, limits: Limits) -> tuple[list[str], list[list[str]]]:
    """The lines before the first section, and those of each section. Raises SdpRefusedError for too much."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limits.sdp_bytes:
        raise SdpRefusedError(413, f"SDP of {size} bytes: expected at most {limits.sdp_bytes}")
    session, sections = grouplines(text)
    count = len(session) + sum(map(len, sections))
    if count > MOST_LINES:
        raise SdpRefusedError(400, f"SDP of {count} lines: expected at most {MOST_LINES}")
    if len(sections) > limits.media_sections:
        raise SdpRefusedError(
            400, f"SDP has {len(sections)} media sections: expected at most {limits.media_sections}"
        )
    return session, sections


def readable_lines(text: str, limits: Limits) -> Lines:
    """What of an offer aiortc reads. Raises SdpRefusedError where a bound is passed, or an m-line is none.

    Attributes that are unknown, or not as aiortc expects them, are left out (RFC 8866, section 5.13); one
    that was needed is missed by whoever needs it.
    """
    session, sections = bounded_lines(text, limits)
    return Lines([line for line in session if _is_read(line, _OF_SESSION)], list(map(_section, sections)))


def _section(lines: list[str]) -> Section:
    match = _MEDIA.fullmatch(lines[0])
    if match is None or int(match[2]) > 65535:
        raise SdpRefusedError(400, f"unreadable media line in the SDP: {shown(lines[0])}")
    section = Section(lines[0], match[1], int(match[2]), match[3], match[4].split(" "))
    section.lines = [tidied for line in lines[1:] if _is_read(tidied := _tidied(line), _OF_SECTION)]
    section.lines = list(_codec_lines(section))
    return section


def _is_read(line: str, names: set[str]) -> bool:
    name = line[2:].partition(":")[0]
    if not line.startswith("a=") or name not in names or len(line) > LINE_LENGTH or not line.isprintable():
        return False
    if name in ("fmtp", "rtcp-fb"):
        return " " in line  # the one that aiortc reads later, and what it needs of the other
    try:
        SessionDescription.parse(f"{line}\r\n{_PROBE}\r\n{line}\r\n")
    except PARSER_ERRORS:
        return False
    return True


def _tidied(line: str) -> str:
    """`line` without what is legal and aiortc cannot read: an extension's own attributes, surplus blanks."""
    words = line.split()
    if line.startswith("a=extmap:"):
        words = words[:2]
    return " ".join(words)


def _codec_lines(section: Section) -> Iterator[str]:
    """The section's lines with one rtpmap for a payload type, and parameters of none that has no codec."""
    mapped: set[str] = set()
    static = _STATIC if section.kind == "audio" else {}
    for line in section.lines:
        if line.startswith("a=rtpmap:"):
            number = line[9:].partition(" ")[0]
            if number in mapped or number not in section.formats:
                continue
            mapped.add(number)
            line = f"a=rtpmap:{number} {static[number]}" if number in static else line
        if not line.startswith("a=fmtp:"):
            yield line
    missing = [number for number in section.formats if number in static and number not in mapped]
    yield from (f"a=rtpmap:{number} {static[number]}" for number in dict.fromkeys(missing))
    for line in section.lines:
        if line.startswith("a=fmtp:"):
            number, _, parameters = line[7:].partition(" ")
            if number in mapped and (kept := ";".join(_parameters(parameters))):
                yield f"a=fmtp:{number} {kept}"


def _parameters(text: str) -> Iterator[str]:
    """Those parameters of a codec that aiortc can read, without the spaces that some write after ";"."""
    for part in map(str.strip, text.split(";")):
        try:
            parameters_from_sdp(part)
        except ValueError:
            continue
        # It takes a number without a value for one; RFC 6184 has the mode be 0 where nothing is said.
        if part not in ("", "packetization-mode"):
            yield part
