"""Work that is the same every time: in graphs where it may be captured, called anew where it may not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from rtfilter.kernels.device import Stream

Work = Callable[[], None]
Between = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Part:
    """Some work on a stream. stage: its name, for timing. capturable: whether a graph may hold it."""

    stage: str
    queue: Work
    capturable: bool = True


def replay_of(stream: Stream, parts: Sequence[Part]) -> Work:
    """What queues all parts in order: one graph, or as few as the parts that cannot be captured permit."""
    calls: list[Work] = []
    for capturable, group in groupby(parts, key=lambda part: part.capturable):
        works = [part.queue for part in group]
        calls += [stream.capture(_all(works)).launch] if capturable else works
    return calls[0] if len(calls) == 1 else _all(calls)


def queue_parts(parts: Sequence[Part], between: Between | None = None) -> None:
    """Queue all parts in order, without a graph. between: called with each stage's name behind it."""
    for number, part in enumerate(parts):
        part.queue()
        last = number + 1 == len(parts) or parts[number + 1].stage != part.stage
        if between is not None and last:
            between(part.stage)


def _all(works: Sequence[Work]) -> Work:
    def call() -> None:
        for work in works:
            work()

    return call
