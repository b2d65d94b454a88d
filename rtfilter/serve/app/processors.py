"""How busy this machine's processors are: what admission decides by."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Long enough that one burst does not refuse anybody, short enough to follow who comes and goes.
WINDOW_S = 5.0
PROC_STAT = Path("/proc/stat")


@dataclass(frozen=True, slots=True)
class Load:
    """Processors, on average over the last seconds: how many there are, how many were busy with this
    process, and how many were idle (None where the system does not tell)."""

    count: float
    own: float
    idle: float | None


class Processors:
    """Sample it every second or so, then ask."""

    def __init__(
        self,
        *,
        now_s: Callable[[], float] = time.monotonic,
        own_s: Callable[[], float] = time.process_time,
        stat: Path = PROC_STAT,
    ) -> None:
        self._now_s = now_s
        self._own_s = own_s
        self._stat = stat
        self._samples: deque[tuple[float, float, float | None]] = deque()
        self.sample()

    def sample(self) -> None:
        """Note where the counters stand."""
        now_s = self._now_s()
        self._samples.append((now_s, self._own_s(), _idle_s(self._stat)))
        while len(self._samples) > 2 and now_s - self._samples[1][0] >= WINDOW_S:
            self._samples.popleft()

    def load(self) -> Load:
        """The load between the oldest sample kept and now."""
        count = float(processor_count())
        then_s, own_then_s, idle_then_s = self._samples[0]
        passed_s = self._now_s() - then_s
        if passed_s <= 0:
            return Load(count, 0.0, None)
        idle_s = _idle_s(self._stat)
        idle = None if idle_s is None or idle_then_s is None else (idle_s - idle_then_s) / passed_s
        return Load(count, (self._own_s() - own_then_s) / passed_s, idle)


def processor_count() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _idle_s(stat: Path) -> float | None:
    """Processor seconds idle since the start of the machine; Linux alone tells."""
    try:
        fields = stat.read_text().splitlines()[0].split()
        ticks_per_s = os.sysconf("SC_CLK_TCK")
        return float(int(fields[4]) + int(fields[5])) / ticks_per_s  # idle and iowait
    except (OSError, IndexError, ValueError, AttributeError):
        return None
