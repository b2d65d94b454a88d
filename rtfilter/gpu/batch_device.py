"""`BatchDevice`: networks, kernels and memory on a device, which filter a batch of frames. For `Batcher`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from time import perf_counter_ns
from typing import Protocol

import numpy as np

from rtfilter.engines.expression.layout import EXPRESSION, STATE
from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
from rtfilter.engines.runner import Runner
from rtfilter.engines.spec import NetworkSpec
from rtfilter.gpu.detector import DetectorGraph
from rtfilter.gpu.frame_io import Format
from rtfilter.gpu.graph import BatchGraph
from rtfilter.gpu.region import stepped_bytes
from rtfilter.gpu.skin_rows import SkinRows
from rtfilter.gpu.work import Work, empty_work
from rtfilter.kernels.device import Device
from rtfilter.kernels.skin import SkinTable
from rtfilter.kernels.warp import Warp
from rtfilter.render.mesh import RingedMesh

FRAMES_MAX = 64  # of a launch
PERSONS_MAX = 8  # of a launch, with skin maps of their own: 2 MiB of memory each
FIRST_BYTES = 1 << 20  # of a region at first: a face that fills half the height of a 1080p picture


class Runtime(Protocol):
    """Makes runners of networks for one device."""

    @property
    def one_thread(self) -> bool:
        """Whether launches of several streams stay on one thread: ONNX Runtime keeps buffers for each."""
        ...

    def runner(self, spec: NetworkSpec, batch: int, device: Device) -> Runner:
        """A network for a batch, its memory made by `device`."""
        ...


class BatchDevice:
    """For one thread at a time: `launch` a batch, then `read` its results.

    All networks are loaded at once, for batches of 1, 2, 4 .. frames, so that no stream waits for them later.

    Attributes:
        streams: how many may join.
        frames_max: frames of a launch, a power of two.
        persons_max: different skin maps of a launch.
        stream: on which everything runs.
        launched: the last launch: graph, format and slot size.
    """

    def __init__(
        self,
        open_device: Callable[[], Device],
        runtime: Runtime,
        mesh: RingedMesh,
        streams: int,
    ) -> None:
        """Errors of runtime and device; all that was opened is then closed.

        streams: each has two rows of the state table.
        """
        self.frames_max = 1 << (min(streams, FRAMES_MAX).bit_length() - 1)
        self.persons_max = min(self.frames_max, PERSONS_MAX)
        self.launched: tuple[BatchGraph, Format, int] | None = None
        self.streams = streams
        self._frames: list[Work] = []
        self._looking: list[Work] = []
        self._in_flight = False
        self._graphs: dict[int, BatchGraph] = {}
        self._thread: ThreadPoolExecutor | None = None
        with ExitStack() as opened:
            if runtime.one_thread and streams > 1:
                self._thread = opened.enter_context(ThreadPoolExecutor(1, "rtfilter-batch"))
            self._device = device = open_device()
            opened.callback(device.close)
            self.stream = device.stream()

            def runner(spec: NetworkSpec, size: int) -> Runner:
                made = runtime.runner(spec, size, device)
                opened.callback(made.close)
                return made

            sizes = [1 << exponent for exponent in range(self.frames_max.bit_length())]
            self._runners = {size: (runner(FACE_MESH, size), runner(EXPRESSION, size)) for size in sizes}
            self._detector = DetectorGraph(device, self.stream, runner(FACE_DETECTOR, 1))
            opened.callback(self._detector.close)
            self._skins = SkinRows(SkinTable(device, self.stream, self.persons_max + 1))
            self._warp = Warp(device, self.stream, mesh.topology(), self.frames_max, self._skins.table)
            # Two states a stream, and one for each empty slot of a batch.
            self._table = device.empty((2 * streams + self.frames_max, STATE.size), np.float32)
            self._opened = opened.pop_all()

    def launch(self, batch: list[Work]) -> None:
        """Start all frames, of one format, and the first detection; asynchronous."""
        self._frames = [work for work in batch if work.upload is not None]
        self._looking = [work for work in batch if work.look is not None]
        self._on_thread(self._launch)

    def read(self) -> None:
        """Wait, and write the results into the batch's works; further detections are run here."""
        self.stream.wait()
        self._in_flight = False
        now = perf_counter_ns()
        for number, work in enumerate(self._frames):
            assert self.launched is not None
            graph, _, slot_bytes = self.launched
            # Another stream's launch would overwrite views.
            work.take(graph, number, slot_bytes, copied=self.streams > 1)
            work.device_ns = now - work.started_ns
        for number, work in enumerate(self._looking):
            if number:
                self._on_thread(partial(self._look, work))
                self.stream.wait()
            work.found = self._detector.found()

    def close(self) -> None:
        """Free everything. May be called twice."""
        self._opened.close()

    def _launch(self) -> None:
        if self._in_flight:  # the last wait was interrupted
            self.stream.wait()
        self._in_flight = True
        if self._frames:
            self._launch_frames(self._frames)
        if self._looking:
            self._look(self._looking[0])

    def _launch_frames(self, frames: list[Work]) -> None:
        kind = frames[0].frame.format
        slot_bytes = stepped_bytes(max(work.frame.bytes for work in frames))
        graph = self._graph(1 << (len(frames) - 1).bit_length(), kind.room(slot_bytes))
        for work in frames:
            work.person = self._skins.row_of(work.skin, [other.skin for other in frames])
        spare_rows = range(2 * self.streams, 2 * self.streams + graph.batch - len(frames))
        for number, work in enumerate([*frames, *(empty_work(kind, row) for row in spare_rows)]):
            work.put(graph, number, slot_bytes)
        now = perf_counter_ns()
        for work in frames:
            work.started_ns = work.started_ns or now
        self.launched = graph, kind, slot_bytes
        graph.launch(kind, slot_bytes)

    def _look(self, work: Work) -> None:
        assert work.look is not None
        self._detector.start(work.look, work.tile)

    def _graph(self, size: int, room: int) -> BatchGraph:
        before = self._graphs.get(size)
        if before is not None:
            if before.slot_bytes >= room:
                return before
            # The smaller graph's memory is freed with the device only, so each is twice the last.
            before.close()
            room = max(room, 2 * before.slot_bytes)
        warp, room = self._warp.for_fewer(size), max(room, FIRST_BYTES)
        graph = BatchGraph(self._device, self.stream, self._runners[size], warp, self._table, room)
        self._opened.callback(graph.close)
        self._graphs[size] = graph
        return graph

    def _on_thread(self, action: Callable[[], None]) -> None:
        """Run it on the runtime's thread, where it needs one."""
        if self._thread is None:
            action()
        else:
            self._thread.submit(action).result()
