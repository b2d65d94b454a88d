"""The interface of a tracker, pixels to landmarks. `filter` calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from rtfilter.frame import Frame

LANDMARK_COUNT = 478


@dataclass(frozen=True, slots=True)
class Landmarks:
    """One face's landmarks in one frame.

    points_px: float32 [478, 3]; x right, y down in image pixels, z in the same unit, smaller is
        nearer. Pixel centres are at integer + 0.5.
    score: 0..1, presence of a face.
    person: a number that a tracker of several people keeps for each while following, and never uses again.
    """

    points_px: npt.NDArray[np.float32]
    score: float
    person: int = 0


class Tracker(Protocol):
    """Finds one face and follows it."""

    def track(self, frame: Frame) -> Landmarks | None:
        """The landmarks of `frame` itself, never of an earlier one; None when there is no face."""
        ...

    def reset(self) -> None:
        """Forget the followed face."""
        ...

    def close(self) -> None:
        """Release the networks."""
        ...


@runtime_checkable
class ChoosingTracker(Tracker, Protocol):
    """Follows the face that a user chooses."""

    def choose(self, x: float, y: float) -> None:
        """Follow the face at this place of the next frame, in shares of width and height, if there is one.

        Its `Landmarks.person` is another number than that of the face before.
        """
        ...


@runtime_checkable
class CrowdTracker(Tracker, Protocol):
    """Follows several faces as well."""

    def track_all(self, frame: Frame, limit: int) -> list[Landmarks]:
        """The landmarks of up to `limit` people, the longest followed first, each with its `person`."""
        ...
