"""Networks on a GPU, by TensorRT of either flavour: fixed memory, no copies, ready to be captured.

Called by `engines.prepare.choose`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtfilter.engines.spec import NetworkSpec
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
        self._scratch: DeviceArray | None = None
        self._context: Any = None
        self._bound: dict[str, DeviceArray] = {}
        with device.current():
            self._engine: Engine | None = shared_engine(plan, spec, batch, flavour, device.index, runtime)
            try:
                self._context = self._make_context()
            except BaseException:
                self.close()
                raise

    def bind(self, tensors: Mapping[str, DeviceArray]) -> None:
        """See `Runner.bind`. Runs a few times on what lies there, so the outputs are overwritten."""
        self.spec.check_memory(tensors, self.batch)
        for name, array in tensors.items():
            if not self._context.set_tensor_address(name, array.pointer):
                raise self._failure(f"does not take the memory of {name} in")
        self._bound = dict(tensors)
        stream = self._device.stream()
        for _ in range(_WARM_UPS):
            self._execute(stream)
        stream.wait()
        capturable = getattr(self._context, "is_stream_capturable", None)
        self.capturable = True if capturable is None else bool(capturable(stream.pointer))
        self._shared.save_code()

    def enqueue(self, stream: Stream) -> None:
        """See `Runner.enqueue`."""
        if not self._bound:
            raise ValueError(f"{self.spec.name}: bind its memory before it is run")
        self._execute(stream)

    def close(self) -> None:
        """See `Runner.close`. The device's memory is freed by the device."""
        engine, self._engine = self._engine, None
        if engine is None:
            return
        with engine.lock:
            self._context = None  # before the engine
        self._scratch, self._bound = None, {}

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
