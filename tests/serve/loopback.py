"""Two aiortc peers in one process, joined by real sockets, and pictures that carry their number."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from fractions import Fraction

import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcrtptransceiver import RTCRtpTransceiver

FPS = 30
BITS = 8


class NumberedTrack(MediaStreamTrack):
    """Pictures of 320x240 at 30 fps with their number in eight bars; `sent_s` has when each was handed on."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.sent_s: list[float] = []
        self._start_s: float | None = None
        self._noise = np.random.default_rng(0).integers(0, 24, (360, 320), dtype=np.uint8)

    async def recv(self) -> av.VideoFrame:
        number = len(self.sent_s)
        self._start_s = self._start_s or time.monotonic()
        await asyncio.sleep(max(0.0, self._start_s + number / FPS - time.monotonic()))
        planes = np.roll(self._noise, 8 * number, axis=1) + np.uint8(116)
        bits = np.array([40 + 160 * (number >> bit & 1) for bit in range(BITS)], np.uint8)
        planes[:120] = np.repeat(bits, 320 // BITS)
        picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        picture.pts, picture.time_base = number * 90000 // FPS, Fraction(1, 90000)
        self.sent_s.append(time.monotonic())
        return picture


def number_of(picture: av.VideoFrame) -> int:
    """The number drawn into a picture of `NumberedTrack`."""
    rows = picture.to_ndarray(format="gray")[20:100]
    means = rows.reshape(80, BITS, -1).mean(axis=(0, 2))
    return sum(int(mean > 120) << bit for bit, mean in enumerate(means))


@asynccontextmanager
async def joined(
    track: MediaStreamTrack,
    *,
    tune_sending: Callable[[RTCRtpTransceiver], object] = lambda _: None,
    tune_receiving: Callable[[RTCRtpTransceiver], object] = lambda _: None,
) -> AsyncIterator[tuple[RTCRtpTransceiver, RTCRtpReceiver]]:
    """The sending transceiver and the receiver of `track`, each tuned when its time is."""
    offering = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    answering = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        offering.addTrack(track)
        sending = offering.getTransceivers()[0]
        tune_sending(sending)
        await offering.setLocalDescription(await offering.createOffer())
        await answering.setRemoteDescription(offering.localDescription)
        receiving = answering.getTransceivers()[0]
        tune_receiving(receiving)
        await answering.setLocalDescription(await answering.createAnswer())
        await offering.setRemoteDescription(answering.localDescription)
        yield sending, receiving.receiver
    finally:
        track.stop()
        await offering.close()
        await answering.close()


async def received(receiver: RTCRtpReceiver, count: int) -> list[tuple[int, float]]:
    """Number and arrival of the next pictures, on the clock of `NumberedTrack.sent_s`."""
    out = []
    for _ in range(count):
        picture = await asyncio.wait_for(receiver.track.recv(), 20)
        assert isinstance(picture, av.VideoFrame)
        out.append((number_of(picture), time.monotonic()))
    return out
