"""TensorRT engines: plans loaded on a GPU, each once in a process, shared by all runners of the plan.

Called by `engines.trt.runner`. An engine holds weights and GPU code; each runner has an execution context of
its own. NVIDIA's rule ("Thread Safety" in TensorRT's documentation): many threads may run contexts of one
engine at a time, and only one thread a context.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from typing import Any
from weakref import WeakValueDictionary

from rtfilter.engines.spec import NetworkSpec
from rtfilter.engines.trt.flavour import Flavour, log_of
from rtfilter.errors import GpuError
from rtfilter.system.cache import CacheError, CacheFile
from rtfilter.system.cuda_errors import DRIVER_FIX, reported_error

_log = logging.getLogger(__name__)

# By the names of tensorrt_rtx.EngineInvalidityDiagnostics: the plan is at fault, and a new one may run.
_REJECTED = {
    "VERSION_MISMATCH": "it was built by another version",
    "UNSUPPORTED_CC": "it was built for another GPU",
    "MALFORMED_ENGINE": "it is not a plan of this TensorRT",
}
# The machine is at fault.
_MACHINE = {
    "OLD_CUDA_DRIVER": f"the NVIDIA driver is too old for it: {DRIVER_FIX}",
    "OLD_CUDA_RUNTIME": f"the NVIDIA driver is too old for it: {DRIVER_FIX}",
    "INSUFFICIENT_GPU_MEMORY": "the GPU has too little free memory: close programs that use it",
    "CUDA_ERROR": f"there is no NVIDIA driver, or it does not work: {DRIVER_FIX}",
}
_SERIALIZATION = re.compile(r"Error Code \d+: Serialization|different platform|compute capability")


class PlanRejectedError(GpuError):
    """This plan does not run here; one that is built anew may."""


class Engine:
    """A plan loaded on the current GPU.

    lock: held while a context is made or freed. log: TensorRT's messages, see `flavour.log_of`.

    Args:
        runtime: the file of the GPU's own code, which TensorRT-RTX makes when a plan first runs (seconds);
            None keeps none.

    Raises:
        PlanRejectedError: the plan is of another version, GPU, network or batch, or damaged.
        GpuError: the machine is at fault.
    """

    def __init__(
        self, plan: bytes, spec: NetworkSpec, batch: int, flavour: Flavour, runtime: CacheFile | None
    ) -> None:
        self.lock = threading.Lock()
        self._module = flavour.module()
        self.log = log_of(self._module)
        self._runtime_file = runtime
        self._code: Any = None  # TensorRT's runtime cache, one for all contexts
        self._saved = b""
        self._runtime = self._module.Runtime(self.log)
        _check_validity(plan, self._runtime, self._module, spec, flavour)
        self.log.forget()
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise _load_error(self.log.message, spec, flavour)
        names = map(self._engine.get_tensor_name, range(self._engine.num_io_tensors))
        came = {(name, tuple(self._engine.get_tensor_shape(name))) for name in names}
        wanted = {(tensor.name, tensor.at(batch)) for tensor in spec.tensors()}
        if came != wanted:
            raise PlanRejectedError(
                f"{spec.name}: expected a plan with {sorted(wanted)}, got {sorted(came)}: clear the plans "
                "with 'rtfilter engines clear'"
            )

    @property
    def context_bytes(self) -> int:
        """The memory that a context computes in."""
        return int(self._engine.device_memory_size_v2)

    def make_context(self) -> Any:
        """A new context, to be given its memory by the caller; None where TensorRT fails, see `log`."""
        by_us = self._module.ExecutionContextAllocationStrategy.USER_MANAGED
        with self.lock:
            if not hasattr(self._engine, "create_runtime_config"):
                return self._engine.create_execution_context(by_us)
            config = self._engine.create_runtime_config()
            config.set_execution_context_allocation_strategy(by_us)
            if self._runtime_file is not None and hasattr(config, "create_runtime_cache"):
                if self._code is None:
                    self._code = config.create_runtime_cache()
                    self._load_code(self._runtime_file)
                config.set_runtime_cache(self._code)
            return self._engine.create_execution_context(config)

    def save_code(self) -> None:
        """Keep the GPU code that was made so far for the next start."""
        with self.lock:
            if self._code is None or self._runtime_file is None:
                return
            content = bytes(self._code.serialize())
            if content == self._saved:
                return
            self._saved = content
            try:
                self._runtime_file.write(content)
            except CacheError as problem:
                _log.warning("the next start will take seconds longer: %s", str(problem))

    def _load_code(self, file: CacheFile) -> None:
        try:
            content = file.read()
        except CacheError as problem:
            _log.info("%s; it is made anew", str(problem))
            return
        # TensorRT checks whether it fits GPU and driver, and takes nothing else.
        if content is not None and self._code.deserialize(content):
            self._saved = content


ENGINES: WeakValueDictionary[tuple[object, ...], Engine] = WeakValueDictionary()
_loading: dict[tuple[object, ...], threading.Lock] = {}
_changing = threading.Lock()


def shared_engine(
    plan: bytes, spec: NetworkSpec, batch: int, flavour: Flavour, gpu: int, runtime: CacheFile | None
) -> Engine:
    """The engine of a plan on the current GPU, number `gpu`; it is freed with the last reference.

    Threads that request the same engine wait for one load; others load beside it. Where loading fails, only
    that caller gets the error, and the next one tries again. Errors of `Engine`.
    """
    place = runtime and runtime.path
    key = (hashlib.sha256(plan).digest(), spec.name, batch, flavour, gpu, place)
    with _changing:
        lock = _loading.setdefault(key, threading.Lock())
    with lock:
        engine = ENGINES.get(key)
        if engine is None:
            engine = ENGINES[key] = Engine(plan, spec, batch, flavour, runtime)
        return engine


def _load_error(message: str, spec: NetworkSpec, flavour: Flavour) -> GpuError:
    """The error for what TensorRT logged when it did not load a plan."""
    # Without a driver a CUDA error comes with everything, so the plan's own faults are looked for first.
    if _SERIALIZATION.search(message):
        return PlanRejectedError(f"{flavour} rejects its plan of {spec.name}: {message}")
    return reported_error(f"{flavour} cannot load {spec.name}", message)


def _check_validity(plan: bytes, runtime: Any, module: Any, spec: NetworkSpec, flavour: Flavour) -> None:
    """TensorRT-RTX's own check of the plan's header, before it reads the rest."""
    if not hasattr(runtime, "get_engine_validity"):
        return
    validity, diagnostics = runtime.get_engine_validity(plan)
    if validity != module.EngineValidity.INVALID:
        return
    flags = module.EngineInvalidityDiagnostics.__members__
    problems = [name for name, flag in flags.items() if int(diagnostics) & int(flag)]
    for name in problems:
        if name in _MACHINE:
            raise GpuError(f"{flavour} cannot load {spec.name}: {_MACHINE[name]}")
    for name in problems:
        if name in _REJECTED:
            raise PlanRejectedError(f"{flavour} rejects its plan of {spec.name}: {_REJECTED[name]}")
