"""What is held in the face's square, over time: steady, without islands, and as distances. For `watch`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtfilter.kernels.cpu.held import (
    HALF,
    NUMBERS,
    carry_held,
    distances_to_line,
    step_held,
)
from rtfilter.occlusion.square import SIDE_PX

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

OCCLUDER, BACKGROUND, RIMS = range(3)  # the network's outputs
# The share of the way to a new probability in one frame, up and down: what is sure is held at once, what is
# half sure after two frames; and it is let go within three.
RISE, FALL = 0.8, 0.45
HOLD = 0.12  # added to the probability of what was held: it is let go below 0.38 only
GROW_PX = 0.6  # what is held is made larger by so many pixels of the square
FAR_PX = 1e4  # where nothing is held


class HeldMask:
    """Three kinds of what is held, in a square that moves with the face.

    Attributes:
        level: float32 [96, 96], of all kinds; held from 0.5 on.
        covered, changed: shares of the square in which an occluder is held, and in which that changed.
    """

    def __init__(self) -> None:
        shape = (SIDE_PX, SIDE_PX, NUMBERS)
        self._state, self._spare = np.zeros(shape, np.float32), np.empty(shape, np.float32)
        self._sources = np.empty((SIDE_PX, SIDE_PX, 3), np.float32)
        self.level = np.zeros((SIDE_PX, SIDE_PX), np.float32)
        self.reset()

    @property
    def occluder(self) -> F32:
        """How surely something lies over the face, float32 [96, 96], 0..1, smoothed."""
        return np.asarray(self._state[..., OCCLUDER])

    def reset(self) -> None:
        """Forget everything."""
        self._state[:], self.level[:] = 0.0, 0.0
        self._fresh = True
        self.covered = self.changed = 0.0

    def carry(self, before_from_now: F64) -> None:
        """Move everything with the head, before a look.

        before_from_now: float64 [2, 3], from pixels of this square to those of the last look's.
        """
        if self._fresh:
            return
        matrix = np.asarray(before_from_now, np.float32).copy()
        matrix[:, 2] += 0.5 * matrix[:, :2].sum(1) - 0.5  # from centres at + 0.5 to indices
        carry_held(self._state, matrix, self._spare)
        self._state, self._spare = self._spare, self._state

    def take(self, seen: F32, frames: float) -> None:
        """Take in a look.

        seen: float32 [3, 96, 96], probabilities 0..1. frames: since the last look, in thirtieths of a second.
        """
        rise, fall = (1.0 - (1.0 - share) ** frames for share in (RISE, FALL))
        how = (1.0, 1.0, 0.0) if self._fresh else (rise, fall, HOLD)
        held, changed = step_held(np.ascontiguousarray(seen), *how, self._state, self.level)
        self.covered, self.changed = held / SIDE_PX**2, changed / SIDE_PX**2
        self._fresh = False

    def distances(self, scale: float) -> F32:
        """How far each pixel is from what is held, float32 [96, 96], in pixels times `scale`."""
        out = np.empty((SIDE_PX, SIDE_PX), np.float32)
        if float(self.level.max()) < HALF:
            out[:] = FAR_PX * scale
            return out
        distances_to_line(self.level, self._sources, GROW_PX, scale, out)
        return out
