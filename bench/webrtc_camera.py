"""The demo as a camera track whose pictures carry a number and the time at which they were due, in their
pixels.

The stamp goes through every encoder, network, filter and queue that the picture goes through, so no clock of
another machine or process is needed to know a picture's age.
"""

from __future__ import annotations

import asyncio
from binascii import crc_hqx
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from rtfilter.bench.common import demo_frames
from rtfilter.colour import YuvSpec, planes_of, rgb_to_yuv
from rtfilter.errors import UsageError
from rtfilter.serve.rtc.pictures import copy_of
from rtfilter.system.arrays import U8
from rtfilter.system.clock import NS_PER_S, Clock, monotonic_ns

RTP_HZ = 90_000
# VP8 and H.264 code 16 x 16 px: such a block is quantised without its neighbours.
BLOCK_PX = 16
# Nominal black and white of limited range, so that no conversion clips them.
BLACK, WHITE = 16, 235
_MIDDLE = (BLACK + WHITE) // 2
_NEUTRAL = 128
_VALUE_BYTES, _CHECK_BYTES = 8, 2
_BITS = 8 * (_VALUE_BYTES + _CHECK_BYTES)
# Not 0: a wholly black strip would then be a valid stamp.
_CHECK_START = 0xFFFF
_TIME_BITS = 40


class Stamp(NamedTuple):
    """number: 0..2**24 - 1, of the picture. time_us: 0..2**40 - 1, microseconds on the sender's clock."""

    number: int
    time_us: int


class StampArea:
    """The blocks of a stamp at the lower edge of pictures of one size.

    80 blocks (64 bits, most significant first, and their CRC-16/CCITT) in as few rows as the width permits:
    one row of 16 px at 1280 px. Raises UsageError if the picture is too small.
    """

    def __init__(self, width: int, height: int) -> None:
        self._columns = min(width // BLOCK_PX, _BITS)
        self._rows = -(-_BITS // max(self._columns, 1))
        bottom = height // BLOCK_PX * BLOCK_PX
        top = bottom - self._rows * BLOCK_PX
        if self._columns < 1 or top < 0:
            raise UsageError(
                f"a stamp of {_BITS} blocks of {BLOCK_PX} px does not fit into {width}x{height}:"
                " take a larger picture"
            )
        self.luma = np.s_[top:bottom, : self._columns * BLOCK_PX]
        """Its rows and columns in the luma plane."""
        self._chroma = np.s_[top // 2 : bottom // 2, : self._columns * BLOCK_PX // 2]

    def draw(self, picture: av.VideoFrame, stamp: Stamp) -> None:
        """Draw `stamp` into a 4:2:0 picture, in place."""
        luma, *chroma = planes_of(picture)
        self.draw_value(luma, stamp.number << _TIME_BITS | stamp.time_us)
        for plane in chroma:
            plane[self._chroma] = _NEUTRAL

    def read(self, picture: av.VideoFrame) -> Stamp | None:
        """The stamp of a planar picture, or None when there is none or its checksum fails."""
        value = self.read_value(planes_of(picture)[0])
        return None if value is None else Stamp(value >> _TIME_BITS, value & ((1 << _TIME_BITS) - 1))

    def draw_value(self, luma: U8, value: int) -> None:
        """Draw 64 bits into a luma plane uint8 [H, W], in place."""
        data = value.to_bytes(_VALUE_BYTES, "big")
        data += crc_hqx(data, _CHECK_START).to_bytes(_CHECK_BYTES, "big")
        levels = np.full(self._rows * self._columns, BLACK, np.uint8)
        levels[:_BITS][np.unpackbits(np.frombuffer(data, np.uint8)) != 0] = WHITE
        blocks = levels.reshape(self._rows, self._columns)
        luma[self.luma] = blocks.repeat(BLOCK_PX, axis=0).repeat(BLOCK_PX, axis=1)

    def read_value(self, luma: U8) -> int | None:
        """The 64 bits in a luma plane, each by the mean of its block's middle; None: checksum fails.

        One picture in 65536 without a stamp passes the check.
        """
        quarter = BLOCK_PX // 4
        middle = np.s_[:, quarter:-quarter, :, quarter:-quarter]
        strip = np.ascontiguousarray(luma[self.luma])
        blocks = strip.reshape(self._rows, BLOCK_PX, self._columns, BLOCK_PX)[middle]
        bits = blocks.mean(axis=(1, 3), dtype=np.float32).ravel()[:_BITS] > _MIDDLE
        data = np.packbits(bits).tobytes()
        value, check = data[:_VALUE_BYTES], data[_VALUE_BYTES:]
        if crc_hqx(value, _CHECK_START) != int.from_bytes(check, "big"):
            return None
        return int.from_bytes(value, "big")


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
    samples = rgb_to_yuv(rgb, YuvSpec("bt601", full_range=False), 1, 1)
    for plane, made in zip(planes_of(picture), samples, strict=True):
        plane[...] = made
    return picture
