"""An SDP taken apart into lines and sections, and what is bounded before anybody interprets them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rtfilter.serve.options import Limits
from rtfilter.serve.refusals import RefusedError

# Chromium's offer for one camera has lines of at most 250 characters and about 230 a section.
LINE_LENGTH = 2048
LINES_PER_SECTION = 800

_LINE = re.compile(r"[a-z]=.*")
_MEDIA = re.compile(r"m=([a-z]{1,32}) ([0-9]{1,5}) ([A-Z/]{1,32}) ([!-~]{1,32}(?: [!-~]{1,32}){0,127})")


class SdpRefusedError(RefusedError):
    """An SDP that is not taken. status: 400 malformed, 413 too large, 422 not what is served here."""


@dataclass(slots=True)
class Section:
    """One m-line and what follows it. kind: "audio", "video", "application" or another word.

    attributes: name and value of its `a=` lines, in order; the value is None without a colon.
    """

    kind: str
    port: int
    profile: str
    formats: list[str]
    attributes: list[tuple[str, str | None]] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        """The values of all `a=name:value`, in order."""
        return values_of(self.attributes, name)

    def has(self, name: str) -> bool:
        return any(key == name for key, _ in self.attributes)


@dataclass(slots=True)
class ParsedSdp:
    """attributes: of the session, before the first section."""

    attributes: list[tuple[str, str | None]] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)


def values_of(attributes: list[tuple[str, str | None]], name: str) -> list[str]:
    """The values of all attributes of that name that have one."""
    return [value for key, value in attributes if key == name and value is not None]


def shown(text: str, length: int = 40) -> str:
    """`text` from outside, fit for a one-line message."""
    escaped = ascii(text[: length + 1])
    return escaped if len(escaped) <= length + 2 else f"{escaped[:length]}...{escaped[0]}"


def split_lines(text: str, limits: Limits) -> list[str]:
    """The lines of an SDP or a fragment of one. Raises SdpRefusedError when a bound is passed."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limits.sdp_bytes:
        raise SdpRefusedError(413, f"SDP of {size} bytes: expected at most {limits.sdp_bytes}")
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_LENGTH:
            raise SdpRefusedError(
                400, f"SDP line {number} has {len(line)} characters: expected at most {LINE_LENGTH}"
            )
        # Also what `str.splitlines` takes for the end of a line, and aiortc's parser splits by that.
        if not line.isprintable():
            raise SdpRefusedError(400, f"SDP line {number} has a control character: {shown(line)}")
        if not _LINE.fullmatch(line):
            raise SdpRefusedError(400, f"SDP line {number} is no line of an SDP: {shown(line)}")
    return lines


def parse_sections(lines: list[str], limits: Limits) -> ParsedSdp:
    """The session's attributes and the sections. Raises SdpRefusedError for too many or unreadable ones."""
    parsed = ParsedSdp()
    attributes = parsed.attributes
    count = 0
    for line in lines:
        count += 1
        if line.startswith("m="):
            if len(parsed.sections) == limits.media_sections:
                raise SdpRefusedError(
                    400, f"SDP has more than {limits.media_sections} media sections, which is the limit"
                )
            section = _section(line)
            parsed.sections.append(section)
            attributes = section.attributes
            count = 0
        elif line.startswith("a="):
            name, colon, value = line[2:].partition(":")
            attributes.append((name, value if colon else None))
        if count > LINES_PER_SECTION:
            raise SdpRefusedError(400, f"SDP has a section of more than {LINES_PER_SECTION} lines")
    return parsed


def _section(line: str) -> Section:
    match = _MEDIA.fullmatch(line)
    if match is None or int(match[2]) > 65535:
        raise SdpRefusedError(400, f"unreadable media line in the SDP: {shown(line)}")
    return Section(kind=match[1], port=int(match[2]), profile=match[3], formats=match[4].split(" "))
