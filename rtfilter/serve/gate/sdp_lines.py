"""Lines of an SDP that aiortc reads: bounded in size and count, unreadable ones left out.

Called by `gate.sdp_offer` and `gate.sdp_transport`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from aiortc.sdp import DIRECTIONS, SessionDescription, grouplines, parameters_from_sdp

from rtfilter.serve.gate.options import Limits
from rtfilter.serve.gate.refusals import RefusedError, shown

# Chromium's offer for one camera has lines of at most 250 characters and about 230 lines a section.
_LINE_LENGTH = 2048
_MOST_LINES = 4000
# Exceptions of aiortc's parser and negotiation for text that they do not expect.
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
# Payload types of aiortc's decoders that need no rtpmap (RFC 3551).
_STATIC = {"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000"}
_MEDIA = re.compile(r"m=([a-z]{1,32}) ([0-9]{1,5}) ([A-Z/]{1,32}) ([!-~]{1,32}(?: [!-~]{1,32}){0,127})")
# A media section in which any attribute line can be parsed by itself.
_PROBE = "m=audio 9 UDP/TLS/RTP/SAVPF 0"


@dataclass(slots=True)
class Section:
    """One m-line and its attribute lines, as far as aiortc reads them.

    Attributes:
        line: The m-line.
        kind: "audio", "video", "application" or another word.
        port: 0..65535.
        profile: Transport, as "UDP/TLS/RTP/SAVPF".
        formats: RTP payload types, or the format of a data channel.
        lines: Attribute lines, "a=...".
    """

    line: str
    kind: str
    port: int
    profile: str
    formats: list[str]
    lines: list[str] = field(default_factory=list)

    @property
    def is_rejected(self) -> bool:
        """Whether the peer switched the section off: port 0, and not because of BUNDLE (RFC 8843)."""
        return self.port == 0 and "a=bundle-only" not in self.lines

    @property
    def mid(self) -> str | None:
        return next((line[6:] for line in self.lines if line.startswith("a=mid:")), None)


def bounded_lines(text: str, limits: Limits) -> tuple[list[str], list[list[str]]]:
    """The lines before the first media section, and those of each section.

    Raises:
        RefusedError: 413 for too many bytes, 400 for too many lines or sections.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limits.sdp_bytes:
        raise RefusedError(413, f"SDP of {size} bytes: expected at most {limits.sdp_bytes}")
    session, sections = grouplines(text)
    count = len(session) + sum(map(len, sections))
    if count > _MOST_LINES:
        raise RefusedError(400, f"SDP of {count} lines: expected at most {_MOST_LINES}")
    if len(sections) > limits.media_sections:
        raise RefusedError(
            400, f"SDP has {len(sections)} media sections: expected at most {limits.media_sections}"
        )
    return session, sections


def readable_lines(text: str, limits: Limits) -> tuple[list[str], list[Section]]:
    """The attribute lines before the first media section, and the sections, as far as aiortc reads them.

    Attributes that are unknown or malformed are left out (RFC 8866, section 5.13). Required ones are checked
    by the callers.

    Raises:
        RefusedError: As `bounded_lines`, and 400 for an m-line that is malformed.
    """
    session, sections = bounded_lines(text, limits)
    return [line for line in session if _is_read(line, _OF_SESSION)], list(map(_section, sections))


def _section(lines: list[str]) -> Section:
    match = _MEDIA.fullmatch(lines[0])
    if match is None or int(match[2]) > 65535:
        raise RefusedError(400, f"unreadable media line in the SDP: {shown(lines[0])}")
    section = Section(lines[0], match[1], int(match[2]), match[3], match[4].split(" "))
    section.lines = [tidied for line in lines[1:] if _is_read(tidied := _tidied(line), _OF_SECTION)]
    section.lines = list(_codec_lines(section))
    return section


def _is_read(line: str, names: set[str]) -> bool:
    """Whether an attribute is one of `names`, and aiortc can parse it by itself."""
    name = line[2:].partition(":")[0]
    if not line.startswith("a=") or name not in names or len(line) > _LINE_LENGTH or not line.isprintable():
        return False
    if name in ("fmtp", "rtcp-fb"):
        return " " in line  # aiortc reads fmtp later, and needs a blank in rtcp-fb
    try:
        SessionDescription.parse(f"{line}\r\n{_PROBE}\r\n{line}\r\n")
    except PARSER_ERRORS:
        return False
    return True


def _tidied(line: str) -> str:
    """`line` without legal parts that aiortc cannot read: attributes of an extension, surplus blanks."""
    words = line.split()
    return " ".join(words[:2] if line.startswith("a=extmap:") else words)


def _codec_lines(section: Section) -> Iterator[str]:
    """The section's lines with one rtpmap a payload type, and an fmtp only where there is an rtpmap."""
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
    """The parameters of a codec that aiortc can read, without the blanks that some write after ";"."""
    for part in map(str.strip, text.split(";")):
        try:
            parameters_from_sdp(part)
        except ValueError:
            continue
        # aiortc takes the bare name for a value; RFC 6184 has the mode be 0 without one.
        if part not in ("", "packetization-mode"):
            yield part
