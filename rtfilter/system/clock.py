"""Time as an argument, a recorder of durations, and a check of presentation times. Called everywhere."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from typing import TypedDict

import numpy as np

# Nanoseconds on a clock that never steps back; its zero means nothing.
Clock = Callable[[], int]

monotonic_ns: Clock = time.monotonic_ns

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


class StageSummary(TypedDict):
    """Percentiles in milliseconds over the newest samples; `count` is of all samples ever."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    count: int


class _Ring:
    __slots__ = ("count", "samples_ns")

    def __init__(self, capacity: int) -> None:
        self.samples_ns = np.zeros(capacity, np.int64)
        self.count = 0


class StageTimings:
    """Durations by stage name in rings of fixed size: memory and cost do not grow with time.

    One thread records a stage; any thread may call `summary` meanwhile.
    """

    def __init__(self, capacity: int = 4096) -> None:
        if capacity < 1:
            raise ValueError(f"capacity: expected at least 1 sample, got {capacity}")
        self._capacity = capacity
        self._rings: dict[str, _Ring] = {}

    def record(self, stage: str, duration_ns: int) -> None:
        """Keep one duration, in nanoseconds, in place of the stage's oldest when the ring is full."""
        ring = self._rings.get(stage)
        if ring is None:
            ring = self._rings.setdefault(stage, _Ring(self._capacity))
        ring.samples_ns[ring.count % self._capacity] = duration_ns
        ring.count += 1

    def record_all(self, durations_ns: Mapping[str, int], prefix: str = "") -> None:
        """Record one duration for each stage of `durations_ns`, its name behind `prefix`."""
        for stage, duration_ns in durations_ns.items():
            self.record(prefix + stage, duration_ns)

    def summary(self) -> dict[str, StageSummary]:
        """Median, 95th and 99th percentile by stage, in the order the stages were first seen."""
        # A copy first: another thread may be adding a stage.
        return {stage: _summary(ring) for stage, ring in list(self._rings.items()) if ring.count}


def _summary(ring: _Ring) -> StageSummary:
    count = ring.count
    p50, p95, p99 = np.percentile(ring.samples_ns[:count], (50, 95, 99)) / NS_PER_MS
    return {
        "p50_ms": round(float(p50), 3),
        "p95_ms": round(float(p95), 3),
        "p99_ms": round(float(p99), 3),
        "count": count,
    }


class TimeWatch:
    """A check of presentation times, with one warning when they hardly advance.

    Then nothing fades in, and nothing is smoothed. The quickest high-speed recordings have 1 ms a frame;
    numbers of frames, microseconds, milliseconds and 90 kHz ticks, when taken for nanoseconds, have at most
    0.04 ms. Called by `FaceFilter`.
    """

    LEAST_STEP_NS = 200_000
    FRAMES = 10

    def __init__(self) -> None:
        self._warned = False
        self.reset()

    def reset(self) -> None:
        """What comes next follows nothing."""
        self._last_ns: int | None = None
        self._stuck = 0

    def see(self, pts_ns: int) -> None:
        """Take a frame's presentation time. The warning names the caller of the caller."""
        last_ns, self._last_ns = self._last_ns, pts_ns
        if self._warned or last_ns is None:
            return
        step_ns = pts_ns - last_ns
        self._stuck = self._stuck + 1 if step_ns < self.LEAST_STEP_NS else 0
        if self._stuck >= self.FRAMES:
            self._warned = True
            warnings.warn(
                f"{self.FRAMES} frames in a row came less than {self.LEAST_STEP_NS / 1e6:g} ms after the one "
                f"before (the last: {step_ns} ns), so the edit cannot fade in: give pts in nanoseconds, or "
                "pts=number with fps=30, or leave pts out for the time of arrival",
                stacklevel=3,
            )
