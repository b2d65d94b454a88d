"""Engines that are loaded once for everybody: filters of one process that run a network share what it weighs.

A plan becomes an engine (weights, the GPU's code) once for each GPU. Who runs it has a context of it: the
memory that it computes in and where its tensors lie. NVIDIA's rule, "Thread Safety" in TensorRT's
documentation: an engine may be run by many threads at a time, a context by one.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtfilter.engines.spec import NetworkSpec
from rtfilter.engines.trt.flavour import Flavour
from rtfilter.engines.trt.load import Loaded, load_engine
from rtfilter.engines.trt.runtime_cache import RuntimeCache


@dataclass(frozen=True, slots=True)
class EngineKey:
    """What engines must have in common to be one. gpu: as CUDA counts. runtime_cache: see `RuntimeCache`."""

    plan_sha256: str
    network: str
    batch: int
    flavour: Flavour
    gpu: int
    runtime_cache: Path | None


class SharedEngine:
    """An engine, and the code that its contexts make for the GPU. `lock` is held by who makes or ends one."""

    def __init__(self, loaded: Loaded, kept: RuntimeCache) -> None:
        self.lock = threading.Lock()
        self.log = loaded.log
        self._loaded, self._kept = loaded, kept

    @property
    def context_bytes(self) -> int:
        """The memory that a context computes in."""
        return int(self._loaded.engine.device_memory_size_v2)

    def make_context(self) -> Any:
        """A new context whose memory its user gives it; None where TensorRT fails, which its log tells."""
        engine = self._loaded.engine
        by_us = self._loaded.module.ExecutionContextAllocationStrategy.USER_MANAGED
        with self.lock:
            if not hasattr(engine, "create_runtime_config"):
                return engine.create_execution_context(by_us)
            config = engine.create_runtime_config()
            config.set_execution_context_allocation_strategy(by_us)
            self._kept.load_into(config)
            return engine.create_execution_context(config)

    def save(self) -> None:
        """Keep the code that was made until now, for the next start."""
        with self.lock:
            self._kept.save()


@dataclass
class _Place:
    """users: who has the engine, or waits for it. making: held while it is loaded."""

    users: int = 0
    engine: SharedEngine | None = None
    making: threading.Lock = field(default_factory=threading.Lock)


class Engines:
    """The engines of a process, counted: the last who gives one back frees it. From any thread."""

    def __init__(self) -> None:
        self._places: dict[EngineKey, _Place] = {}
        self._changing = threading.Lock()

    def take(self, key: EngineKey, load: Callable[[], SharedEngine]) -> SharedEngine:
        """The engine of that key; by `load` where nobody has it. To be given back by `give`.

        Who wants the same meanwhile waits for it; other engines are loaded beside it. Whatever `load` raises
        is for its caller alone: nothing is kept, and the next who waits tries for itself.
        """
        with self._changing:
            place = self._places.setdefault(key, _Place())
            place.users += 1
        try:
            with place.making:
                if place.engine is None:
                    place.engine = load()
                return place.engine
        except BaseException:
            self.give(key)
            raise

    def give(self, key: EngineKey) -> None:
        """Give back what was taken once; its contexts come to their end before that."""
        with self._changing:
            place = self._places[key]
            place.users -= 1
            if place.users == 0:
                del self._places[key]
                place.engine = None  # an error that somebody keeps may still hold the place

    def __len__(self) -> int:
        """How many are loaded, or being loaded."""
        return len(self._places)


ENGINES = Engines()


def take_engine(
    plan: bytes, spec: NetworkSpec, batch: int, flavour: Flavour, gpu: int, runtime_cache: Path | None
) -> tuple[EngineKey, SharedEngine]:
    """The engine of a plan on the current GPU, whose number is `gpu`, and the key to give it back with.

    Errors as of `load_engine`.
    """
    digest = hashlib.sha256(plan).hexdigest()
    key = EngineKey(digest, spec.name, batch, flavour, gpu, runtime_cache)

    def load() -> SharedEngine:
        return SharedEngine(load_engine(plan, spec, batch, flavour), RuntimeCache(runtime_cache, flavour))

    return key, ENGINES.take(key, load)
