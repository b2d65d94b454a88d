"""The demo as a camera track whose pictures carry the time at which they were due, in their pixels."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fractions import Fraction

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from rtfilter.bench.common import demo_frames
from rtfilter.bench.webrtc_stamp import Stamp, StampArea
from rtfilter.colour import planes_of, rgb_to_i420
from rtfilter.serve.rtc.pictures import copy_of
from rtfilter.system.arrays import U8
from rtfilter.system.clock import NS_PER_S, Clock, monotonic_ns

RTP_HZ = 90_000


def demo_pictures(width: int, height: int, count: int) -> list[av.VideoFrame]:
    """The demo's first `count` pictures as yuv420p."""
    return [_picture(frame.rgb, number) for number, frame in enumerate(demo_frames(width, height, count))]


class StampedCamera(MediaStreamTrack):
    """Shows `pictures` forth and back at `fps`, on a schedule that is fixed at the first picture.

    A picture is stamped with the time at which it was due: a sender that comes late makes it older. One that
    comes too late for a picture never gets it.
    """

    kind = "video"

    def __init__(self, pictures: Sequence[av.VideoFrame], fps: int, *, clock: Clock = monotonic_ns) -> None:
        super().__init__()
        self._period = [*pictures, *pictures[-2:0:-1]]
        self._area = StampArea(pictures[0].width, pictures[0].height)
        self._fps = fps
        self._clock = clock
        self.start_ns: int | None = None
        self.number = -1
        self.given = 0

    def now_us(self) -> int:
        """Microseconds on the stamps' clock; 0 before the first picture."""
        return 0 if self.start_ns is None else (self._clock() - self.start_ns) // 1000

    async def recv(self) -> av.VideoFrame:
        """The next picture when it is due, or the newest of those that are. Raises MediaStreamError."""
        if self.readyState != "live":
            raise MediaStreamError
        if self.start_ns is None:
            self.start_ns = self._clock()
        newest_due = (self._clock() - self.start_ns) * self._fps // NS_PER_S
        number = max(self.number + 1, newest_due)
        # A copy: what encoders note on a picture (such as "key frame") must not come round again.
        picture = copy_of(self._period[number % len(self._period)])
        picture.pts, picture.time_base = number * RTP_HZ // self._fps, Fraction(1, RTP_HZ)
        due_ns = self.start_ns + number * NS_PER_S // self._fps
        wait_ns = due_ns - self._clock()
        if wait_ns > 0:
            await asyncio.sleep(wait_ns / NS_PER_S)
        self._area.draw(picture, Stamp(number, (due_ns - self.start_ns) // 1000))
        self.number = number
        self.given += 1
        return picture


def _picture(rgb: U8, number: int) -> av.VideoFrame:
    height, width = rgb.shape[:2]
    picture = av.VideoFrame(width, height, "yuv420p")
    picture.pts, picture.time_base = number, Fraction(1, 30)
    # What a browser's camera sends has no colour tags and means BT.601.
    flat = rgb_to_i420(rgb, "bt601")
    start = 0
    for plane in planes_of(picture):
        plane[...] = flat[start : start + plane.size].reshape(plane.shape)
        start += plane.size
    return picture
