"""RTP packets of real encoders, as a receiver of aiortc hands them to its jitter buffer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import av
import numpy as np
from aiortc.codecs import depayload
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket

from rtfilter.serve.rtc.jitter import FrameBatch

TICKS = 3000  # of 90 kHz, at 30 pictures a second
CODECS = {
    name: RTCRtpCodecParameters(mimeType=f"video/{name}", clockRate=90000, payloadType=97)
    for name in ("VP8", "H264")
}
Released = tuple[int, int, bytes]  # index of the packet that set it free, time stamp, data


def picture(index: int, width: int = 320, height: int = 240, noise: int = 60) -> av.VideoFrame:
    """A moving ramp under coarse noise, so that an encoded picture takes several packets."""
    rng = np.random.default_rng(index)
    planes = rng.integers(0, noise + 1, (height * 3 // 2, width), dtype=np.uint8)
    ramp = (np.arange(width) + 4 * index) % 160
    planes[:height] += ramp.astype(np.uint8)
    planes[height:] //= 4
    planes[height:] += 112
    made = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    made.pts, made.time_base = index * TICKS, Fraction(1, 90000)
    return made


def stream(codec: str, pictures: int, first_number: int = 1000, first_time: int = 5000) -> list[RtpPacket]:
    """The packets of so many pictures, as aiortc's own encoder and sender make them."""
    encoder = Vp8Encoder() if codec == "VP8" else H264Encoder()
    encoder.target_bitrate = 1_500_000
    packets: list[RtpPacket] = []
    for index in range(pictures):
        payloads, _ = encoder.encode(picture(index))
        for position, payload in enumerate(payloads):
            packets.append(
                packet(
                    first_number + len(packets),
                    first_time + index * TICKS,
                    depayload(CODECS[codec], payload),
                    marker=position == len(payloads) - 1,
                )
            )
    return packets


def packet(number: int, time: int, data: bytes, marker: bool = False) -> RtpPacket:
    """A depayloaded packet; both numbers wrap around."""
    made = RtpPacket(97, int(marker), number % (1 << 16), time % (1 << 32), payload=data)
    made._data = data
    return made


def released(buffer: JitterBuffer, packets: Iterable[RtpPacket]) -> list[Released]:
    """What the buffer sets free of these packets, and with which."""
    out = []
    for index, entry in enumerate(packets):
        _, frame = buffer.add(entry)
        if frame is not None:
            out += [(index, one.timestamp % (1 << 32), one.data) for one in frames_of(frame)]
    return out


def frames_of(frame: JitterFrame) -> list[JitterFrame]:
    return frame.frames() if isinstance(frame, FrameBatch) else [frame]


def pictures_of(packets: Sequence[RtpPacket]) -> list[tuple[int, bytes]]:
    """Time stamp and data of every picture, put together from packets in order."""
    out: dict[int, bytes] = {}
    for entry in packets:
        out[entry.timestamp] = out.get(entry.timestamp, b"") + data_of(entry)
    return list(out.items())


def data_of(entry: RtpPacket) -> bytes:
    return bytes(entry.payload)
