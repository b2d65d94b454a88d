"""Order and graphs on an NVIDIA GPU, through CuPy: the streams of `CudaDevice`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from rtfilter.errors import GpuError, GpuLostError
from rtfilter.kernels.device import Argument, DeviceArray, Extent, Graph, HostArray, Mark
from rtfilter.kernels.memory import (
    capturing,
    check_copy,
    check_no_capture,
    packed_arguments,
)
from rtfilter.system.cuda_errors import DRIVER_TOO_OLD, OUT_OF_MEMORY, gpu_error


class GpuState:
    """What a device shares with its streams.

    Attributes:
        native: CuPy's device.
        functions: CuPy's kernels by name.
        lost: the error after which the GPU can no longer be used.
        is_open: False once the device is closed.
    """

    def __init__(self, native: Any) -> None:
        self.native = native
        self.functions: dict[str, Any] = {}
        self.lost: GpuLostError | None = None
        self.is_open = True

    @contextmanager
    def working(self, doing: str) -> Iterator[None]:
        """Makes the GPU the thread's current one; CuPy's errors become ours. A lost GPU stays lost."""
        if not self.is_open:
            raise ValueError("this device is closed")
        if self.lost is not None:
            raise GpuLostError(str(self.lost))
        try:
            # In this order: on a lost GPU, switching back to the device before is the first call that fails.
            with gpu_errors(doing), self.native:
                yield
        except GpuLostError as lost:
            self.lost = lost
            raise


class CudaGraph:
    def __init__(self, stream: CudaStream, graph: Any, memory: list[object]) -> None:
        self._stream = stream
        self._graph = graph
        self._memory = memory  # CUDA's graph holds addresses only

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
    """native: CuPy's stream. See `device.Stream`."""

    def __init__(self, state: GpuState, native: Any) -> None:
        self._state = state
        self.native = native
        self.working = state.working
        self._recorded: list[object] | None = None

    @property
    def pointer(self) -> int:
        return int(self.native.ptr)

    def upload(self, to: DeviceArray, of: HostArray) -> None:
        check_copy(to, of)
        self._keep(to, of)
        self._copy(to.pointer, of.ctypes.data, of.nbytes, "memcpyHostToDevice")

    def download(self, to: HostArray, of: DeviceArray) -> None:
        check_copy(of, to)
        self._keep(to, of)
        self._copy(to.ctypes.data, of.pointer, to.nbytes, "memcpyDeviceToHost")

    def _keep(self, *memory: object) -> None:
        """Keep memory alive as long as the graph that is being recorded, if one is."""
        if self._recorded is not None:
            self._recorded.extend(memory)

    def _copy(self, to: int, of: int, nbytes: int, kind: str) -> None:
        from cupy.cuda import runtime

        with self.working("copying between memory and GPU"):
            runtime.memcpyAsync(to, of, nbytes, getattr(runtime, kind), self.native.ptr)

    def launch(self, kernel: str, grid: Extent, block: Extent, *arguments: Argument) -> None:
        functions = self._state.functions
        if kernel not in functions:
            raise ValueError(f"no kernel {kernel!r}: known are {', '.join(functions)}")
        # As CuPy passes them on unchanged: NumPy arrays of one element go by value.
        packed = packed_arguments(arguments)
        by_value = tuple(np.frombuffer(part, np.dtype((np.void, len(part)))) for part in packed)
        self._keep(*arguments)
        with self.working(f"starting the kernel {kernel}"):
            functions[kernel](grid, block, by_value, stream=self.native)

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
        """End it, so that the stream can be used again; the incomplete graph is dropped."""
        try:
            self.native.end_capture()
        except RuntimeError:  # the capture was invalid, which the caller's error reports already
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
def gpu_errors(doing: str) -> Iterator[None]:
    """Turns CuPy's exceptions into `GpuError`s that begin with `doing`, as `copying to the GPU`."""
    try:
        yield
    except GpuError:
        raise
    except (RuntimeError, MemoryError) as error:
        missing = str(error).startswith("CuPy failed to load")  # the driver's library
        if type(error).__module__.partition(".")[0] not in {"cupy", "cupy_backends"} and not missing:
            raise
        code = getattr(error, "status", None)
        if isinstance(error, MemoryError):
            code = OUT_OF_MEMORY
        elif missing:
            code = DRIVER_TOO_OLD
        raise gpu_error(doing, code, " ".join(str(error).split()) or type(error).__name__) from error
