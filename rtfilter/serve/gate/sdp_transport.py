"""ICE and DTLS of an offer's sections: what is needed and sound, in a bundle from its first section."""

from __future__ import annotations

import re
from copy import deepcopy

from aiortc.rtcdtlstransport import RTCDtlsFingerprint
from aiortc.sdp import MediaDescription, SessionDescription

from rtfilter.serve.gate.sdp_lines import SdpRefusedError

# Bytes of the digests that aiortc compares; others are left out, and one of these is needed.
_DIGEST_BYTES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_DIGEST = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*")
_MOST_FINGERPRINTS = 8
_UFRAG = re.compile(r"[0-9A-Za-z+/]{4,256}")
_PWD = re.compile(r"[0-9A-Za-z+/]{22,256}")


def settle_transport(offer: SessionDescription) -> None:
    """Give every section the ICE and DTLS parameters that hold for it. Raises SdpRefusedError 400.

    In a bundle those of its first section hold for all (RFC 8843, section 9.2), and RFC 8829 has the others
    offered without any. A mid that no section has is taken out of the group: FFmpeg's muxer names two
    sections also when it has one.
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
            raise SdpRefusedError(400, f"m={media.kind} needs a=rtcp-mux")


def _check(media: MediaDescription) -> None:
    where, dtls = f"m={media.kind}", media.dtls
    ufrag, pwd = (media.ice.usernameFragment, media.ice.password) if media.ice is not None else (None, None)
    # The messages do not repeat them: who has both can enter the connection.
    if not _UFRAG.fullmatch(ufrag or ""):
        raise SdpRefusedError(400, f"{where} needs an a=ice-ufrag of 4 to 256 letters, digits, + or /")
    if not _PWD.fullmatch(pwd or ""):
        raise SdpRefusedError(400, f"{where} needs an a=ice-pwd of 22 to 256 letters, digits, + or /")
    if dtls is None or dtls.role is None:
        raise SdpRefusedError(400, f"{where} needs an a=setup: expected actpass in an offer")
    known = {(each.algorithm.lower(), each.value.upper()) for each in dtls.fingerprints if _is_known(each)}
    if not known:
        count = len(dtls.fingerprints)
        raise SdpRefusedError(400, f"{where} needs an a=fingerprint with sha-256, got {count} lines without")
    if len(known) > _MOST_FINGERPRINTS:
        raise SdpRefusedError(
            400, f"{where} has {len(known)} fingerprints: expected at most {_MOST_FINGERPRINTS}"
        )
    dtls.fingerprints = [RTCDtlsFingerprint(algorithm, value) for algorithm, value in sorted(known)]


def _is_known(fingerprint: RTCDtlsFingerprint) -> bool:
    size = _DIGEST_BYTES.get(fingerprint.algorithm.lower(), 0)
    return len(fingerprint.value) == size * 3 - 1 and bool(_DIGEST.fullmatch(fingerprint.value))
