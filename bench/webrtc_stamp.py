"""A number and a time as black and white blocks in a picture: drawn, and read back at the far end.

What is read was in the pixels: it went through every encoder, network, filter and queue that the picture
went through, and no clock of another machine or process is needed to know how old the picture is.
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import NamedTuple

import av
import numpy as np

from rtfilter.colour import planes_of
from rtfilter.errors import UsageError
from rtfilter.system.arrays import U8

# VP8 and H.264 code 16 x 16 px: a block of its own quantises without its neighbours. Through what is not
# compressed 8 px are enough.
BLOCK_PX = 16
# Nominal black and white of limited range, so that no conversion clips them.
BLACK, WHITE = 16, 235
_MIDDLE = (BLACK + WHITE) // 2
_NEUTRAL = 128
_VALUE_BYTES, _CHECK_BYTES = 8, 2
_BITS = 8 * (_VALUE_BYTES + _CHECK_BYTES)
# Not 0: a wholly black strip would then be a good stamp.
_CHECK_START = 0xFFFF
_TIME_BITS = 40


class Stamp(NamedTuple):
    """number: 0..2**24 - 1, of the picture. time_us: 0..2**40 - 1, microseconds on the sender's clock."""

    number: int
    time_us: int


class StampArea:
    """Where the stamp lies in a picture of one size: at its lower edge, in whole blocks.

    80 blocks (64 bits, most significant first, and CRC-16/CCITT of them) in as few rows as the width has
    place for; at 1280 px exactly one row of 16 px. Raises UsageError when the picture is too small.
    """

    def __init__(self, width: int, height: int, block_px: int = BLOCK_PX) -> None:
        self._block = block_px
        self._columns = min(width // block_px, _BITS)
        self._rows = -(-_BITS // max(self._columns, 1))
        bottom = height // block_px * block_px
        top = bottom - self._rows * block_px
        if self._columns < 1 or top < 0:
            raise UsageError(
                f"a stamp of {_BITS} blocks of {block_px} px does not fit into {width}x{height}:"
                " take a larger picture"
            )
        self.luma = np.s_[top:bottom, : self._columns * block_px]
        """Its rows and columns in the luma plane."""
        self._chroma = np.s_[top // 2 : bottom // 2, : self._columns * block_px // 2]

    def draw(self, picture: av.VideoFrame, stamp: Stamp) -> None:
        """Draw `stamp` into a 4:2:0 picture, in place. Raises UsageError when it is out of range."""
        if not (0 <= stamp.number < 1 << 24 and 0 <= stamp.time_us < 1 << _TIME_BITS):
            raise UsageError(f"expected a number below 2**24 and a time below 2**40 us, got {stamp}")
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
        luma[self.luma] = blocks.repeat(self._block, axis=0).repeat(self._block, axis=1)

    def read_value(self, luma: U8) -> int | None:
        """The 64 bits in a luma plane, each by the mean of its block's middle; None: checksum fails.

        One picture in 65536 without a stamp is taken for a stamped one.
        """
        block, quarter = self._block, self._block // 4
        middle = np.s_[:, quarter : block - quarter, :, quarter : block - quarter]
        strip = np.ascontiguousarray(luma[self.luma])
        blocks = strip.reshape(self._rows, block, self._columns, block)[middle]
        bits = blocks.mean(axis=(1, 3), dtype=np.float32).ravel()[:_BITS] > _MIDDLE
        data = np.packbits(bits).tobytes()
        value, check = data[:_VALUE_BYTES], data[_VALUE_BYTES:]
        if crc_hqx(value, _CHECK_START) != int.from_bytes(check, "big"):
            return None
        return int.from_bytes(value, "big")
