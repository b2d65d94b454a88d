"""Memory that is used again once nobody looks at it. A leaf, for `render`, `planes` and `colour`."""

from __future__ import annotations

import math
import sys
from typing import Protocol

import numpy as np

from rtfilter.system.arrays import U8

SMALL = 1 << 16  # bytes; smaller arrays are not worth the search
SPARE = 8  # an array's memory is larger by a share of this, because its next one may be


class Allocate(Protocol):
    """Makes arrays of bytes, of a shape."""

    def __call__(self, *shape: int) -> U8: ...


def fresh(*shape: int) -> U8:
    """An `Allocate`: memory from the system."""
    return np.empty(shape, np.uint8)


class Buffers:
    """An `Allocate` that gives the memory of arrays again of which nothing is left.

    The system takes large arrays back at once, and gives each page anew, emptied: at 1080p in planes that was
    6 of 8 ms. Memory that an array, a view of it or a frame still refers to is never given. For one thread at
    a time.
    """

    def __init__(self, most: int = 16) -> None:
        """most: arrays whose memory is kept."""
        self._most = most
        self._kept: list[U8] = []

    def __call__(self, *shape: int) -> U8:
        size = math.prod(shape)
        if size < SMALL:
            return fresh(*shape)
        found = -1
        for index in range(len(self._kept)):
            fits = size <= self._kept[index].size <= 2 * size
            if fits and sys.getrefcount(self._kept[index]) == _ALONE:
                found = index
        memory = self._kept.pop(found) if found >= 0 else fresh(size + size // SPARE)
        self._kept.append(memory)
        if len(self._kept) > self._most:
            del self._kept[0]
        return memory[:size].reshape(shape)


_probe = [fresh(1)]
_ALONE = sys.getrefcount(_probe[0])  # of what is in a list and nowhere else
