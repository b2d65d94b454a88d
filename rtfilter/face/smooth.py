"""One-Euro filtering (Casiez, Roussel, Vogel 2012), vectorised, driven by presentation time.

Called by `face.edit`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtfilter.kernels.cpu.edit import glided

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OneEuroState:
    """The filter's state between two samples; valid: 0.0 before the first, 1.0 after."""

    value: F64
    slope: F64
    time_s: float
    valid: float

    @classmethod
    def empty(cls, size: int) -> OneEuroState:
        return cls(np.zeros(size), np.zeros(size), 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class OneEuro:
    """A low-pass filter whose cut-off rises with speed: low jitter at rest, low lag in motion.

    min_cutoff_hz: cut-off at rest; 1 Hz settles in about 0.2 s. beta: cut-off gained per unit of speed
    (units of the value per second). Both may be float64 [N], one for each component. slope_cutoff_hz: cut-off
    of the speed estimate. fall: factor on the cut-off where a value goes back towards 0, 0..1. gap_s: after a
    longer pause, or a step back in time, the next sample passes unfiltered.
    """

    min_cutoff_hz: float | F64 = 1.0
    beta: float | F64 = 0.0
    slope_cutoff_hz: float = 1.0
    fall: float | F64 = 1.0
    gap_s: float = 0.5

    def step(self, state: OneEuroState, sample: F64, time_s: float) -> tuple[F64, OneEuroState]:
        """The filtered sample and the next state. The first sample, and one after a gap, is unchanged.

        A repeated time stamp (zero interval) leaves the value where it was.
        """
        interval_s = time_s - state.time_s
        keep = state.valid * float(0.0 <= interval_s <= self.gap_s)
        safe_s = min(max(interval_s, 0.0), self.gap_s)
        each = (_each(number, len(sample)) for number in (self.min_cutoff_hz, self.beta, self.fall))
        times = (self.slope_cutoff_hz, safe_s, keep)
        value, slope = glided(state.value, state.slope, sample, *each, *times)
        return value, OneEuroState(value, slope, time_s, 1.0)


def _each(number: float | F64, count: int) -> F64:
    return number if isinstance(number, np.ndarray) else np.full(count, float(number))
