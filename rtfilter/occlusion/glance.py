"""Whether something came or went in the face's square between two runs of the network, seen coarsely."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.kernels.cpu.similar import places_changed
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8
from rtfilter.tracking.detect import sample

F64 = npt.NDArray[np.float64]

SIDE: Final = 24
CHANGED: Final = 0.14  # of white, by which a place has another colour
PLACES: Final = 12  # of SIDE x SIDE that must have: a finger has more, a blink fewer
_MOUTH: Final = slice(13, 20), slice(8, 16)  # where it is in the square: speech changes it all the time


class Glance:
    """What the square looked like when the network last looked."""

    def __init__(self) -> None:
        shape = (3, SIDE, SIDE)
        self._then, self._now = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self._counts = np.ones((SIDE, SIDE), bool)
        self._counts[_MOUTH] = False

    def keep(self, pixels: U8 | Planes, picture_from_square: F64, side: int) -> None:
        """Remember a look. picture_from_square: float64 [2, 3], from pixels of the square, `side` of them."""
        sample(pixels, _places(picture_from_square, side), self._then)

    def differs(self, pixels: U8 | Planes, picture_from_square: F64, side: int) -> bool:
        """Whether a frame shows something else in the square, wherever that is now."""
        sample(pixels, _places(picture_from_square, side), self._now)
        return int(places_changed(self._now, self._then, self._counts, CHANGED)) >= PLACES


def _places(picture_from_square: F64, side: int) -> F64:
    """From indices of the glance's places to indices of pixels, [2, 3]."""
    share = side / SIDE
    rows = [(share * a, share * b, x) for a, b, x in picture_from_square.tolist()]
    return np.array([[a, b, x + 0.5 * (a + b) - 0.5] for a, b, x in rows])
