"""TensorRT's Python interface as far as our runner uses it, computing with ONNX Runtime on host addresses.

A "plan" is PLAN followed by an ONNX file. Names, order of calls and results are those of tensorrt_rtx 1.7.
"""

from __future__ import annotations

import enum
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from rtfilter.engines.ort.load import onnxruntime

PLAN = b"like a plan:"
SCRATCH_BYTES = 4096


class Validity(enum.IntEnum):
    VALID = 0
    INVALID = 2


class Diagnostics(enum.IntFlag):
    VERSION_MISMATCH = 1
    UNSUPPORTED_CC = 2
    OLD_CUDA_DRIVER = 4
    INSUFFICIENT_GPU_MEMORY = 16
    MALFORMED_ENGINE = 32
    CUDA_ERROR = 64


class Severity(enum.IntEnum):
    INTERNAL_ERROR = 0
    ERROR = 1


class ILogger:
    Severity = Severity


class RuntimeCache:
    def __init__(self) -> None:
        self.code = b""
        self.accepts = True

    def deserialize(self, blob: bytes) -> bool:
        if self.accepts and blob.startswith(b"code"):
            self.code = blob
            return True
        return False

    def serialize(self) -> bytes:
        return self.code


class Config:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.strategy: object = None
        self.cache: RuntimeCache | None = None

    def set_execution_context_allocation_strategy(self, strategy: object) -> None:
        self.strategy = strategy

    def create_runtime_cache(self) -> RuntimeCache:
        return RuntimeCache()

    def set_runtime_cache(self, cache: RuntimeCache) -> bool:
        self.cache = cache
        return True


class Context:
    """What happens to it is told in `calls`."""

    def __init__(self, engine: Engine, config: Config) -> None:
        self.engine, self.config = engine, config
        self.addresses: dict[str, int] = {}
        self.calls: list[str] = []
        self.scratch: tuple[int, int] | None = None

    def set_device_memory(self, memory: int, size: int) -> None:
        self.scratch = (memory, size)

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self.addresses[name] = memory
        self.calls.append(f"{name} at {memory}")
        return memory != 0

    def is_stream_capturable(self, stream: int) -> bool:
        return self.engine.owner.capturable

    def execute_async_v3(self, stream: int) -> bool:
        owner = self.engine.owner
        if owner.breaks:
            owner.log.log(Severity.ERROR, owner.breaks)
            return False
        assert stream != 0, "the default stream makes TensorRT synchronise"
        assert self.scratch is not None
        assert self.scratch[1] == SCRATCH_BYTES
        if self.config.cache is not None and not self.config.cache.code:
            self.config.cache.code = b"code for this GPU"
            owner.compiled += 1
        binding = self.engine.session.io_binding()
        for values, bind in (
            (self.engine.session.get_inputs(), binding.bind_input),
            (self.engine.session.get_outputs(), binding.bind_output),
        ):
            for value in values:
                bind(value.name, "cpu", 0, np.float32, value.shape, self.addresses[value.name])
        self.engine.session.run_with_iobinding(binding)
        self.calls.append(f"run on {stream}")
        return True


class Engine:
    device_memory_size_v2 = SCRATCH_BYTES

    def __init__(self, owner: TensorRtLike, onnx: bytes) -> None:
        self.owner = owner
        owner.engines.add(self)
        self.session = onnxruntime.InferenceSession(onnx)
        self.values = [*self.session.get_inputs(), *self.session.get_outputs()]
        self.num_io_tensors = len(self.values)

    def get_tensor_name(self, index: int) -> str:
        return str(self.values[index].name)

    def get_tensor_shape(self, name: str) -> list[int]:
        return next(value.shape for value in self.values if value.name == name)

    def create_runtime_config(self) -> Config:
        return Config(self)

    def create_execution_context(self, config: Config) -> Context | None:
        if self.owner.refuses_contexts:
            self.owner.log.log(Severity.ERROR, "(cudaError 2: out of memory)")
            return None
        context = Context(self, config)
        self.owner.contexts.append(context)
        return context


class TensorRtLike(ModuleType):
    """The module. Its state says what shall go wrong, and what happened."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.capturable = True
        self.refuses_contexts = False
        self.breaks = ""
        self.diagnostics = 0
        self.compiled = 0
        self.contexts: list[Context] = []
        self.engines: weakref.WeakSet[Engine] = weakref.WeakSet()
        self.loads = 0
        self.loading: Callable[[], object] = lambda: None  # called while a plan is loaded
        self.log: Any = None
        self.ILogger, self.EngineValidity, self.EngineInvalidityDiagnostics = ILogger, Validity, Diagnostics
        self.ExecutionContextAllocationStrategy = enum.Enum("Strategy", ["STATIC", "USER_MANAGED"])
        owner = self

        class Runtime:
            def __init__(self, log: Any) -> None:
                owner.log = log

            def get_engine_validity(self, plan: bytes) -> tuple[Validity, int]:
                return (Validity.INVALID if owner.diagnostics else Validity.VALID), owner.diagnostics

            def deserialize_cuda_engine(self, plan: bytes) -> Engine | None:
                owner.loads += 1
                owner.loading()
                if plan.startswith(PLAN):
                    return Engine(owner, plan[len(PLAN) :])
                owner.log.log(Severity.ERROR, "Error Code 1: Serialization (magicTag failed)")
                return None

        self.Runtime = Runtime
