"""`CheckedOffer`: an offer as aiortc is given it, and how aiortc's answer becomes one to the original."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiortc.rtcrtpparameters import ParametersDict
from aiortc.sdp import GroupDescription, MediaDescription, SessionDescription

from rtfilter.serve.gate.sdp_lines import Section

# aiortc accepts only the baseline profile of H.264; its decoder, libavcodec, decodes every profile.
_PROFILE, _PACKETS = "profile-level-id", "packetization-mode"
KNOWN_H264: ParametersDict = {"level-asymmetry-allowed": "1", _PACKETS: "1", _PROFILE: "42e01f"}


@dataclass(frozen=True, slots=True)
class CheckedOffer:
    """sdp: what aiortc is given: every line made by aiortc itself, with only candidates that may be checked.

    rejected: sections that the peer switched off, by their place in the original; aiortc is not given them.
    bundle: the mids that the peer offers to bundle. ufrags: of the peer. is_passive: whether the peer wants
    DTLS to be opened from here. h264: the parameters that were offered, by mid and payload type, where
    aiortc is given `KNOWN_H264` for them.
    """

    sdp: str
    rejected: Mapping[int, Section] = field(default_factory=dict)
    bundle: frozenset[str] = frozenset()
    ufrags: frozenset[str] = frozenset()
    is_passive: bool = False
    h264: Mapping[tuple[str, int | None], ParametersDict] = field(default_factory=dict)

    def answer(self, sdp: str) -> str:
        """aiortc's answer `sdp` as the answer to the original: all of its sections, its parameters."""
        answer = SessionDescription.parse(sdp)
        for media in answer.media:
            for codec in media.rtp.codecs:
                offered = self.h264.get((media.rtp.muxId, codec.payloadType))
                if offered is not None:
                    kept = {name: offered[name] for name in (_PACKETS, _PROFILE) if name in offered}
                    codec.parameters = {"level-asymmetry-allowed": "1", **kept}
        # aiortc bundles all, whatever was offered; an answer may only bundle what the offer does.
        mids = [media.rtp.muxId for media in answer.media if media.rtp.muxId in self.bundle]
        answer.group = [GroupDescription("BUNDLE", [*mids])] if mids else []
        sections = [str(media) for media in answer.media]
        for index, section in sorted(self.rejected.items()):
            sections.insert(index, _rejected(section))
        answer.media = []
        return str(answer) + "".join(sections)


def accept_h264(media: MediaDescription, *, sends_only: bool) -> dict[tuple[str, int | None], ParametersDict]:
    """The H.264 parameters that `media` offers, replaced in it by `KNOWN_H264`, which aiortc accepts.

    Returned by mid and payload type, for the answer.

    sends_only: the peer sends and gets nothing back. Then it may also send single NAL units only
    (packetization-mode 0), which the decoder takes and our encoder does not keep to.
    """
    offered: dict[tuple[str, int | None], ParametersDict] = {}
    for codec in media.rtp.codecs:
        if codec.name.lower() != "h264":
            continue
        if codec.parameters.get(_PACKETS) == "1" or sends_only:
            offered[media.rtp.muxId, codec.payloadType] = codec.parameters
            codec.parameters = dict(KNOWN_H264)
    return offered


def _rejected(section: Section) -> str:
    """The section switched off in the answer too (RFC 3264, section 6)."""
    lines = [f"m={section.kind} 0 {section.profile} {' '.join(section.formats)}", "c=IN IP4 0.0.0.0"]
    lines += [f"a=mid:{section.mid}"] if section.mid is not None else []
    return "\r\n".join([*lines, "a=inactive"]) + "\r\n"
