"""`Tracker`: pixels to landmarks. Another tracker is one more file with one class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rtfilter.frame import Frame

LANDMARK_COUNT = 478


@dataclass(frozen=True, slots=True)
class Landmarks:
    """One face's landmarks in one frame.

    points_px: float32 [478, 3]; x right, y down in image pixels, z in the same unit, smaller is
        nearer. Pixel centres are at integer + 0.5.
    score: 0..1, how sure the tracker is.
    person: who it is, where a tracker follows several: a number that stays with somebody as long as they are
        followed, and is not used again.
    """

    points_px: npt.NDArray[np.float32]
    score: float
    person: int = 0


class Tracker(Protocol):
    """Finds the one face to edit and follows it."""

    def track(self, frame: Frame) -> Landmarks | None:
        """The landmarks of `frame` itself, never of an earlier one; None when there is no face."""
        ...

    def reset(self) -> None:
        """Forget the followed face."""
        ...

    def close(self) -> None:
        """Release the networks."""
        ...
