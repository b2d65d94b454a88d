"""Networks on a GPU, by TensorRT of either flavour: fixed memory, no copies, ready to be captured.

Called by `engines.prepare.choose`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtfilter.engines.runner import check_bound
from rtfilter.engines.spec import F32, NetworkSpec
from rtfilter.engines.staging import Staging
from rtfilter.engines.trt.engine import Engine, shared_engine
from rtfilter.engines.trt.flavour import Flavour
from rtfilter.errors import GpuError
from rtfilter.kernels.device import Device, DeviceArray, Stream
from rtfilter.system.cache import CacheFile
from rtfilter.system.cuda_errors import reported_error

# The first run loads kernels, and may still choose among them; no capture may see either.
_WARM_UPS = 2


class TensorRtRunner:
    """One network on the device's GPU, for a fixed batch: a context of its own of a shared engine.

    Args:
        plan: of that network, batch and GPU.
        runtime: see `Engine`, and for the errors too.
    """

    def __init__(
        self,
        plan: bytes,
        spec: NetworkSpec,
        batch: int,
        flavour: Flavour,
        device: Device,
        runtime: CacheFile | None = None,
    ) -> None:
        self.spec = spec
        self.batch = batch
        self.capturable = False  # known once memory is bound
        self._flavour = flavour
        self._device = device
        self._stream: Stream | None = None
        self._scratch: DeviceArray | None = None
        self._context: Any = None
        self._staging: Staging | None = None
        self._bound: dict[str, DeviceArray] = {}
        self._pointed: Mapping[str, DeviceArray] = {}
        with device.current():
            self._engine: Engine | None = shared_engine(plan, spec, batch, flavour, device.index, runtime)
            try:
                self._context = self._make_context()
            except BaseException:
                self.close()
                raise

    def run(self, **inputs: F32) -> dict[str, F32]:
        """See `Runner.run`."""
        self.spec.check_inputs(inputs, self.batch)
        if self._staging is None:
            self._staging = Staging(self.spec, self.batch, self._device)
        stream = self._own_stream()
        self._point_at(self._staging.tensors)
        outputs = self._staging.run(stream, inputs, lambda: self._execute(stream))
        self._shared.save_code()
        return outputs

    def bind(self, tensors: Mapping[str, DeviceArray]) -> None:
        """See `Runner.bind`. Runs a few times on what lies there, so the outputs are overwritten."""
        check_bound(self.spec, self.batch, tensors)
        self._bound = dict(tensors)
        self._point_at(self._bound)
        stream = self._own_stream()
        for _ in range(_WARM_UPS):
            self._execute(stream)
        stream.wait()
        capturable = getattr(self._context, "is_stream_capturable", None)
        self.capturable = True if capturable is None else bool(capturable(stream.pointer))
        self._shared.save_code()

    def enqueue(self, stream: Stream) -> None:
        """See `Runner.enqueue`."""
        self._point_at(self._bound)
        self._execute(stream)

    def close(self) -> None:
        """See `Runner.close`. The device's memory is freed by the device."""
        engine, self._engine = self._engine, None
        if engine is None:
            return
        with engine.lock:
            self._context = None  # before the engine
        self._scratch = self._staging = None
        self._bound, self._pointed = {}, {}

    def _make_context(self) -> Any:
        self._shared.log.forget()
        context = self._shared.make_context()
        if context is None:
            raise self._failure("cannot prepare")
        # Memory that it computes in is made by the device, so that it is counted and freed with the rest.
        size = self._shared.context_bytes
        self._scratch = self._device.empty(max(size, 1), "uint8")
        context.set_device_memory(self._scratch.pointer, size)
        return context

    def _point_at(self, tensors: Mapping[str, DeviceArray]) -> None:
        if self._pointed is tensors and tensors:
            return
        for tensor in self.spec.tensors():
            if tensor.name not in tensors:
                raise ValueError(f"{self.spec.name}: bind its memory before it is run")
            if not self._context.set_tensor_address(tensor.name, tensors[tensor.name].pointer):
                raise self._failure(f"does not take the memory of {tensor.name} in")
        self._pointed = tensors

    def _execute(self, stream: Stream) -> None:
        self._shared.log.forget()
        with self._device.current():
            if not self._context.execute_async_v3(stream.pointer):
                raise self._failure("cannot run")

    def _failure(self, what: str) -> GpuError:
        return reported_error(f"{self._flavour} {what} {self.spec.name}", self._shared.log.message)

    @property
    def _shared(self) -> Engine:
        assert self._engine is not None, "this runner is closed"
        return self._engine

    def _own_stream(self) -> Stream:
        if self._stream is None:
            self._stream = self._device.stream()
        return self._stream
