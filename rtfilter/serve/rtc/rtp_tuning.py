"""Tune an aiortc receiver for low delay: pictures at their marker, sound as it comes, queues with bounds.

Each receiver is changed by itself and before it starts; stock ones live beside it undisturbed.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import cast

from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpreceiver import RemoteStreamTrack

from rtfilter.errors import UsageError
from rtfilter.serve.rtc.aiortc_parts import (
    SUPPORTED,
    UnprovenVersionError,
    installed_version,
    private,
    replace_private,
    require_version,
    version_problem,
)
from rtfilter.serve.rtc.jitter import MarkerJitterBuffer, PromptAudioBuffer
from rtfilter.serve.rtc.media_queues import (
    AudioDecodeQueue,
    NewestQueue,
    SizeGate,
    TooLarge,
    VideoDecodeQueue,
)

__all__ = ["SUPPORTED", "Tuning", "UnprovenVersionError", "tune_receiver", "tuning_problem"]


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a tuned receiver left out so far. Counts only grow."""

    buffer: MarkerJitterBuffer | PromptAudioBuffer
    encoded: VideoDecodeQueue | AudioDecodeQueue
    decoded: NewestQueue

    @property
    def dropped(self) -> int:
        """Frames left out before and after decoding."""
        return self.encoded.dropped + self.decoded.dropped

    @property
    def at_marker(self) -> bool:
        """Whether pictures are released at their last packet; False for a sender that misuses the marker."""
        return isinstance(self.buffer, MarkerJitterBuffer) and self.buffer.marker_trusted


class _NoTransport:
    """As much of a transport as a receiver looks at while it is made."""

    state = "new"


def tuning_problem() -> str | None:
    """Why receivers can't be tuned here, as one line; None where they can."""
    problem = version_problem(installed_version())
    if problem is not None:
        return problem
    receiver = RTCRtpReceiver("video", cast(RTCDtlsTransport, _NoTransport()))
    try:
        _require_parts(receiver)
    except UnprovenVersionError as error:
        return str(error)
    return None


def tune_receiver(
    receiver: RTCRtpReceiver,
    *,
    width_px: int = 1920,
    height_px: int = 1920,
    on_too_large: TooLarge | None = None,
    waiting_frames: int = 4,
    patience_s: float = 0.25,
) -> Tuning:
    """Call it after `setRemoteDescription` and before `setLocalDescription`.

    width_px, height_px: a larger picture is not decoded where its size is known before, and goes to nobody
        otherwise; `on_too_large(width, height)` is then called once, on the event loop.
    waiting_frames: as many encoded pictures may wait for the decoder before they are left out.
    patience_s: how long a lost packet of a picture is waited for.

    Raises `UnprovenVersionError` with an aiortc whose insides are not known, and `UsageError` for a receiver
    without a track or one that has started. The receiver is untouched then.
    """
    require_version()
    _require_parts(receiver)
    track = receiver.track
    if not isinstance(track, RemoteStreamTrack):
        raise UsageError("tune_receiver: this receiver has no track yet; call setRemoteDescription before")
    if private(receiver, RTCRtpReceiver, "started", bool):
        raise UsageError("tune_receiver: this receiver has started; call it before setLocalDescription")
    buffer: MarkerJitterBuffer | PromptAudioBuffer
    encoded: VideoDecodeQueue | AudioDecodeQueue
    if track.kind == "video":
        gate = SizeGate(width_px, height_px, on_too_large)
        # The receiver sends a request for a keyframe with the next packet once this is set.
        ask = private(receiver, RTCRtpReceiver, "decoder_error", threading.Event)
        encoded = VideoDecodeQueue(waiting_frames, gate, ask.set)
        buffer = MarkerJitterBuffer(patience_s=patience_s, on_loss=encoded.want_keyframe)
        decoded = NewestQueue(1, gate)
    else:
        encoded = AudioDecodeQueue(10)
        buffer = PromptAudioBuffer()
        decoded = NewestQueue(5)
    replace_private(receiver, RTCRtpReceiver, "jitter_buffer", buffer)
    replace_private(receiver, RTCRtpReceiver, "decoder_queue", encoded)
    track._queue = decoded
    return Tuning(buffer, encoded, decoded)


def _require_parts(receiver: RTCRtpReceiver) -> None:
    private(receiver, RTCRtpReceiver, "jitter_buffer", JitterBuffer)
    private(receiver, RTCRtpReceiver, "decoder_queue", queue.Queue)
    private(receiver, RTCRtpReceiver, "decoder_error", threading.Event)
    private(receiver, RTCRtpReceiver, "started", bool)
