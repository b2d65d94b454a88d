"""CUDA graphs: work that is recorded once and replayed for every frame. Used by `graph` and `detector`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from rtfilter.kernels.device import Stream

Work = Callable[[], None]

# Of one owner. A face that comes nearer passes through a few sizes.
GRAPHS_KEPT: Final = 8


@dataclass(frozen=True, slots=True)
class Part:
    """Some work on a stream.

    Attributes:
        stage: its name, for timing.
        queue: queues it.
        capturable: whether a graph may hold it; ONNX Runtime on CUDA makes graphs of its own.
    """

    stage: str
    queue: Work
    capturable: bool = True


class Replays:
    """Graphs of one stream by key, the least recently used dropped first."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._graphs: OrderedDict[Hashable, Work] = OrderedDict()
        self._warm: set[Hashable] = set()

    def launch(self, kind: Hashable, key: Hashable, parts: Callable[[], Sequence[Part]]) -> None:
        """Start all parts in order.

        The first launch of a kind queues them one by one, as libraries may still load code then. Later ones
        replay the graph of their key, which is captured once.
        """
        if kind not in self._warm:
            self._warm.add(kind)
            for part in parts():
                part.queue()
            return
        replay = self._graphs.get(key)
        if replay is None:
            if len(self._graphs) >= GRAPHS_KEPT:
                self._graphs.popitem(last=False)
            replay = self._graphs[key] = self._captured(parts())
        self._graphs.move_to_end(key)
        replay()

    def clear(self) -> None:
        """Free the graphs."""
        self._graphs.clear()

    def __len__(self) -> int:
        return len(self._graphs)

    def _captured(self, parts: Sequence[Part]) -> Work:
        """One graph, or as few as the parts that cannot be captured permit."""
        calls: list[Work] = []
        for capturable, group in groupby(parts, key=lambda part: part.capturable):
            works = [part.queue for part in group]
            calls += [self._stream.capture(_all(works)).launch] if capturable else works
        return calls[0] if len(calls) == 1 else _all(calls)


def _all(works: Sequence[Work]) -> Work:
    def call() -> None:
        for work in works:
            work()

    return call
