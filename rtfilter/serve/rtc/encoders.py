"""VP8 and H.264 encoders for live video of faces, by libvpx and libx264.

Made by `rtc.tuning` in place of aiortc's encoders.
"""

from __future__ import annotations

import os
import random
import time
from abc import abstractmethod
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
from aiortc.codecs.base import Encoder
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.mediastreams import VIDEO_TIME_BASE, convert_timebase
from av.frame import Frame
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from rtfilter.serve.rtc.pictures import as_420, copy_of, even

FLOOR_BPS = 300_000
NOMINAL_FPS = 30
# Keyframes come on request; a regular one is a burst of packets without a use.
_KEYFRAME_INTERVAL = 3000

# libavcodec does not pass a new bitrate to a running libvpx: it needs a new stream, and thus a keyframe. That
# is done for a large change only, and less often upwards, where nothing is lost meanwhile.
_DOWN = 0.8
DOWN_AFTER_S = 1.0
_UP = 1.25
UP_AFTER_S = 4.0

# H.264, table A-1, from the level on that all of WebRTC supports: level_idc, macroblocks per second and per
# picture, bits per second.
_LEVELS = (
    (31, 108_000, 3_600, 14_000_000),
    (32, 216_000, 5_120, 20_000_000),
    (40, 245_760, 8_192, 20_000_000),
    (42, 522_240, 8_704, 50_000_000),
    (51, 983_040, 36_864, 240_000_000),
    (52, 2_073_600, 36_864, 240_000_000),
)
# Relative change of the bitrate that x264 is reconfigured for.
_RATE_STEP = 0.05


class PictureEncoder(Encoder):
    """Encoder of pictures for one sender. aiortc calls `encode` on a thread, one call at a time.

    Time stamps are those of the pictures: aiortc's encoders round them to 1/30 s. A picture with the pts of
    the one before gives nothing. An earlier pts, or another size, starts the stream anew.
    """

    _even_only = False  # whether the codec takes even sizes only

    def __init__(self, bitrate_bps: int) -> None:
        """bitrate_bps: initial and maximum bitrate."""
        self._most_bps = bitrate_bps
        self._target_bps = bitrate_bps
        self._running_bps = bitrate_bps  # of the running stream
        self._context: VideoCodecContext | None = None
        self._last_pts: int | None = None
        self._owes_keyframe = False
        self.opened = 0  # streams started; each starts with a keyframe

    @property
    def target_bitrate(self) -> int:
        """Bits per second; aiortc sets it to the receiver's estimate. Clipped to floor and maximum."""
        return self._target_bps

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self._target_bps = max(min(FLOOR_BPS, self._most_bps), min(bitrate, self._most_bps))

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """RTP payloads of the picture, and its time in 90 kHz ticks."""
        assert isinstance(frame, VideoFrame)
        assert frame.pts is not None
        assert frame.time_base is not None
        ticks = convert_timebase(frame.pts, frame.time_base, VIDEO_TIME_BASE)
        self._owes_keyframe |= force_keyframe
        if ticks == self._last_pts:
            return [], ticks
        picture = as_420(frame, ("yuv420p",))
        picture = even(picture) if self._even_only else picture
        if self._context is not None and self._is_over(self._context, picture, ticks):
            self._context = None
        if self._owes_keyframe or picture.time_base != VIDEO_TIME_BASE:
            # The decoder, or the encoder of another sender, may hold the same picture: a copy is changed.
            picture = copy_of(picture) if picture is frame else picture
            picture.pts, picture.time_base = ticks, VIDEO_TIME_BASE
            picture.pict_type = PictureType.I if self._owes_keyframe else PictureType.NONE
        elif picture.pict_type != PictureType.NONE:
            # A decoded picture has the type that it was encoded with, and would be encoded so again.
            picture.pict_type = PictureType.NONE
        if self._context is None:
            self._context = self._open(picture.width, picture.height)
            self._running_bps = self._target_bps
            self.opened += 1
        data = b"".join(bytes(packet) for packet in self._context.encode(picture))
        self._last_pts = ticks
        self._owes_keyframe = False
        return (self._payloads(data) if data else []), ticks

    def pack(self, packet: Packet[Any]) -> tuple[list[bytes], int]:
        """RTP payloads of a packet that was encoded elsewhere."""
        assert packet.pts is not None
        return self._payloads(bytes(packet)), convert_timebase(packet.pts, packet.time_base, VIDEO_TIME_BASE)

    def _is_over(self, context: VideoCodecContext, picture: VideoFrame, ticks: int) -> bool:
        """Whether the running stream cannot go on with this picture."""
        return (
            (picture.width, picture.height) != (context.width, context.height)
            or (self._last_pts is not None and ticks < self._last_pts)
            or self._needs_restart(context)
        )

    def _made(self, codec: str, width_px: int, height_px: int) -> VideoCodecContext:
        """A context of `codec`, with the settings that both encoders share."""
        context = av.CodecContext.create(codec, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height = width_px, height_px
        context.pix_fmt = "yuv420p"
        context.bit_rate = self._target_bps
        context.framerate = Fraction(NOMINAL_FPS, 1)
        context.time_base = Fraction(VIDEO_TIME_BASE)
        context.gop_size = _KEYFRAME_INTERVAL
        context.thread_count = threads_for(width_px, height_px)
        return context

    @abstractmethod
    def _needs_restart(self, context: VideoCodecContext) -> bool:
        """Apply the target bitrate to `context`; True if only a new stream can have it."""

    @abstractmethod
    def _open(self, width_px: int, height_px: int) -> VideoCodecContext:
        """A new stream at the target bitrate."""

    @abstractmethod
    def _payloads(self, data: bytes) -> list[bytes]:
        """RTP payloads of one encoded picture."""


def threads_for(width_px: int, height_px: int) -> int:
    """Threads of one encoder: more than one only with cores to spare, as libvpx's threads wait spinning.

    720p on two busy cores: 95 ms with two threads, 17 ms with one; on free cores 5 and 8 ms.
    """
    cores = os.cpu_count() or 1
    if width_px * height_px >= 1920 * 1080 and cores >= 8:
        return 4
    return 2 if width_px * height_px >= 640 * 480 and cores >= 4 else 1


class PromptVp8Encoder(PictureEncoder):
    """libvpx in real time, without its noise filter (1 ms and 0.5 to 1.5 dB), and with small keyframes."""

    def __init__(self, bitrate_bps: int, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(bitrate_bps)
        self._now = now
        self._opened_s = 0.0
        self._picture_id = random.randrange(1 << 15)

    def _needs_restart(self, context: VideoCodecContext) -> bool:
        ratio = self.target_bitrate / self._running_bps
        open_for_s = self._now() - self._opened_s
        if ratio > _UP or (ratio > 1.0 and self.target_bitrate == self._most_bps):
            return open_for_s > UP_AFTER_S
        return ratio < _DOWN and open_for_s > DOWN_AFTER_S

    def _open(self, width_px: int, height_px: int) -> VideoCodecContext:
        context = self._made("libvpx", width_px, height_px)
        context.qmin, context.qmax = 2, 56
        rate = str(self.target_bitrate)
        context.options = {
            "deadline": "realtime",
            # Against aiortc's -6: 8 to 30 % less time, a quarter of a decibel at 48 dB (measured on faces).
            "cpu-used": "-10",
            "lag-in-frames": "0",
            # Equal rates make it a constant bitrate; the buffer then lasts one second.
            "minrate": rate,
            "maxrate": rate,
            "bufsize": rate,
            "overshoot-pct": "15",
            "undershoot-pct": "100",
            "max-intra-rate": "600",
            "noise-sensitivity": "0",
            "static-thresh": "1",
        }
        self._opened_s = self._now()
        return context

    def _payloads(self, data: bytes) -> list[bytes]:
        payloads = Vp8Encoder._packetize(data, self._picture_id)
        self._picture_id = (self._picture_id + 1) % (1 << 15)
        return payloads


class PromptH264Encoder(PictureEncoder):
    """x264 without latency: baseline profile, one reference, no picture held back."""

    _even_only = True

    def __init__(self, bitrate_bps: int, *, fps: float = NOMINAL_FPS) -> None:
        """fps: maximum frame rate, for the level."""
        super().__init__(bitrate_bps)
        self._fps = fps

    def _needs_restart(self, context: VideoCodecContext) -> bool:
        if abs(self.target_bitrate / self._running_bps - 1.0) > _RATE_STEP:
            # libavcodec compares it before every picture and reconfigures x264.
            context.bit_rate = self._running_bps = self.target_bitrate
        return False

    def _open(self, width_px: int, height_px: int) -> VideoCodecContext:
        context = self._made("libx264", width_px, height_px)
        context.max_b_frames = 0
        # Level and ceiling leave room for the highest bitrate that the stream may rise to.
        context.options = {
            "maxrate": str(self._most_bps),
            "bufsize": str(self._most_bps // 2),
            "level": str(level_for(width_px, height_px, self._fps, self._most_bps)),
            # superfast: 6 to 8 ms for 720p; veryfast takes 11 for 0.1 dB more, ultrafast 4 and loses 0.6 dB.
            "preset": "superfast",
            "tune": "zerolatency",
            "sc_threshold": "0",
            "forced-idr": "1",
        }
        context.profile = "Baseline"
        return context

    def _payloads(self, data: bytes) -> list[bytes]:
        return H264Encoder._packetize(H264Encoder._split_bitstream(data))


def level_for(width_px: int, height_px: int, fps: float, bitrate_bps: int) -> int:
    """The lowest level_idc from 31 on that permits this stream; the highest if none does."""
    blocks = -(-width_px // 16) * -(-height_px // 16)
    for level, blocks_per_second, blocks_per_picture, most_bps in _LEVELS:
        if blocks <= blocks_per_picture and blocks * fps <= blocks_per_second and bitrate_bps <= most_bps:
            return level
    return _LEVELS[-1][0]
