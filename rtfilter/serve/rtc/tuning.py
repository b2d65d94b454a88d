"""Low-delay tuning of aiortc's receivers and senders: their jitter buffer, queues and encoder are replaced.

These are private attributes, replaced on one instance before it starts; others in the process keep aiortc's.
`gate.transports.check_versions` accepts only releases of aiortc that have them. Called by `app.peer`.
"""

from __future__ import annotations

import queue
import threading
from typing import TypeVar

from aiortc import RTCRtpReceiver, RTCRtpSender
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpparameters import RTCRtpCodecCapability, RTCRtpCodecParameters, RTCRtpSendParameters
from aiortc.rtcrtpreceiver import RemoteStreamTrack
from aiortc.rtcrtptransceiver import RTCRtpTransceiver

from rtfilter.errors import UsageError
from rtfilter.serve.gate.transports import PROVEN
from rtfilter.serve.rtc.decode_queues import (
    AudioDecodeQueue,
    DecodedQueue,
    SizeGate,
    TooLarge,
    VideoDecodeQueue,
)
from rtfilter.serve.rtc.encoders import PictureEncoder, PromptH264Encoder, PromptVp8Encoder
from rtfilter.serve.rtc.jitter import MarkerJitterBuffer, PromptAudioBuffer
from rtfilter.system.installation import install_packages

# Queue lengths, in frames: encoded and decoded video, encoded and decoded sound.
_VIDEO_WAITING, _VIDEO_KEPT = 4, 1
_AUDIO_WAITING, _AUDIO_KEPT = 10, 5

Part = TypeVar("Part")


def _private(holder: object, owner: type, name: str, kind: type[Part]) -> Part:
    """The attribute that class `owner` writes as `self.__name`. Raises UsageError unless it is a `kind`."""
    mangled = f"_{owner.__name__}__{name}"
    value = getattr(holder, mangled, None)
    if not hasattr(holder, mangled) or not isinstance(value, kind):
        fix = install_packages(f"aiortc=={PROVEN['aiortc']}*")
        found = f"is a {type(value).__name__}" if hasattr(holder, mangled) else "is not there"
        raise UsageError(
            f"this aiortc is another than rtfilter is made for: {owner.__name__}.__{name} {found}, expected a"
            f" {kind.__name__}; {fix}"
        )
    return value


def _replace(holder: object, owner: type, name: str, value: object) -> None:
    setattr(holder, f"_{owner.__name__}__{name}", value)


def tune_receiver(
    receiver: RTCRtpReceiver,
    *,
    width_px: int = 1920,
    height_px: int = 1920,
    on_too_large: TooLarge | None = None,
) -> None:
    """Release pictures at their last packet and sound as it comes, with bounded queues around the decoder.

    Call it after `setRemoteDescription` and before `setLocalDescription`.

    Args:
        receiver: A receiver of video or audio.
        width_px, height_px: Maximum picture size. A larger picture is not decoded if its size is known
            before, and is dropped otherwise.
        on_too_large: Called once on the event loop, with the size of the first larger picture.

    Raises:
        UsageError: The receiver has no track, has started, or is of an unknown aiortc. It is unchanged then.
    """
    # The receiver sends a request for a keyframe with the next packet once this is set.
    wants_keyframe = _private(receiver, RTCRtpReceiver, "decoder_error", threading.Event)
    _private(receiver, RTCRtpReceiver, "jitter_buffer", JitterBuffer)
    _private(receiver, RTCRtpReceiver, "decoder_queue", queue.Queue)
    track = receiver.track
    if not isinstance(track, RemoteStreamTrack):
        raise UsageError("tune_receiver: this receiver has no track yet; call setRemoteDescription before")
    if _private(receiver, RTCRtpReceiver, "started", bool):
        raise UsageError("tune_receiver: this receiver has started; call it before setLocalDescription")
    buffer: JitterBuffer
    encoded: VideoDecodeQueue | AudioDecodeQueue
    if track.kind == "video":
        gate = SizeGate(width_px, height_px, on_too_large)
        encoded = VideoDecodeQueue(_VIDEO_WAITING, gate, wants_keyframe.set)
        buffer = MarkerJitterBuffer(on_loss=encoded.want_keyframe)
        track._queue = DecodedQueue(_VIDEO_KEPT, gate)
    else:
        encoded = AudioDecodeQueue(_AUDIO_WAITING)
        buffer = PromptAudioBuffer()
        track._queue = DecodedQueue(_AUDIO_KEPT)
    _replace(receiver, RTCRtpReceiver, "jitter_buffer", buffer)
    _replace(receiver, RTCRtpReceiver, "decoder_queue", encoded)


def tune_sender(sender: RTCRtpSender, *, bitrate_bps: int, fps: float) -> None:
    """Encode with rtfilter's encoder of the codec that the negotiation ends with.

    Call it before the connection is made.

    Args:
        sender: A sender of video.
        bitrate_bps: Initial and maximum bitrate; the estimate of a receiver lowers it.
        fps: Maximum frame rate, which the H.264 level depends on.

    Raises:
        UsageError: The sender is one of audio, or has started. It is unchanged then.
    """
    if sender.kind != "video":
        raise UsageError(f"tune_sender: expected a video sender, got one for {sender.kind}")
    if _private(sender, RTCRtpSender, "started", bool):
        raise UsageError("tune_sender: this sender has started; call it before setLocalDescription")
    _private(sender, RTCRtpSender, "encoder", object)
    start = sender.send
    made: list[PictureEncoder] = []

    async def send(parameters: RTCRtpSendParameters) -> None:
        """In place of `RTCRtpSender.send`, which may be called more than once."""
        codec = parameters.codecs[0].name
        if not made and codec in ("VP8", "H264"):
            made.append(
                PromptVp8Encoder(bitrate_bps) if codec == "VP8" else PromptH264Encoder(bitrate_bps, fps=fps)
            )
            _replace(sender, RTCRtpSender, "encoder", made[0])
        await start(parameters)

    # By name: the method of one instance is replaced, which type checkers object to.
    sender.__dict__["send"] = send


def prefer_codec(transceiver: RTCRtpTransceiver, codec: str) -> None:
    """Put `codec`, "vp8" or "h264", before the others in a negotiation, after `setRemoteDescription` too."""

    def rank(one: RTCRtpCodecCapability | RTCRtpCodecParameters) -> bool:
        return one.name.lower() != codec

    known = RTCRtpSender.getCapabilities(transceiver.kind).codecs
    transceiver.setCodecPreferences(sorted(known, key=rank))
    # aiortc compared the offer with the preferences in `setRemoteDescription`, before they could be set.
    transceiver._codecs.sort(key=rank)
