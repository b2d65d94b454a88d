"""The host device with a record of what a lane does on it, in order, and failures where a test sets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rtfilter.kernels.device import DeviceArray, Graph, HostArray
from tests.host_gpu.device import HostDevice, HostStream

# Called with every event before it happens; may raise.
Before = Callable[[str], None]


class Watch:
    """events: `empty`, `pinned`, `upload`, `download`, `launch NAME`, `call`, `capture`, `graph`, `wait`.

    What happens while a graph is recorded is in `recorded` instead. open_devices: not closed yet.
    """

    def __init__(self, before: Before | None = None) -> None:
        self.before = before
        self.events: list[str] = []
        self.recorded: list[str] = []
        self.open_devices = 0
        self.recording = False

    def record(self, event: str) -> None:
        (self.recorded if self.recording else self.events).append(event)
        if self.before is not None:
            self.before(event)

    def forget(self) -> None:
        self.events.clear()
        self.recorded.clear()

    def open(self) -> WatchedDevice:
        """A device that is watched."""
        return WatchedDevice(self)


class WatchedDevice(HostDevice):
    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch
        watch.open_devices += 1
        self._counted = 1

    def empty(self, shape: Any, dtype: Any) -> Any:
        self._watch.record("empty")
        return super().empty(shape, dtype)

    def pinned(self, shape: Any, dtype: Any) -> HostArray:
        self._watch.record("pinned")
        return super().pinned(shape, dtype)

    def stream(self) -> Any:
        return WatchedStream(self._watch, super().stream())

    def close(self) -> None:
        self._watch.open_devices -= self._counted
        self._counted = 0
        super().close()


class WatchedGraph:
    def __init__(self, watch: Watch, inner: Graph) -> None:
        self._watch, self._inner = watch, inner

    def launch(self) -> None:
        self._watch.record("graph")
        self._inner.launch()


class WatchedStream:
    pointer = 0

    def __init__(self, watch: Watch, inner: HostStream) -> None:
        self._watch, self._inner = watch, inner

    def upload(self, to: DeviceArray, of: HostArray) -> None:
        self._watch.record("upload")
        self._inner.upload(to, of)

    def download(self, to: HostArray, of: DeviceArray) -> None:
        self._watch.record("download")
        self._inner.download(to, of)

    def launch(self, kernel: str, *arguments: Any) -> None:
        self._watch.record(f"launch {kernel}")
        self._inner.launch(kernel, *arguments)

    def call(self, work: Callable[[], None]) -> None:
        self._watch.record("call")
        self._inner.call(work)

    def capture(self, record: Callable[[], None]) -> WatchedGraph:
        self._watch.record("capture")
        self._watch.recording = True
        try:
            return WatchedGraph(self._watch, self._inner.capture(record))
        finally:
            self._watch.recording = False

    def mark(self) -> Any:
        return self._inner.mark()

    def wait(self) -> None:
        self._watch.record("wait")
        self._inner.wait()
