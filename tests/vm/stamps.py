"""A frame number drawn into the picture as black and white blocks, and read back out of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]

BLOCK_PX = 8  # survives 4:2:0 and any scaling down to a half
AT_PX = (16, 16)  # x, y
NUMBER_BITS, CHECK_BITS = 24, 8
BITS = NUMBER_BITS + CHECK_BITS


def draw(rgb: U8, number: int) -> None:
    """Draw `number`, 0..2**24 - 1, into `rgb` [H, W, 3] with H >= 24 and W >= 272."""
    word = number << CHECK_BITS | _check(number)
    bits = np.array([word >> shift & 1 for shift in range(BITS - 1, -1, -1)], np.uint8) * np.uint8(255)
    x, y = AT_PX
    rgb[y : y + BLOCK_PX, x : x + BITS * BLOCK_PX] = np.repeat(bits, BLOCK_PX)[None, :, None]


def read(luma: U8) -> int | None:
    """The number in a luma or grey picture [H, W]; None when there is none."""
    x, y = AT_PX
    blocks = luma[y + 2 : y + BLOCK_PX - 2, x : x + BITS * BLOCK_PX].reshape(BLOCK_PX - 4, BITS, BLOCK_PX)
    levels = blocks[:, :, 2:-2].mean(axis=(0, 2))
    if levels.size < BITS or np.any((levels > 80) & (levels < 170)):
        return None
    word = int("".join("1" if level > 128 else "0" for level in levels), 2)
    number, check = word >> CHECK_BITS, word & ((1 << CHECK_BITS) - 1)
    return number if check == _check(number) else None


def _check(number: int) -> int:
    """Not 0 for 0: an empty picture carries no stamp."""
    return (number * 167 + 91) >> 3 & 0xFF ^ 0xA5
