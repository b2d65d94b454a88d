"""One-Euro filtering (Casiez, Roussel, Vogel 2012), vectorised, driven by presentation time.

Called by `face.edit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

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
        slope_now = (sample - state.value) / max(safe_s, 1e-6) * float(safe_s > 0.0)
        slope = state.slope + _share(self.slope_cutoff_hz, safe_s) * (slope_now - state.slope)
        cutoff_hz = self.min_cutoff_hz + self.beta * np.abs(slope)
        cutoff_hz = cutoff_hz * np.where(sample * state.value < state.value * state.value, self.fall, 1.0)
        value = state.value + _share(cutoff_hz, safe_s) * (sample - state.value)
        value = keep * value + (1.0 - keep) * sample
        return value, OneEuroState(value, keep * slope, time_s, 1.0)


def _share(cutoff_hz: Any, interval_s: float) -> Any:
    """The weight of a new sample in an exponential average with this cut-off (paper, section "1€ filter").

    A float for a float, float64 [N] for float64 [N].
    """
    reach = 2.0 * np.pi * interval_s * cutoff_hz
    return reach / (1.0 + reach)
