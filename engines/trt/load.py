"""A plan becomes an engine; what TensorRT says when it does not is told as one line with what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rtfilter.engines.spec import NetworkSpec
from rtfilter.engines.trt.flavour import Flavour, log_of
from rtfilter.errors import GpuError
from rtfilter.system.cuda_errors import DRIVER_FIX, reported_error

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
    """This plan does not run here, one that is built anew may."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """An engine with everything that must live as long as it does."""

    module: Any
    log: Any
    runtime: Any
    engine: Any


def load_engine(plan: bytes, spec: NetworkSpec, batch: int, flavour: Flavour) -> Loaded:
    """The engine of a plan, on the current GPU.

    PlanRejectedError for a plan that is of another version, GPU, network or batch, or damaged; GpuError where
    the machine is at fault.
    """
    module = flavour.module()
    log = log_of(module)
    runtime = module.Runtime(log)
    _check_validity(plan, runtime, module, spec, flavour)
    log.forget()
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise load_error(log.said, spec, flavour)
    came = {_tensor(engine, engine.get_tensor_name(index)) for index in range(engine.num_io_tensors)}
    wanted = {(tensor.name, tensor.at(batch)) for tensor in spec.tensors()}
    if came != wanted:
        raise PlanRejectedError(
            f"{spec.name}: expected a plan with {sorted(wanted)}, got {sorted(came)}: clear the plans with "
            "'rtfilter engines clear'"
        )
    return Loaded(module, log, runtime, engine)


def load_error(said: str, spec: NetworkSpec, flavour: Flavour) -> GpuError:
    """The error for what TensorRT logged when it did not load a plan."""
    # Without a driver a CUDA error comes with everything, so the plan's own faults are looked for first.
    if _SERIALIZATION.search(said):
        return PlanRejectedError(f"{flavour} rejects its plan of {spec.name}: {said}")
    return reported_error(f"{flavour} cannot load {spec.name}", said)


def _check_validity(plan: bytes, runtime: Any, module: Any, spec: NetworkSpec, flavour: Flavour) -> None:
    """Ask TensorRT-RTX what it thinks of the plan's header, before it reads the rest of it."""
    if not hasattr(runtime, "get_engine_validity"):
        return
    validity, diagnostics = runtime.get_engine_validity(plan)
    if validity != module.EngineValidity.INVALID:
        return
    flags = module.EngineInvalidityDiagnostics.__members__
    said = [name for name, flag in flags.items() if int(diagnostics) & int(flag)]
    for name in said:
        if name in _MACHINE:
            raise GpuError(f"{flavour} cannot load {spec.name}: {_MACHINE[name]}")
    for name in said:
        if name in _REJECTED:
            raise PlanRejectedError(f"{flavour} rejects its plan of {spec.name}: {_REJECTED[name]}")


def _tensor(engine: Any, name: str) -> tuple[str, tuple[int, ...]]:
    return name, tuple(engine.get_tensor_shape(name))
