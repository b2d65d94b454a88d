"""TFLite's own operators as ONNX nodes.

What each does is defined by TFLite's reference kernels; the padding SAME by its padding.h. The options are
named as in the schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rtfilter.engines.onnx_graph import OnnxGraph
from rtfilter.engines.tflite.convert import ONNX_FROM_TFLITE, TFLITE_FROM_ONNX, Conversion, Writer
from rtfilter.engines.tflite.reader import Operator

_ACTIVATIONS: dict[str, Callable[[OnnxGraph, str], str]] = {
    "NONE": lambda graph, value: value,
    "RELU": lambda graph, value: graph.add("Relu", [value]),
    "RELU6": lambda graph, value: graph.add("Clip", [value, graph.constant(0.0), graph.constant(6.0)]),
    "RELU_N1_TO_1": lambda graph, value: graph.add(
        "Clip", [value, graph.constant(-1.0), graph.constant(1.0)]
    ),
    "TANH": lambda graph, value: graph.add("Tanh", [value]),
}


def dequantize(at: Conversion, operator: Operator) -> None:
    """Half-width weights to full width; nothing else is stored that way in these models."""
    array = at.array(operator.inputs[0])
    if array.dtype != np.float16:
        raise ValueError(f"expected float16 weights, got {array.dtype}")
    at.define_constant(operator.outputs[0], array.astype(np.float32))


def convolution(at: Conversion, operator: Operator) -> None:
    """CONV_2D: weights [out, row, column, in]."""
    data, weights, bias = operator.inputs
    kernel = at.array(weights)
    if kernel.shape[3] != at.tensor(data).shape[3]:
        raise ValueError(f"{kernel.shape[3]} weights a pixel for {at.tensor(data).shape[3]} channels")
    _convolve(at, operator, kernel.transpose(0, 3, 1, 2), bias, groups=1)


def depthwise_convolution(at: Conversion, operator: Operator) -> None:
    """DEPTHWISE_CONV_2D: weights [1, row, column, in * multiplier], one channel's multiples side by side."""
    data, weights, bias = operator.inputs
    kernel = at.array(weights)
    channels = at.tensor(data).shape[3]
    if kernel.shape[3] != channels * operator.options["DepthMultiplier"]:
        raise ValueError(f"{kernel.shape[3]} filters for {channels} channels")
    _convolve(at, operator, kernel.transpose(3, 0, 1, 2), bias, groups=channels)


def _convolve(at: Conversion, operator: Operator, kernel: Any, bias: int, groups: int) -> None:
    options = operator.options
    dilation = (options["DilationHFactor"], options["DilationWFactor"])
    value = at.graph.add(
        "Conv",
        [at.name(operator.inputs[0]), at.graph.constant(kernel), at.name(bias)],
        kernel_shape=kernel.shape[2:],
        strides=[options["StrideH"], options["StrideW"]],
        dilations=dilation,
        group=groups,
        pads=_pads(at, operator, [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilation, strict=True)]),
    )
    _define_activated(at, operator, value)


def max_pool(at: Conversion, operator: Operator) -> None:
    """MAX_POOL_2D; what SAME adds at the border never wins."""
    options = operator.options
    window = [options["FilterHeight"], options["FilterWidth"]]
    value = at.graph.add(
        "MaxPool",
        [at.name(operator.inputs[0])],
        kernel_shape=window,
        strides=[options["StrideH"], options["StrideW"]],
        pads=_pads(at, operator, window),
    )
    _define_activated(at, operator, value)


def _pads(at: Conversion, operator: Operator, reach: list[int]) -> list[int]:
    """ONNX's pads (top, left, bottom, right) for a window that covers `reach` rows and columns.

    SAME gives ceil(size / stride) outputs; of an odd padding the larger half comes last.
    """
    padding = operator.options["Padding"]
    if padding == "VALID":
        return [0, 0, 0, 0]
    if padding != "SAME":
        raise ValueError(f"expected the padding SAME or VALID, got {padding}")
    before, after = [], []
    strides = (operator.options["StrideH"], operator.options["StrideW"])
    for size, stride, window in zip(at.tensor(operator.inputs[0]).shape[1:3], strides, reach, strict=True):
        total = max((-(-size // stride) - 1) * stride + window - size, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return [*before, *after]


def relu(at: Conversion, operator: Operator) -> None:
    at.define(operator.outputs[0], at.graph.add("Relu", [at.name(operator.inputs[0])]))


def prelu(at: Conversion, operator: Operator) -> None:
    """PRELU with one slope a channel: [1, 1, channels]."""
    data, slope = operator.inputs
    slopes = at.array(slope)
    if slopes.size != slopes.shape[-1]:
        raise ValueError(f"expected one slope a channel, got the shape {slopes.shape}")
    value = at.graph.add("PRelu", [at.name(data), at.graph.constant(slopes.reshape(-1, 1, 1))])
    at.define(operator.outputs[0], value)


def _elementwise(kind: str) -> Writer:
    def write(at: Conversion, operator: Operator) -> None:
        shapes = [at.tensor(i).shape for i in operator.inputs]
        if len(shapes) != 2 or (len(shapes[0]) != len(shapes[1]) and (1,) not in shapes):
            raise ValueError(f"expected two values with as many axes, got {shapes}")
        _define_activated(at, operator, at.graph.add(kind, [at.name(i) for i in operator.inputs]))

    return write


def pad(at: Conversion, operator: Operator) -> None:
    """PAD with zeros."""
    data, widths = operator.inputs
    before_after = at.array(widths)
    if before_after.shape[0] == 4:
        before_after = before_after[list(ONNX_FROM_TFLITE)]
    pads = at.graph.constant(before_after.T.reshape(-1), np.int64)
    at.define(operator.outputs[0], at.graph.add("Pad", [at.name(data), pads]))


def concatenation(at: Conversion, operator: Operator) -> None:
    rank = len(at.tensor(operator.outputs[0]).shape)
    axis = operator.options["Axis"] % rank
    if axis == 0:
        raise ValueError("the batch cannot be joined")
    if rank == 4:
        axis = ONNX_FROM_TFLITE.index(axis)
    value = at.graph.add("Concat", [at.name(i) for i in operator.inputs], axis=axis)
    _define_activated(at, operator, value)


def reshape(at: Conversion, operator: Operator) -> None:
    """RESHAPE, which keeps TFLite's order of the numbers: a transposition where ONNX's differs."""
    source, target = at.tensor(operator.inputs[0]).shape, at.tensor(operator.outputs[0]).shape
    if source[0] != 1 or target[0] != 1:
        raise ValueError(f"the batch must stay: {source} to {target}")
    value = at.name(operator.inputs[0])
    if _order_differs(source):
        value = at.graph.add("Transpose", [value], perm=TFLITE_FROM_ONNX)
    if not _order_differs(target):
        shape = [target[i] for i in ONNX_FROM_TFLITE] if len(target) == 4 else target
        value = at.graph.reshape(value, [0, *shape[1:]])
    else:
        value = at.graph.reshape(value, [0, *target[1:]])
        value = at.graph.add("Transpose", [value], perm=ONNX_FROM_TFLITE)
    at.define(operator.outputs[0], value)


def _order_differs(shape: tuple[int, ...]) -> bool:
    """Whether a picture's numbers lie in another order in ONNX: neither one pixel nor one channel."""
    return len(shape) == 4 and shape[1] * shape[2] > 1 and shape[3] > 1


def strided_slice(at: Conversion, operator: Operator) -> None:
    """STRIDED_SLICE with begin, end and stride; no axes are added or dropped."""
    data, *limits = operator.inputs
    options = operator.options
    if options["EllipsisMask"] or options["NewAxisMask"] or options["ShrinkAxisMask"]:
        raise ValueError("only begin, end and stride are known")
    shape = at.tensor(data).shape
    begins, ends, strides = (at.array(i).astype(int).tolist() for i in limits)
    value = at.name(data)
    for axis, size in enumerate(shape):
        begin = 0 if options["BeginMask"] >> axis & 1 else begins[axis]
        end = size if options["EndMask"] >> axis & 1 else ends[axis]
        if strides[axis] < 1:
            raise ValueError(f"a stride of {strides[axis]}")
        if range(size)[begin : end : strides[axis]] == range(size):
            continue
        if axis == 0:
            raise ValueError("the batch must stay whole")
        onnx_axis = ONNX_FROM_TFLITE.index(axis) if len(shape) == 4 else axis
        value = at.graph.slice(value, onnx_axis, begin, end, strides[axis])
    at.define(operator.outputs[0], value)


def _define_activated(at: Conversion, operator: Operator, value: str) -> None:
    activation = _ACTIVATIONS.get(operator.options["FusedActivationFunction"])
    if activation is None:
        raise ValueError(f"the activation {operator.options['FusedActivationFunction']} is not known")
    at.define(operator.outputs[0], activation(at.graph, value))


STOCK: Mapping[str, Writer] = {
    "ADD": _elementwise("Add"),
    "CONCATENATION": concatenation,
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise_convolution,
    "DEQUANTIZE": dequantize,
    "MAX_POOL_2D": max_pool,
    "MUL": _elementwise("Mul"),
    "PAD": pad,
    "PRELU": prelu,
    "RELU": relu,
    "RESHAPE": reshape,
    "STRIDED_SLICE": strided_slice,
}
