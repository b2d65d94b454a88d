"""Networks on a GPU, by TensorRT of either flavour: fixed memory, no copies, ready to be captured."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtfilter.engines.flavour import Flavour
from rtfilter.engines.runner import check_bound
from rtfilter.engines.sealed import SealError, read_sealed, write_sealed
from rtfilter.engines.spec import F32, NetworkSpec
from rtfilter.engines.staging import Staging
from rtfilter.engines.trt_load import cuda_problem, load_engine
from rtfilter.errors import GpuError, RtfilterError
from rtfilter.kernels.device import Device, DeviceArray, Stream

_log = logging.getLogger(__name__)

# The first run loads kernels, and may still choose among them; no capture may see either.
_WARM_UPS = 2


class TensorRtRunner:
    """One network on the device's GPU, for a fixed batch.

    plan: of that network, batch and GPU. runtime_cache: the file in which TensorRT-RTX keeps the GPU's own
    code, which it makes from a plan when it is first run on a GPU (seconds); None keeps nothing.
    PlanRejectedError for a plan that does not run here, GpuError where the machine cannot run any.
    """

    def __init__(
        self,
        plan: bytes,
        spec: NetworkSpec,
        batch: int,
        flavour: Flavour,
        device: Device,
        runtime_cache: Path | None = None,
    ) -> None:
        self.spec = spec
        self.batch = batch
        self.capturable = False  # known once memory is bound
        self._flavour = flavour
        self._device = device
        self._stream: Stream | None = None
        self._loaded: Any = load_engine(plan, spec, batch, flavour)
        self._kept = _RuntimeCache(runtime_cache, flavour)
        self._scratch: DeviceArray | None = None
        self._context: Any = self._make_context()
        self._staging: Staging | None = None
        self._bound: dict[str, DeviceArray] = {}
        self._pointed: Mapping[str, DeviceArray] = {}

    def run(self, **inputs: F32) -> dict[str, F32]:
        """See `Runner.run`."""
        self.spec.check_inputs(inputs, self.batch)
        if self._staging is None:
            self._staging = Staging(self.spec, self.batch, self._device)
        stream = self._own_stream()
        self._point_at(self._staging.tensors)
        outputs = self._staging.run(stream, inputs, lambda: self._execute(stream))
        self._kept.save()
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
        ask = getattr(self._context, "is_stream_capturable", None)
        self.capturable = True if ask is None else bool(ask(stream.pointer))
        self._kept.save()

    def enqueue(self, stream: Stream) -> None:
        """See `Runner.enqueue`."""
        self._point_at(self._bound)
        self._execute(stream)

    def close(self) -> None:
        """See `Runner.close`. The device's memory is freed by the device."""
        self._context = self._loaded = self._scratch = self._staging = None
        self._bound, self._pointed = {}, {}
        self._kept.forget()

    def _make_context(self) -> Any:
        engine, module = self._loaded.engine, self._loaded.module
        by_us = module.ExecutionContextAllocationStrategy.USER_MANAGED
        if hasattr(engine, "create_runtime_config"):
            config = engine.create_runtime_config()
            config.set_execution_context_allocation_strategy(by_us)
            self._kept.load_into(config)
            context = engine.create_execution_context(config)
        else:
            context = engine.create_execution_context(by_us)
        if context is None:
            raise self._failure("cannot prepare")
        # Memory that it computes in is made by the device, so that it is counted and freed with the rest.
        size = int(engine.device_memory_size_v2)
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
        self._loaded.log.messages.clear()
        if not self._context.execute_async_v3(stream.pointer):
            raise self._failure("cannot run")

    def _failure(self, what: str) -> GpuError:
        said = self._loaded.log.said
        return GpuError(f"{self._flavour} {what} {self.spec.name}: {cuda_problem(said) or said}")

    def _own_stream(self) -> Stream:
        if self._stream is None:
            self._stream = self._device.stream()
        return self._stream


class _RuntimeCache:
    """The GPU's own code of one plan, in a file between runs. What cannot be kept is made again next time."""

    def __init__(self, path: Path | None, flavour: Flavour) -> None:
        self._path = path
        self._header = {"flavour": flavour.name, "version": flavour.version}
        self._cache: Any = None
        self._known = b""

    def load_into(self, config: Any) -> None:
        """Let a runtime configuration use what was kept."""
        if self._path is None or not hasattr(config, "create_runtime_cache"):
            return
        self._cache = config.create_runtime_cache()
        try:
            found = read_sealed(self._path)
            # Whether it fits GPU and driver is for TensorRT to say; it takes nothing that does not.
            if found is not None and self._cache.deserialize(found[1]):
                self._known = found[1]
        except (SealError, RtfilterError) as problem:
            _log.info("%s %s; it is made anew", self._path, problem)
        config.set_runtime_cache(self._cache)

    def save(self) -> None:
        """Keep what is new."""
        if self._cache is None or self._path is None:
            return
        content = bytes(self._cache.serialize())
        if content == self._known:
            return
        try:
            write_sealed(self._path, self._header, content)
        except RtfilterError as problem:
            _log.warning("the next start will take seconds longer: %s", problem)
        self._known = content

    def forget(self) -> None:
        self._cache = None
