"""TFLite models of a few operators, made on the spot, and what TFLite's own runtime computes with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
import pytest
from flatbuffers import flexbuffers

from rtfilter.engines.onnx.attention import WRITERS
from rtfilter.engines.onnx.convert import ONNX_FROM_TFLITE, TFLITE_FROM_ONNX, Lane, convert
from rtfilter.engines.onnx.graph import OnnxGraph
from rtfilter.engines.onnx.reader import read_model
from rtfilter.engines.onnx.style import Style
from rtfilter.engines.ort.load import onnxruntime
from rtfilter.engines.spec import NetworkSpec, TensorSpec

Array = npt.NDArray[Any]

_TYPES = {np.dtype(np.float32): 0, np.dtype(np.float16): 1, np.dtype(np.int32): 2}


def schema() -> Any:
    """The schema's classes that can be filled; skips without TFLite's runtime, which brings them."""
    reason = "needs the package 'ai-edge-litert': pip install -e '.[dev]'"
    return pytest.importorskip("ai_edge_litert.schema_py_generated", reason=reason)


@dataclass
class Step:
    """One operator. inputs, output: names of values; options: by the schema's names, in its own spelling."""

    kind: str
    inputs: Sequence[str]
    output: str
    shape: Sequence[int]
    options: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1


def tflite_file(
    inputs: Mapping[str, Sequence[int]],
    constants: Mapping[str, Array],
    steps: Sequence[Step],
    outputs: Sequence[str] | None = None,
) -> bytes:
    """The file. An operator whose kind is not in capitals is a custom one. outputs: else the last step's."""
    s = schema()
    model = s.ModelT()
    model.version, model.description = 3, "made by a test"
    graph = s.SubGraphT()
    model.buffers, model.operatorCodes = [s.BufferT()], []
    graph.tensors, graph.operators = [], []
    index: dict[str, int] = {}

    def tensor(name: str, shape: Sequence[int], dtype: npt.DTypeLike, data: Array | None = None) -> None:
        made = s.TensorT()
        made.name, made.shape, made.type = name, list(shape), _TYPES[np.dtype(dtype)]
        made.buffer = 0
        if data is not None:
            made.buffer = len(model.buffers)
            model.buffers.append(s.BufferT())
            model.buffers[-1].data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
        index[name] = len(graph.tensors)
        graph.tensors.append(made)

    for name, shape in inputs.items():
        tensor(name, shape, np.float32)
    for name, array in constants.items():
        tensor(name, array.shape, array.dtype, array)
    for step in steps:
        tensor(step.output, step.shape, np.float32)
        operator, code = s.OperatorT(), s.OperatorCodeT()
        code.version, operator.opcodeIndex = step.version, len(model.operatorCodes)
        operator.inputs, operator.outputs = [index[name] for name in step.inputs], [index[step.output]]
        if step.kind.isupper():
            code.builtinCode = getattr(s.BuiltinOperator, step.kind)
            code.deprecatedBuiltinCode = min(code.builtinCode, 127)
            _fill_options(s, operator, step)
        else:
            code.builtinCode = code.deprecatedBuiltinCode = s.BuiltinOperator.CUSTOM
            code.customCode = step.kind
            operator.customOptions = np.frombuffer(flex(step.options), np.uint8)
        model.operatorCodes.append(code)
        graph.operators.append(operator)
    graph.inputs = [index[name] for name in inputs]
    graph.outputs = [index[name] for name in (outputs or [steps[-1].output])]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _fill_options(s: Any, operator: Any, step: Step) -> None:
    names = {
        "ADD": "Add",
        "CONCATENATION": "Concatenation",
        "CONV_2D": "Conv2D",
        "DEPTHWISE_CONV_2D": "DepthwiseConv2D",
        "MAX_POOL_2D": "Pool2D",
        "MUL": "Mul",
        "RESHAPE": "Reshape",
        "STRIDED_SLICE": "StridedSlice",
    }
    if step.kind in names:
        name = f"{names[step.kind]}Options"
        operator.builtinOptions = getattr(s, f"{name}T")()
        operator.builtinOptionsType = getattr(s.BuiltinOptions, name)
        for option, value in step.options.items():
            assert hasattr(operator.builtinOptions, option), option
            setattr(operator.builtinOptions, option, value)


def flex(options: Mapping[str, Any]) -> bytes:
    """Custom options as MediaPipe writes them: a map; a list of numbers is a typed vector."""
    builder = flexbuffers.Builder()
    with builder.Map():
        for name, value in options.items():
            builder.Key(name)
            if isinstance(value, list):
                builder.TypedVectorFromElements(value)
            elif isinstance(value, float):
                builder.Float(value)
            else:
                builder.Int(value)
    return bytes(builder.Finish())


def run_tflite(content: bytes, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """What TFLite's own runtime makes of the file, with its plain kernels (no XNNPACK), by output name."""
    schema()
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    runtime = Interpreter(
        model_content=content,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    runtime.allocate_tensors()
    for detail in runtime.get_input_details():
        runtime.set_tensor(detail["index"], inputs[detail["name"]])
    runtime.invoke()
    return {detail["name"]: runtime.get_tensor(detail["index"]) for detail in runtime.get_output_details()}


def converted(content: bytes, style: Style) -> tuple[Any, list[str]]:
    """A session of the file's ONNX form, which names inputs as the file does; and the outputs' names."""
    model = read_model(content, "test")
    graph = OnnxGraph()
    names = [model.tensors[i].name for i in model.inputs]
    outputs = [model.tensors[i].name for i in model.outputs]
    lanes = convert(model, graph, names, WRITERS, style)
    for lane, index in zip(lanes, model.outputs, strict=True):
        _take_out(graph, lane, model.tensors[index].shape, f"{model.tensors[index].name}_out")

    def spec(index: int, suffix: str = "") -> TensorSpec:
        return TensorSpec(
            model.tensors[index].name + suffix, (None, *_in_onnx(model.tensors[index].shape)), ""
        )

    inputs = tuple(spec(i) for i in model.inputs)
    network = NetworkSpec("test", 1, inputs, tuple(spec(i, "_out") for i in model.outputs), half=False)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    onnx = graph.finish(network, "")
    return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"]), outputs


def _in_onnx(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(shape[i] for i in ONNX_FROM_TFLITE[1:]) if len(shape) == 4 else tuple(shape[1:])


def _take_out(graph: OnnxGraph, lane: Lane, shape: Sequence[int], name: str) -> None:
    """One output of its own out of a lane; those in lanes end as points that were one pixel's channels."""
    if lane.count == 1:
        graph.add("Identity", [lane.value], name)
        return
    assert shape[1] == shape[2] == 1
    points = graph.reshape(graph.slice(lane.value, 1, lane.number, lane.number + 1), [0, -1, 1, 1])
    graph.add("Identity", [graph.slice(points, 1, 0, shape[3])], name)


def run_onnx(content: bytes, inputs: Mapping[str, Array], style: Style) -> dict[str, Array]:
    """What the file's ONNX form computes, by output name; all in TFLite's axes."""
    session, names = converted(content, style)
    fed = {name: a.transpose(ONNX_FROM_TFLITE) if a.ndim == 4 else a for name, a in inputs.items()}
    results = session.run([f"{name}_out" for name in names], fed)
    return {
        name: a.transpose(TFLITE_FROM_ONNX) if a.ndim == 4 else a
        for name, a in zip(names, results, strict=True)
    }


def window_options(padding: int, stride: tuple[int, int], activation: int = 0) -> dict[str, int]:
    """Options of a convolution or pooling: 0 is SAME and 1 VALID; the activation as the schema counts."""
    return {
        "padding": padding,
        "strideH": stride[0],
        "strideW": stride[1],
        "fusedActivationFunction": activation,
    }
