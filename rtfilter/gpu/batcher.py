"""`Batcher`: the streams of one device, filtered in one launch. Made by `open`, called by `CudaLane`.

A stream that finds the device free launches at once, from its own thread. One that finds it busy joins the
next launch, which the first waiting thread starts when the device is free. So a single stream waits for no
thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import perf_counter_ns

from rtfilter.errors import GpuError, UsageError
from rtfilter.face.skin import SkinMaps
from rtfilter.gpu.batch_device import BatchDevice, Runtime
from rtfilter.gpu.work import Work
from rtfilter.kernels.device import Device
from rtfilter.render.mesh import RingedMesh


class Batcher:
    """Up to `streams` streams on one device, which is closed with the last of them.

    Attributes:
        device: see `BatchDevice`.
        failed: the error after which the device is of no more use.
    """

    def __init__(
        self,
        open_device: Callable[[], Device],
        runtime: Runtime,
        mesh: RingedMesh,
        streams: int = 1,
    ) -> None:
        """See `BatchDevice`."""
        self.device = BatchDevice(open_device, runtime, mesh, streams)
        self.failed: GpuError | None = None
        self._streams = streams
        self._free_rows = [2 * number for number in reversed(range(streams))]
        self._changed = threading.Condition()
        self._pending: list[Work] = []
        # The launch under way, and the thread that launched it; None while the device is free.
        self._held: list[Work] = []
        self._owner: int | None = None
        self._closed = False

    def join(self) -> int:
        """Add a stream: the first of its two rows of the state table.

        Raises:
            GpuError: the device failed, or was closed.
            UsageError: no place is free.
        """
        with self._changed:
            self._check_open()
            if not self._free_rows:
                raise UsageError(f"this device has no room for another stream than its {self._streams}")
            return self._free_rows.pop()

    def leave(self, row: int) -> None:
        """Remove a stream by its first row; with the last, close the device."""
        with self._changed:
            self._free_rows.append(row)
            last = len(self._free_rows) == self._streams
        if last:
            self.close()

    def run(self, *works: Work, meanwhile: Callable[[], object] | None = None) -> None:
        """Do the works, together with what other streams wait for. From any thread.

        Args:
            works: the results are written into them.
            meanwhile: called once while the device works.

        Raises:
            GpuError: the device failed, which every stream of it gets, or was closed.
        """
        try:
            self._run(works, meanwhile)
        except BaseException:
            self._abandon(works)
            raise
        for work in works:
            if work.error is not None:
                raise _copy(work.error) from work.error

    def _run(self, works: Sequence[Work], meanwhile: Callable[[], object] | None) -> None:
        with self._changed:
            self._check_open()
            self._pending += works
            batch = self._next_batch()
            for work in works:
                work.started_ns = 0 if work in batch else perf_counter_ns()
        self._launch(batch)
        try:
            if meanwhile is not None:
                meanwhile()
        finally:
            self._read(batch)
            while batch := self._wait(works):
                self._launch(batch)
                self._read(batch)

    def _abandon(self, works: Sequence[Work]) -> None:
        """Drop works after an interruption, and leave what else this thread launched to other threads."""
        with self._changed:
            if self._owner == threading.get_ident():
                waiting = [other for other in self._pending if other not in self._held]
                self._pending = [other for other in self._held if not other.done] + waiting
                self._free()
            self._pending = [other for other in self._pending if other not in works]
            self._changed.notify_all()

    def _free(self) -> None:
        self._owner, self._held = None, []

    def close(self) -> None:
        """Free everything, after the launch that is under way. May be called twice."""
        with self._changed:
            self._closed = True
            while self._owner is not None:
                self._changed.wait()
            for work in self._pending:
                work.error, work.done = _closed(), True
            self._pending.clear()
            self._changed.notify_all()
        self.device.close()

    def _check_open(self) -> None:
        if self._closed:
            raise _closed()
        if self.failed is not None:
            raise _copy(self.failed) from self.failed

    def _next_batch(self) -> list[Work]:
        """The next launch, its frames of one format; empty while the device is busy. Under the lock."""
        if self._owner is not None or self._closed or not self._pending:
            return []
        frames = [work for work in self._pending if work.upload is not None]
        kind = frames[0].frame.format if frames else None
        batch = [work for work in self._pending if work.upload is None or work.upload.format is kind]
        batch = _of_few_persons(batch[: self.device.frames_max], self.device.persons_max)
        self._held, self._owner = batch, threading.get_ident()
        self._pending = [work for work in self._pending if work not in batch]
        return batch

    def _wait(self, works: Sequence[Work]) -> list[Work]:
        """Wait until they are done, or the device is free: then the batch for this thread to launch."""
        with self._changed:
            while not all(work.done for work in works):
                if batch := self._next_batch():
                    return batch
                self._changed.wait()
        return []

    def _launch(self, batch: list[Work]) -> None:
        if batch:
            self._try(batch, lambda: self.device.launch(batch))

    def _read(self, batch: list[Work]) -> None:
        """Wait for the launch and give out its results, unless it failed."""
        if batch and not batch[0].done and self._try(batch, self.device.read):
            self._end(batch, None)

    def _try(self, batch: list[Work], action: Callable[[], None]) -> bool:
        """Run it; whether it ran. A failure is the batch's and the device's."""
        try:
            if self.failed is not None:
                raise self.failed
            action()
            return True
        except Exception as raised:  # noqa: BLE001 - every stream of the batch gets it
            self.failed = _as_gpu_error(raised)
            self._end(batch, self.failed)
            return False

    def _end(self, batch: list[Work], error: GpuError | None) -> None:
        with self._changed:
            for work in batch:
                if not work.done:
                    work.error, work.done = error, True
            self._free()
            self._changed.notify_all()


def _of_few_persons(batch: list[Work], most: int) -> list[Work]:
    """As many of the first works as have at most so many different skin maps."""
    skins: set[SkinMaps | None] = set()
    for number, work in enumerate(batch):
        skins.add(work.skin)
        if len(skins - {None}) > most:
            return batch[:number]
    return batch


def _closed() -> GpuError:
    return GpuError("this device was closed: open the filter anew")


def _copy(error: GpuError) -> GpuError:
    """Each thread raises its own: a traceback belongs to one."""
    return type(error)(str(error))


def _as_gpu_error(raised: Exception) -> GpuError:
    return raised if isinstance(raised, GpuError) else GpuError(f"the CUDA lane failed: {raised!r}")
