"""A TFLite file as plain Python objects; only what the face networks hold. Called by `onnx.face_graphs`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import tflite
from flatbuffers import flexbuffers

from rtfilter.errors import InputError
from rtfilter.system.installation import install_packages

IDENTIFIER = b"TFL3"
_NUMBERS_MAX = 1 << 26  # in one tensor; the largest of the face networks has 147 456
_DTYPES: dict[int, npt.DTypeLike] = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}


def _names(enumeration: Any) -> dict[int, str]:
    return {code: name for name, code in vars(enumeration).items() if isinstance(code, int)}


_KINDS = _names(tflite.BuiltinOperator)
_ENUMERATIONS = {
    "Padding": _names(tflite.Padding),
    "FusedActivationFunction": _names(tflite.ActivationFunctionType),
}
_CONVOLUTION = (
    "Padding",
    "StrideH",
    "StrideW",
    "DilationHFactor",
    "DilationWFactor",
    "FusedActivationFunction",
)
_POOL = ("Padding", "StrideH", "StrideW", "FilterHeight", "FilterWidth", "FusedActivationFunction")
_SLICE = ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask")
# Operators with options, and those that decide the result. The others have none, or repeat a shape.
_OPTIONS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "CONV_2D": (tflite.Conv2DOptions, _CONVOLUTION),
    "DEPTHWISE_CONV_2D": (tflite.DepthwiseConv2DOptions, (*_CONVOLUTION, "DepthMultiplier")),
    "MAX_POOL_2D": (tflite.Pool2DOptions, _POOL),
    "ADD": (tflite.AddOptions, ("FusedActivationFunction",)),
    "MUL": (tflite.MulOptions, ("FusedActivationFunction",)),
    "CONCATENATION": (tflite.ConcatenationOptions, ("Axis", "FusedActivationFunction")),
    "STRIDED_SLICE": (tflite.StridedSliceOptions, _SLICE),
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One value of the graph. data: its array if it is a constant, of that shape; else None."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    data: npt.NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class Operator:
    """One step. kind: TFLite's name in capitals, or the name of a custom operator.

    inputs, outputs: indices of tensors; -1 for an input that is left out.
    options: by TFLite's own names (an enumeration's value is a name too); a custom operator's by its
        author's.
    """

    kind: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """The one graph of a file; operators are in the order in which they can run."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_model(content: bytes, name: str) -> Model:
    """The model in `content`. name: what errors call it.

    InputError for anything but a whole TFLite file with one graph of known tensor types. What the operators
    mean is not looked at.
    """
    if content[4:8] != IDENTIFIER:
        raise InputError(f"{name}: expected a TFLite model, got {len(content)} bytes that are none")
    try:
        return _Reader(content).model()
    except Exception as error:  # a flatbuffer that lies about its insides can raise nearly anything
        raise InputError(
            f"{name}: the TFLite model ({len(content)} bytes) is damaged or of an unknown kind: {error}. "
            f"Get it anew: {install_packages('mediapipe==0.10.21', anew=True, with_needs=False)}"
        ) from error


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._model = tflite.Model.GetRootAsModel(content, 0)

    def model(self) -> Model:
        if self._model.SubgraphsLength() != 1:
            raise ValueError(f"expected 1 graph, got {self._model.SubgraphsLength()}")
        graph = self._model.Subgraphs(0)
        tensors = tuple(self._tensor(graph.Tensors(i)) for i in self._range(graph.TensorsLength()))
        operators = tuple(self._operator(graph.Operators(i)) for i in self._range(graph.OperatorsLength()))
        model = Model(
            tensors=tensors,
            operators=operators,
            inputs=self._indices(graph.InputsLength(), graph.InputsAsNumpy()),
            outputs=self._indices(graph.OutputsLength(), graph.OutputsAsNumpy()),
        )
        _check(model)
        return model

    def _range(self, length: int) -> range:
        # Each element takes four bytes at least: a longer vector than that would be looped over for hours.
        if length > len(self._content) // 4:
            raise ValueError(f"{length} elements do not fit into the file")
        return range(length)

    def _indices(self, length: int, values: Any) -> tuple[int, ...]:
        return tuple(int(value) for value in values) if length else ()

    def _tensor(self, tensor: Any) -> Tensor:
        name = tensor.Name().decode()
        if tensor.Type() not in _DTYPES:
            raise ValueError(f"tensor {name} has the unknown type {tensor.Type()}")
        dtype = np.dtype(_DTYPES[tensor.Type()])
        shape = self._indices(tensor.ShapeLength(), tensor.ShapeAsNumpy())
        if any(size < 1 for size in shape) or prod(shape) > _NUMBERS_MAX:
            raise ValueError(f"tensor {name} has the shape {shape}")
        buffer = self._model.Buffers(tensor.Buffer())
        if not buffer.DataLength():
            return Tensor(name, shape, dtype)
        raw = buffer.DataAsNumpy().tobytes()
        if len(raw) != prod(shape) * dtype.itemsize:
            raise ValueError(f"tensor {name}: {len(raw)} bytes for {dtype} {list(shape)}")
        return Tensor(name, shape, dtype, np.frombuffer(raw, dtype).reshape(shape))

    def _operator(self, operator: Any) -> Operator:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        # Files older than the wide field keep the number in the narrow one.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        kind = _KINDS.get(number, f"operator {number}")
        options: Mapping[str, Any] = {}
        if kind == "CUSTOM":
            kind = code.CustomCode().decode()
            if operator.CustomOptionsLength():
                options = flexbuffers.Loads(operator.CustomOptionsAsNumpy().tobytes())
        elif kind in _OPTIONS:
            options = _builtin_options(operator, *_OPTIONS[kind])
        return Operator(
            kind=kind,
            version=code.Version(),
            inputs=self._indices(operator.InputsLength(), operator.InputsAsNumpy()),
            outputs=self._indices(operator.OutputsLength(), operator.OutputsAsNumpy()),
            options=options,
        )


def _builtin_options(operator: Any, accessor: Any, names: tuple[str, ...]) -> dict[str, Any]:
    table = operator.BuiltinOptions()
    options = accessor()
    options.Init(table.Bytes, table.Pos)
    values = {name: getattr(options, name)() for name in names}
    return {
        name: _ENUMERATIONS[name][value] if name in _ENUMERATIONS else value for name, value in values.items()
    }


def _check(model: Model) -> None:
    """ValueError unless every index names a tensor, and every value is made before it is used."""
    made = {i for i, tensor in enumerate(model.tensors) if tensor.data is not None} | set(model.inputs)
    for operator in model.operators:
        for i in (*operator.inputs, *operator.outputs):
            if not -1 <= i < len(model.tensors):
                raise ValueError(f"{operator.kind} refers to tensor {i} of {len(model.tensors)}")
        if not operator.outputs or -1 in operator.outputs:
            raise ValueError(f"{operator.kind} has no output")
        if not set(operator.inputs) - {-1} <= made:
            raise ValueError(f"{operator.kind} takes what no earlier operator makes")
        made |= set(operator.outputs)
    if not model.inputs or not model.outputs or not set(model.outputs) <= made:
        raise ValueError("its inputs or outputs are not connected")
