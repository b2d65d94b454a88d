"""Networks on a GPU by ONNX Runtime, where TensorRT is missing: slower, and no part of another graph.

Called by `engines.prepare.choose`.
"""

from __future__ import annotations

import contextlib
import io
import logging
import threading
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from rtfilter.engines.ort.load import onnxruntime
from rtfilter.engines.spec import BATCH_NAME, NetworkSpec
from rtfilter.errors import GpuError, InputError
from rtfilter.kernels.device import Device, DeviceArray, Stream
from rtfilter.kernels.memory import unsafe_in_capture
from rtfilter.system.cuda_errors import names_cuda, reported_error
from rtfilter.system.installation import install_packages, uninstall

_log = logging.getLogger(__name__)

PROVIDER = "CUDAExecutionProvider"

_FATAL = 4


def install() -> str:
    """The command that replaces ONNX Runtime by its build for GPUs; both install the same files."""
    return f"{uninstall('onnxruntime')} && {install_packages('onnxruntime-gpu[cuda,cudnn]')}"


def has_cuda() -> bool:
    """Whether the installed ONNX Runtime was built for GPUs; driver and libraries are not checked."""
    return PROVIDER in onnxruntime.get_available_providers()


class OrtCudaRunner:
    """One network on the device's GPU, for a fixed batch.

    Not `capturable`: ONNX Runtime captures a CUDA graph of its own, which cannot be part of another. A
    session computes on one stream, the first that it is run on, and reuses memory in that stream's order; so
    sessions are not shared between filters, as TensorRT's engines are.

    Args:
        onnx: the ONNX file's bytes.
        provider, place: for tests on the CPU.
    """

    capturable = False

    def __init__(
        self,
        onnx: bytes,
        spec: NetworkSpec,
        batch: int,
        device: Device,
        *,
        provider: str = PROVIDER,
        place: str = "cuda",
    ) -> None:
        self.spec = spec
        self.batch = batch
        self._onnx, self._device, self._provider, self._place = onnx, device, provider, place
        self._stream: Stream | None = None
        self._session: Any = None
        self._bound: Mapping[str, DeviceArray] = {}
        self._binding: Any = None
        self._graphs = 0
        self._recorded: set[tuple[int, int]] = set()  # thread and graph: graphs are per thread

    def bind(self, tensors: Mapping[str, DeviceArray]) -> None:
        """See `Runner.bind`."""
        self.spec.check_memory(tensors, self.batch)
        self._bound, self._binding = dict(tensors), None

    def enqueue(self, stream: Stream) -> None:
        """See `Runner.enqueue`; not while a stream is being captured."""
        if self._session is None or self._stream is not stream:
            with unsafe_in_capture, self._device.current():
                self._session, self._stream, self._binding = self._make_session(stream), stream, None
            self._recorded.clear()
        if self._binding is None:
            self._binding = self._make_binding()
            self._graphs += 1  # a graph holds addresses, so other memory needs another
        options = onnxruntime.RunOptions()
        # Without it every run ends by waiting for the GPU.
        options.add_run_config_entry("disable_synchronize_execution_providers", "1")
        options.add_run_config_entry("gpu_graph_id", str(self._graphs))
        mine = (threading.get_ident(), self._graphs)
        # The first run makes memory and a graph.
        first = contextlib.nullcontext() if mine in self._recorded else unsafe_in_capture
        try:
            with first, self._device.current():
                self._session.run_with_iobinding(self._binding, options)
        except GpuError:
            raise
        except Exception as error:  # ONNX Runtime's own types share no other base
            raise reported_error(f"ONNX Runtime cannot run {self.spec.name}", _message(error)) from error
        self._recorded.add(mine)

    def close(self) -> None:
        """See `Runner.close`."""
        with unsafe_in_capture:
            self._session = self._binding = self._stream = None
        self._bound = {}

    def _make_session(self, stream: Stream) -> Any:
        settings: dict[str, str] = {}
        if self._provider == PROVIDER:
            if not has_cuda():
                raise GpuError(f"the installed ONNX Runtime has no CUDA: {install()}")
            settings = {
                "device_id": str(self._device.index),
                "user_compute_stream": str(stream.pointer),
                "use_tf32": "0",
            }
            try:
                return self._open({**settings, "enable_cuda_graph": "1"})
            except InputError as problem:
                # It raises where any node would run on the processor.
                _log.warning("ONNX Runtime runs %s without a CUDA graph: %s", self.spec.name, problem)
        return self._open(settings)

    def _open(self, settings: dict[str, str]) -> Any:
        if self._provider == PROVIDER:
            _load_libraries()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.add_free_dimension_override_by_name(BATCH_NAME, self.batch)
        try:
            providers = [(self._provider, settings)]
            # Without the fallback, which would hide why the GPU cannot be used, and print it.
            session = onnxruntime.InferenceSession(
                self._onnx, options, providers=providers, enable_fallback=0
            )
        except Exception as error:  # ONNX Runtime's own types share no other base
            if names_cuda(str(error)):
                raise reported_error(f"ONNX Runtime cannot load {self.spec.name}", _message(error)) from error
            raise InputError(
                f"ONNX Runtime cannot load the network {self.spec.name}: {_message(error)}"
            ) from error
        if session.get_providers()[0] != self._provider:
            # The reason is in its own log only, and it would continue on the processor.
            raise GpuError(
                f"ONNX Runtime {onnxruntime.__version__} cannot use the GPU: its CUDA and cuDNN libraries "
                f"do not load; install them: {install()}"
            )
        session.disable_fallback()
        return session

    def _make_binding(self) -> Any:
        if not self._bound:
            raise ValueError(f"{self.spec.name}: bind its memory before it is run")
        binding = self._session.io_binding()
        for bind, specs in ((binding.bind_input, self.spec.inputs), (binding.bind_output, self.spec.outputs)):
            for tensor in specs:
                array = self._bound[tensor.name]
                shape = list(array.shape)
                bind(tensor.name, self._place, self._device.index, np.float32, shape, array.pointer)
        return binding


@cache
def _load_libraries() -> None:
    """Load CUDA and cuDNN from NVIDIA's wheels, which ONNX Runtime does not search by itself."""
    preload = getattr(onnxruntime, "preload_dlls", None)
    if preload is None:
        return
    # Warnings about providers and cuDNN's plans would be printed at every session; failures are raised too.
    onnxruntime.set_default_logger_severity(_FATAL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(
        printed
    ):  # it prints what it misses; what matters is printed when it is used
        preload()
    if printed.getvalue().strip():
        _log.info("ONNX Runtime: %s", " ".join(printed.getvalue().split()))


def _message(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
