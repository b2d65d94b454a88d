"""Offers of real clients: two browsers' and FFmpeg's recorded here, the others after their sources' way.

ffmpeg_silent: FFmpeg's muxer without sound, with the BUNDLE of its 8.0. jsep: RFC 8829, section 7.3, with
lines that nobody has to understand. rejected: two sections that the peer has switched off.
"""

from __future__ import annotations

from pathlib import Path

from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from rtfilter.serve.gate.sdp_offer import Kind

FOLDER = Path(__file__).parent / "offers"

# By file: what the client offers itself as.
CLIENTS: dict[str, Kind] = {
    "chromium": "peer",
    "chromium_hidden": "peer",
    "firefox": "peer",
    "safari": "peer",
    "obs": "whip",
    "ffmpeg": "whip",
    "gstreamer": "whip",
    "ffmpeg_silent": "whip",
    "chromium_max_bundle": "whip",
    "firefox_max_bundle": "whip",
    "firefox_balanced": "whip",
    "jsep": "whip",
    "rejected": "whip",
}


def recorded(name: str) -> str:
    """The offer with the line ends of the wire."""
    return "\r\n".join((FOLDER / f"{name}.sdp").read_text().splitlines()) + "\r\n"


async def aiortc_offer(*, audio: bool = True, channel: bool = True, direction: str = "sendrecv") -> str:
    """What aiortc itself offers: picture, sound and a channel."""
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.addTransceiver(VideoStreamTrack() if direction != "recvonly" else "video", direction=direction)
    if audio:
        pc.addTransceiver(AudioStreamTrack() if direction != "recvonly" else "audio", direction=direction)
    if channel:
        pc.createDataChannel("rtfilter")
    await pc.setLocalDescription(await pc.createOffer())
    sdp = str(pc.localDescription.sdp)
    await pc.close()
    return sdp
