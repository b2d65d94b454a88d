"""ONNX to a TensorRT plan: fixed batch, chosen precision, for a GPU that need not be there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx

from rtfilter.engines.onnx import turing
from rtfilter.engines.onnx.half import to_half
from rtfilter.engines.spec import BATCH_NAME, NetworkSpec
from rtfilter.engines.trt.flavour import RTX, Flavour, log_of
from rtfilter.engines.trt.targets import set_target
from rtfilter.errors import GpuError, InputError, UsageError, nearest
from rtfilter.system.cache import CacheError
from rtfilter.system.sealed import SealError, read_sealed, write_sealed

_log = logging.getLogger(__name__)

FP16, FP32 = "fp16", "fp32"
PRECISIONS = (FP16, FP32)
BATCH_MAX = 256

# What a network may use beside its weights and tensors while it runs; all of ours need far less.
_WORKSPACE_BYTES = 1 << 30
_REPAIR = "Remove it and run 'rtfilter engines prepare'"


def check_precision(spec: NetworkSpec, precision: str | None) -> str:
    """The precision to build with; None takes the quickest that keeps the network's numbers.

    UsageError for another name, or for one that this network must not have.
    """
    if precision is None:
        return FP16 if spec.half else FP32
    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision {precision!r}:{nearest(precision, PRECISIONS)}")
    if precision == FP16 and not spec.half:
        raise UsageError(f"{spec.name} is computed in 32 bits only: take --precision fp32 for it")
    return precision


def read_onnx(path: Path, spec: NetworkSpec) -> bytes:
    """The file, once it is known to be this network.

    InputError for a file that is missing, truncated, or another network.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: the network {spec.name} cannot be read: {error.strerror or error}. "
            "Run 'rtfilter engines prepare'"
        ) from error
    parse_onnx(data, spec, str(path))
    return data


def parse_onnx(data: bytes, spec: NetworkSpec, where: str) -> onnx.ModelProto:
    """The network as a model. InputError where `data` is not it, whole; `where` is named then."""
    try:
        model = onnx.load_model_from_string(data)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's and onnx's own types share no other base
        said = " ".join(str(error).split())[:200]
        raise InputError(
            f"{where}: is not a whole ONNX file of {len(data)} bytes ({said}). {_REPAIR}"
        ) from error
    for kind, values, tensors in (
        ("inputs", model.graph.input, spec.inputs),
        ("outputs", model.graph.output, spec.outputs),
    ):
        came = [(value.name, _shape(value)) for value in values]
        wanted = [(tensor.name, tensor.shape) for tensor in tensors]
        if came != wanted:
            raise InputError(
                f"{where}: expected the network {spec.name} with the {kind} {wanted}, got {came}. {_REPAIR}"
            )
    return model


def build_plan(
    data: bytes,
    spec: NetworkSpec,
    batch: int,
    precision: str,
    target: str,
    flavour: Flavour,
    timing: Path | None = None,
) -> bytes:
    """The plan of an ONNX file's bytes.

    timing: where `tensorrt` keeps what it measured on this GPU, so that the next plan is built sooner.
    UsageError for a batch or precision out of range; InputError for a network that is broken or that TensorRT
    does not understand; GpuError where TensorRT does not load, or fails.
    """
    if not 1 <= batch <= BATCH_MAX:
        raise UsageError(f"batch: expected 1..{BATCH_MAX}, got {batch}")
    model = at_batch(parse_onnx(data, spec, spec.name), batch)
    if check_precision(spec, precision) == FP16:
        model = to_half(model)
    if (flavour.name, target) == (RTX, turing.TARGET):
        model = turing.without_matmul(model)
    module = flavour.module()
    log = log_of(module)
    log.forget()
    builder = module.Builder(log)
    network = builder.create_network(_typed(module))
    _parse(module.OnnxParser(network, log), model, f"{spec.name} ({precision}, batch {batch})", flavour)
    config = builder.create_builder_config()
    # A 10-bit mantissa is not what "float32" promises, and the solve of the expression needs.
    config.clear_flag(module.BuilderFlag.TF32)
    config.set_memory_pool_limit(module.MemoryPoolType.WORKSPACE, _WORKSPACE_BYTES)
    if hasattr(module.BuilderFlag, "REQUIRE_USER_ALLOCATION"):
        # TensorRT-RTX then allocates nothing while it runs, without which a stream cannot be captured.
        config.set_flag(module.BuilderFlag.REQUIRE_USER_ALLOCATION)
    set_target(config, target, module, flavour)
    keep = _use_timing(config, None if flavour.ahead_of_time else timing, flavour)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise GpuError(
            f"{flavour} cannot build {spec.name} ({precision}, batch {batch}) for {target}: {log.said}"
        )
    keep()
    return bytes(plan)


def at_batch(model: onnx.ModelProto, batch: int) -> onnx.ModelProto:
    """The same network for `batch` faces; the model is changed in place.

    Fixed shapes, because TensorRT-RTX compiles a plan of open ones for each shape while it runs, in the
    background: a graph that was captured before then holds the slower kernels, or is no longer valid.
    """
    for value in (*model.graph.input, *model.graph.output):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param == BATCH_NAME:
                size.dim_value = batch
    del model.graph.value_info[:]
    return model


def _shape(value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    sizes = value.type.tensor_type.shape.dim
    return tuple(None if size.dim_param == BATCH_NAME else size.dim_value for size in sizes)


def _typed(module: Any) -> int:
    """The flags of a strongly typed network: each tensor has the type that the ONNX file gives it."""
    return 1 << int(module.NetworkDefinitionCreationFlag.STRONGLY_TYPED)


def _parse(parser: Any, model: onnx.ModelProto, what: str, flavour: Flavour) -> None:
    if not parser.parse(model.SerializeToString()):
        errors = [parser.get_error(index) for index in range(parser.num_errors)]
        said = "; ".join(f"{error.node_name() or 'the file'}: {error.desc()}" for error in errors[:3])
        raise InputError(
            f"{flavour} does not understand {what}: {' '.join(said.split()) or 'no reason given'}"
        )


def _use_timing(config: Any, path: Path | None, flavour: Flavour) -> Callable[[], None]:
    """Let the builder use and extend what was measured before; the result keeps it.

    Never with TensorRT-RTX: it measures nothing, and would look for a GPU.
    """
    if path is None:
        return lambda: None
    header = {"flavour": flavour.name, "version": flavour.version}
    known = b""
    try:
        found = read_sealed(path)
        if found is not None and all(found[0].get(name) == value for name, value in header.items()):
            known = found[1]
    except (SealError, CacheError) as problem:
        _log.info("%s %s; it is measured anew", path, problem)
    cache = config.create_timing_cache(known)
    config.set_timing_cache(cache, ignore_mismatch=False)

    def keep() -> None:
        try:
            write_sealed(path, header, bytes(config.get_timing_cache().serialize()))
        except CacheError as problem:
            _log.info("what was measured for the plan is not kept: %s", problem)

    return keep
