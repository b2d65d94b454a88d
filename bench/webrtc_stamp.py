"""A number and a time as black and white blocks in a picture: drawn, and read back at the far end.

The stamp is in the pixels, so it passes every encoder, network, filter and queue with the picture, and its
reader needs no clock of another process to compute the picture's age. Called by `bench.webrtc_camera` and
`bench.webrtc_client`.
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import NamedTuple

import av
import numpy as np

from rtfilter.colour import planes_of
from rtfilter.errors import UsageError
from rtfilter.system.arrays import U8

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
