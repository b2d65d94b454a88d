"""What the encoders of both codecs share: bitrates, time, picture formats, and when to begin anew."""

from __future__ import annotations

import os
from abc import abstractmethod
from fractions import Fraction
from typing import Any

import av
from aiortc.codecs.base import Encoder
from aiortc.mediastreams import VIDEO_TIME_BASE, convert_timebase
from av.frame import Frame
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from rtfilter.serve.rtc.pictures import copy_of

FLOOR_BPS = 300_000
NOMINAL_FPS = 30
# Keyframes come on request; a regular one is a burst of packets that nobody asked for.
KEYFRAME_INTERVAL = 3000


def threads_for(width_px: int, height_px: int) -> int:
    """Threads for one encoder: more than one only where cores are to spare.

    libvpx's threads wait for each other spinning: with two on two cores that others use as well, a 720p
    picture took 95 ms instead of the 17 ms of one thread (and 5 instead of 8 with both cores free).
    """
    cores = os.cpu_count() or 1
    if width_px * height_px >= 1920 * 1080 and cores >= 8:
        return 4
    return 2 if width_px * height_px >= 640 * 480 and cores >= 4 else 1


class PictureEncoder(Encoder):
    """Encodes pictures for one sender. aiortc calls `encode` on a thread, one call at a time.

    Time stamps are the pictures' own: aiortc's encoders round them to thirtieths of a second. A picture with
    the pts of the one before it gives nothing; one from earlier, or of another size, starts the stream anew.
    """

    def __init__(self, bitrate_bps: int) -> None:
        """bitrate_bps: where it starts, and what it never exceeds."""
        self._most_bps = bitrate_bps
        self._target_bps = bitrate_bps
        self._running_bps = bitrate_bps  # what the running stream was told last
        self._context: VideoCodecContext | None = None
        self._last_pts: int | None = None
        self._owes_keyframe = False
        self.opened = 0  # how often a stream was started; each start is a keyframe

    @property
    def target_bitrate(self) -> int:
        """Bits per second to aim at; what is set is brought within the floor and the configured bitrate."""
        return self._target_bps

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self._target_bps = max(min(FLOOR_BPS, self._most_bps), min(bitrate, self._most_bps))

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """RTP payloads of the picture, and its time in 90 kHz ticks."""
        assert isinstance(frame, VideoFrame)
        assert frame.pts is not None
        assert frame.time_base is not None
        pts, time_base = frame.pts, frame.time_base
        ticks = convert_timebase(pts, time_base, VIDEO_TIME_BASE)
        self._owes_keyframe |= force_keyframe
        if ticks == self._last_pts:
            return [], ticks
        picture = self._fit(frame)
        if self._context is not None and self._is_over(self._context, picture, ticks):
            self._close()
        if self._owes_keyframe or picture.time_base != VIDEO_TIME_BASE:
            # The decoder, or another sender's encoder, may hold the same picture: notes go on a copy.
            picture = copy_of(picture) if picture is frame else picture
            picture.pts, picture.time_base = ticks, VIDEO_TIME_BASE
            picture.pict_type = PictureType.I if self._owes_keyframe else PictureType.NONE
        elif picture.pict_type != PictureType.NONE:
            # A decoded picture tells how it was encoded, and would be encoded so again.
            picture.pict_type = PictureType.NONE
        data = self._encoded(picture)
        self._last_pts = ticks
        self._owes_keyframe = False
        return (self._payloads(data) if data else []), ticks

    def pack(self, packet: Packet[Any]) -> tuple[list[bytes], int]:
        """RTP payloads of what was encoded elsewhere."""
        assert packet.pts is not None
        return self._payloads(bytes(packet)), convert_timebase(packet.pts, packet.time_base, VIDEO_TIME_BASE)

    def _fit(self, frame: VideoFrame) -> VideoFrame:
        """The picture in a format and size that the encoder takes."""
        if frame.format.name == "yuv420p":
            return frame
        picture = frame.reformat(format="yuv420p")
        picture.pts, picture.time_base = frame.pts, frame.time_base
        return picture

    def _is_over(self, context: VideoCodecContext, picture: VideoFrame, ticks: int) -> bool:
        """Whether the running stream cannot go on with this picture."""
        return (
            (picture.width, picture.height) != (context.width, context.height)
            or (self._last_pts is not None and ticks < self._last_pts)
            or self._needs_restart(context)
        )

    def _encoded(self, picture: VideoFrame) -> bytes:
        if self._context is None:
            self._context = self._open(picture.width, picture.height)
            self._running_bps = self._target_bps
            self.opened += 1
        return b"".join(bytes(packet) for packet in self._context.encode(picture))

    def _close(self) -> None:
        self._context = None

    def _described(self, codec: str, width_px: int, height_px: int) -> VideoCodecContext:
        """A context of `codec`, with what is the same for all of them."""
        context = av.CodecContext.create(codec, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height = width_px, height_px
        context.pix_fmt = "yuv420p"
        context.bit_rate = self._target_bps
        context.framerate = Fraction(NOMINAL_FPS, 1)
        context.time_base = Fraction(VIDEO_TIME_BASE)
        context.gop_size = KEYFRAME_INTERVAL
        context.thread_count = threads_for(width_px, height_px)
        return context

    @abstractmethod
    def _needs_restart(self, context: VideoCodecContext) -> bool:
        """Take the target bitrate over into `context`; True where only a new one can."""

    @abstractmethod
    def _open(self, width_px: int, height_px: int) -> VideoCodecContext:
        """A new stream at the target bitrate."""

    @abstractmethod
    def _payloads(self, data: bytes) -> list[bytes]:
        """One encoded picture, cut into RTP payloads."""
