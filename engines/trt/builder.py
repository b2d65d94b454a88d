"""ONNX to a TensorRT plan: fixed batch, chosen precision, for a GPU that need not be there.

Called by `engines.prepare.choose`.
"""

from __future__ import annotations

from typing import Any

import onnx

from rtfilter.engines.onnx import turing
from rtfilter.engines.onnx.graph import at_batch
from rtfilter.engines.onnx.half import to_half
from rtfilter.engines.spec import NetworkSpec
from rtfilter.engines.trt.flavour import RTX, Flavour, log_of, set_target
from rtfilter.engines.trt.plans import FP16, precision_for
from rtfilter.errors import GpuError, InputError, UsageError

BATCH_MAX = 256

# What a network may use beside its weights and tensors while it runs; all of ours need far less.
_WORKSPACE_BYTES = 1 << 30


def build_plan(
    data: bytes, spec: NetworkSpec, batch: int, precision: str, target: str, flavour: Flavour
) -> bytes:
    """The plan of `data`, an ONNX file.

    Raises:
        UsageError: batch or precision out of range.
        InputError: TensorRT does not understand the network.
        GpuError: TensorRT does not load, or fails.
    """
    if not 1 <= batch <= BATCH_MAX:
        raise UsageError(f"batch: expected 1..{BATCH_MAX}, got {batch}")
    what = f"{spec.name} ({precision}, batch {batch})"
    model = at_batch(data, batch)
    if precision_for(spec, precision) == FP16:
        model = to_half(model)
    if (flavour.name, target) == (RTX, turing.TARGET):
        model = turing.without_matmul(model)
    module = flavour.module()
    log = log_of(module)
    log.forget()
    builder = module.Builder(log)
    # Strongly typed: each tensor has the type that the ONNX file gives it.
    network = builder.create_network(1 << int(module.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    _parse(module.OnnxParser(network, log), model, what, flavour)
    config = builder.create_builder_config()
    # A 10-bit mantissa is not what "float32" promises, and the solve of the expression needs more.
    config.clear_flag(module.BuilderFlag.TF32)
    config.set_memory_pool_limit(module.MemoryPoolType.WORKSPACE, _WORKSPACE_BYTES)
    if hasattr(module.BuilderFlag, "REQUIRE_USER_ALLOCATION"):
        # TensorRT-RTX then allocates nothing while it runs, without which a stream cannot be captured.
        config.set_flag(module.BuilderFlag.REQUIRE_USER_ALLOCATION)
    set_target(config, target, module, flavour)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise GpuError(f"{flavour} cannot build {what} for {target}: {log.message}")
    return bytes(plan)


def _parse(parser: Any, model: onnx.ModelProto, what: str, flavour: Flavour) -> None:
    if not parser.parse(model.SerializeToString()):
        errors = [parser.get_error(index) for index in range(parser.num_errors)]
        message = "; ".join(f"{error.node_name() or 'the file'}: {error.desc()}" for error in errors[:3])
        raise InputError(
            f"{flavour} does not understand {what}: {' '.join(message.split()) or 'no reason given'}"
        )
