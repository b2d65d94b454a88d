"""Time as an argument, and a recorder of where it goes."""

from __future__ import annotations

import time
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

    One thread records a stage; any thread may ask for the summary meanwhile.
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
