"""Give an aiortc sender rtfilter's encoders, and have the wanted codec come first in a negotiation.

Each sender is changed by itself and before it starts; stock ones live beside it undisturbed.
"""

from __future__ import annotations

from aiortc import RTCRtpSender
from aiortc.rtcrtpparameters import RTCRtpCodecCapability, RTCRtpCodecParameters, RTCRtpSendParameters
from aiortc.rtcrtptransceiver import RTCRtpTransceiver

from rtfilter.errors import UsageError, nearest
from rtfilter.serve.gate.options import CODECS
from rtfilter.serve.rtc.aiortc_parts import private, replace_private, require_version
from rtfilter.serve.rtc.h264_encoder import PromptH264Encoder
from rtfilter.serve.rtc.picture_encoder import NOMINAL_FPS, PictureEncoder
from rtfilter.serve.rtc.vp8_encoder import PromptVp8Encoder

__all__ = ["EncoderChoice", "prefer_codec", "tune_sender"]

# By its name: type checkers rightly object to a method being assigned. Here it is meant, for one instance.
_SEND = "send"


class EncoderChoice:
    """Makes the encoder for the codec that the negotiation ends with, when the sender starts."""

    def __init__(self, sender: RTCRtpSender, bitrate_bps: int, fps: float, hardware: bool) -> None:
        self.encoder: PictureEncoder | None = None  # None until the sender starts
        self._sender = sender
        self._start = sender.send
        self._bitrate_bps = bitrate_bps
        self._fps = fps
        self._hardware = hardware

    async def send(self, parameters: RTCRtpSendParameters) -> None:
        """In place of the sender's own: it may be called more than once, as that may."""
        if self.encoder is None:
            self.encoder = self._made_for(parameters.codecs[0])
            if self.encoder is not None:
                replace_private(self._sender, RTCRtpSender, "encoder", self.encoder)
        await self._start(parameters)

    def _made_for(self, codec: RTCRtpCodecParameters) -> PictureEncoder | None:
        if codec.name == "VP8":
            return PromptVp8Encoder(self._bitrate_bps)
        if codec.name == "H264":
            return PromptH264Encoder(self._bitrate_bps, fps=self._fps, hardware=self._hardware)
        return None


def tune_sender(
    sender: RTCRtpSender, *, bitrate_bps: int, fps: float = NOMINAL_FPS, hardware: bool = True
) -> EncoderChoice:
    """Call it before the connection is made; for a video sender.

    bitrate_bps: where the bitrate starts and what it never exceeds; a receiver's estimate lowers it.
    fps: of the pictures at most; H.264 levels depend on it. hardware: try H.264 in hardware first.

    Raises `UnprovenVersionError` with an aiortc whose insides are not known, and `UsageError` for audio or
    a sender that has started. The sender is untouched then.
    """
    require_version()
    if sender.kind != "video":
        raise UsageError(f"tune_sender: expected a video sender, got one for {sender.kind}")
    if private(sender, RTCRtpSender, "started", bool):
        raise UsageError("tune_sender: this sender has started; call it before setLocalDescription")
    private(sender, RTCRtpSender, "encoder", object)
    choice = EncoderChoice(sender, bitrate_bps, fps, hardware)
    setattr(sender, _SEND, choice.send)
    return choice


def prefer_codec(transceiver: RTCRtpTransceiver, codec: str) -> bool:
    """Put `codec`, "vp8" or "h264", before the others, which stay; before or after `setRemoteDescription`.

    Returns whether `codec` will be sent, as far as is known: False when the other side has not offered it,
    and what it offered is used then. Raises `UsageError` for another name.
    """
    if codec not in CODECS:
        raise UsageError(f"unknown codec {codec!r}:{nearest(codec, CODECS)}")
    known = RTCRtpSender.getCapabilities(transceiver.kind).codecs
    transceiver.setCodecPreferences(sorted(known, key=lambda one: not _is(one, codec)))
    # An offer is compared with the preferences as it is set, which is before anybody can ask for a codec.
    transceiver._codecs.sort(key=lambda one: not _is(one, codec))
    return not transceiver._codecs or _is(transceiver._codecs[0], codec)


def _is(codec: RTCRtpCodecCapability | RTCRtpCodecParameters, name: str) -> bool:
    return codec.name.lower() == name
