"""Memory that is used again once nobody looks at it. A leaf, for `render`, `planes` and `colour`."""

from __future__ import annotations

import math
import sys
import threading
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
    6 of 8 ms. Memory that an array, a view of it or a frame still refers to is never given. From any thread:
    a helper may still fill what nobody waits for any more.
    """

    def __init__(self, most: int = 16) -> None:
        """most: arrays whose memory is kept."""
        self._most = most
        self._kept: list[U8] = []
        self._choosing = threading.Lock()

    def __call__(self, *shape: int) -> U8:
        size = math.prod(shape)
        # Who comes while another thread is choosing does not wait: in a fork that thread is gone.
        if size < SMALL or not self._choosing.acquire(blocking=False):
            return fresh(*shape)
        try:
            memory = self._taken(size)
        finally:
            self._choosing.release()
        return memory[:size].reshape(shape)

    def _taken(self, size: int) -> U8:
        """Memory for so many bytes, used before or fresh, and kept from now on."""
        found = -1
        for index in range(len(self._kept)):
            fits = size <= self._kept[index].size <= 2 * size
            if fits and sys.getrefcount(self._kept[index]) == _ALONE:
                found = index
        memory = self._kept.pop(found) if found >= 0 else fresh(size + size // SPARE)
        self._kept.append(memory)
        if len(self._kept) > self._most:
            del self._kept[0]
        return memory


_probe = [fresh(1)]
_ALONE = sys.getrefcount(_probe[0])  # of what is in a list and nowhere else
