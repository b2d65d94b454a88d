"""Order and graphs on an NVIDIA GPU, through CuPy: the `Stream` of cuda_device.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from rtfilter.errors import GpuLostError
from rtfilter.kernels.device import Argument, DeviceArray, Extent, Graph, HostArray, Mark
from rtfilter.kernels.memory import capturing, check_copy, check_no_capture, checked_extents, packed_arguments
from rtfilter.system.cuda_errors import gpu_errors

if TYPE_CHECKING:
    from rtfilter.kernels.cuda_device import CudaDevice


class CudaGraph:
    def __init__(self, stream: CudaStream, graph: Any, memory: list[object]) -> None:
        self._stream = stream
        self._graph = graph
        self._memory = memory  # the graph itself knows addresses only

    def launch(self) -> None:
        with self._stream.working("starting a frame's work"):
            self._graph.launch(stream=self._stream.native)


class CudaMark:
    def __init__(self, event: Any) -> None:
        self.event = event

    def since_ms(self, earlier: Mark) -> float:
        import cupy

        if not isinstance(earlier, CudaMark):
            raise ValueError("marks of different devices cannot be compared")
        with gpu_errors("timing the GPU"):
            return float(cupy.cuda.get_elapsed_time(earlier.event, self.event))


class CudaStream:
    """native: CuPy's stream."""

    def __init__(self, device: CudaDevice, native: Any) -> None:
        self._device = device
        self.native = native
        self._recorded: list[object] | None = None

    @property
    def pointer(self) -> int:
        return int(self.native.ptr)

    def working(self, doing: str) -> AbstractContextManager[None]:
        return working(self._device, doing)

    def upload(self, to: DeviceArray, of: HostArray) -> None:
        check_copy(to, of)
        self._device.pins.check(of)
        self._keep(to, of)
        self._copy(to.pointer, of.ctypes.data, of.nbytes, "memcpyHostToDevice")

    def download(self, to: HostArray, of: DeviceArray) -> None:
        check_copy(of, to)
        self._device.pins.check(to)
        self._keep(to, of)
        self._copy(to.ctypes.data, of.pointer, to.nbytes, "memcpyDeviceToHost")

    def _keep(self, *memory: object) -> None:
        """Alive as long as the graph that is being recorded, if one is."""
        if self._recorded is not None:
            self._recorded.extend(memory)

    def _copy(self, to: int, of: int, nbytes: int, kind: str) -> None:
        from cupy.cuda import runtime

        with self.working("copying between memory and GPU"):
            runtime.memcpyAsync(to, of, nbytes, getattr(runtime, kind), self.native.ptr)

    def launch(self, kernel: str, grid: Extent, block: Extent, *arguments: Argument) -> None:
        checked_extents(kernel, grid, block)
        function = self._device.function(kernel)
        self._keep(*arguments)
        with self.working(f"starting the kernel {kernel}"):
            function(grid, block, as_cupys(arguments), stream=self.native)

    def call(self, work: Callable[[], None]) -> None:
        raise ValueError("a GPU's stream does not wait for Python: only the host device can call functions")

    def capture(self, record: Callable[[], None]) -> Graph:
        with capturing(), self.working("recording a frame's work"):
            self.native.begin_capture()
            recorded = self._recorded = []
            try:
                record()
            except BaseException:
                self._abandon_capture()
                raise
            finally:
                self._recorded = None
            graph = self.native.end_capture()
            graph.upload(stream=self.native)
        return CudaGraph(self, graph, recorded)

    def _abandon_capture(self) -> None:
        """End it, so that the stream can be used again; what was recorded is dropped, and is incomplete."""
        try:
            self.native.end_capture()
        except RuntimeError:  # the capture was invalid, which whoever called is being told already
            return

    def mark(self) -> Mark:
        import cupy

        check_no_capture("a mark")
        with self.working("timing the GPU"):
            return CudaMark(self.native.record(cupy.cuda.Event()))

    def wait(self) -> None:
        check_no_capture("waiting")
        with self.working("waiting for the GPU"):
            self.native.synchronize()


@contextmanager
def working(device: CudaDevice, doing: str) -> Iterator[None]:
    """Makes the GPU the thread's own, and what CuPy raises an error of ours. A GPU that was lost stays so."""
    device.check_usable()
    try:
        # In this order: of a GPU that was lost, going back to the one before is the first thing that fails.
        with gpu_errors(doing), device.native:
            yield
    except GpuLostError as lost:
        device.lost = lost
        raise


def as_cupys(arguments: tuple[Argument, ...]) -> tuple[Any, ...]:
    """Kernel arguments as CuPy passes them on unchanged: NumPy arrays of one element go by value."""
    return tuple(np.frombuffer(part, np.dtype((np.void, len(part)))) for part in packed_arguments(arguments))
