"""Admission: caps on sessions, and the load of the processors. Called by `sessions` and `metrics`."""

from __future__ import annotations

import ctypes
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rtfilter.serve.gate.options import Limits
from rtfilter.serve.gate.refusals import RefusedError

# Decoding, filtering and encoding 720p30, measured on a 2-core server: the assumed cost of a session
# until the first ones have been measured.
GUESSED_COST = 0.7
# A watcher costs one encoder; a session decodes and filters as well.
WATCHER_SHARE = 0.4
# The cost of a session this young has not been measured yet.
YOUNG_S = 8.0
RETRY_AFTER_S = 10
# Long enough that one burst refuses no session, short enough to follow sessions that come and go.
WINDOW_S = 5.0
PROC_STAT = Path("/proc/stat")


@dataclass(frozen=True, slots=True)
class Load:
    """Processors, on average over the last seconds.

    count: that this process may use. own: busy with this process. idle: None where the system has no counter.
    """

    count: float
    own: float
    idle: float | None


class Processors:
    """The load of the processors; `sample` is to be called every second or so."""

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
    """Processor seconds idle since the start of the machine; None where there is no /proc/stat."""
    try:
        fields = stat.read_text().splitlines()[0].split()
        ticks_per_s = os.sysconf("SC_CLK_TCK")
        return float(int(fields[4]) + int(fields[5])) / ticks_per_s  # idle and iowait
    except (OSError, IndexError, ValueError, AttributeError):
        return None


@dataclass(frozen=True, slots=True)
class Member:
    """A session or watcher. filters: whether it runs a filter; a watcher does not."""

    address: str
    age_s: float
    filters: bool = True


def admit(
    members: Iterable[Member], address: str, limits: Limits, load: Load, *, filters: bool = True
) -> None:
    """Admit one more session or watcher, or raise RefusedError: 503 for no room, 429 for its address's share.

    filters: it will run a filter; a watcher, who costs an encoder, does not.
    A machine without sessions admits one however busy it is: no other session suffers.
    """
    members = list(members)
    if len(members) >= limits.sessions:
        raise RefusedError(
            503,
            f"all {limits.sessions} places are taken: try again later, or raise --sessions",
            RETRY_AFTER_S,
        )
    same = sum(member.address == address for member in members)
    if same >= limits.sessions_per_address:
        raise RefusedError(
            429,
            f"{address} has {same} sessions, at most {limits.sessions_per_address} are allowed from one"
            " address: close one",
            RETRY_AFTER_S,
        )
    filtering = [member for member in members if member.filters]
    if not filtering:
        return
    share = 1.0 if filters else WATCHER_SHARE
    young = sum(member.age_s < YOUNG_S for member in filtering)
    old = len(filtering) - young
    cost = max(load.own / len(filtering), 0.1) if old else GUESSED_COST
    # The future load of the young ones is not in the measured load yet; half of it is, on average.
    expected = cost * (share + 0.5 * young)
    free = load.count * limits.cpu_share - load.own
    if load.idle is not None:
        free = min(free, load.idle - load.count * (1 - limits.cpu_share))
    if expected > free:
        raise RefusedError(
            503,
            f"the processors are busy: one more session takes about {expected:.1f} of {load.count:g}, and"
            f" {max(free, 0.0):.1f} is free; close a session, lower its resolution, or try again later",
            RETRY_AFTER_S,
        )


def give_back_free_memory() -> None:
    """Return freed memory to the system, where the C library has `malloc_trim`.

    glibc keeps freed memory in an arena for each thread. A connection has threads of its own, so that after
    a thousand of them the arenas hold hundreds of unused megabytes. Takes some milliseconds, in which other
    threads run.
    """
    with suppress(
        OSError, AttributeError, TypeError
    ):  # musl and macOS lack the function, Windows the library
        ctypes.CDLL(None).malloc_trim(0)
