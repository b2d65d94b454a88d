"""TFLite's own operators as ONNX nodes.

What each does is defined by TFLite's reference kernels; the padding SAME by its padding.h. The options are
named as in the schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.engines.onnx.convert import ONNX_FROM_TFLITE, TFLITE_FROM_ONNX, Conversion, Writer
from rtfilter.engines.onnx.graph import OnnxGraph
from rtfilter.engines.onnx.reader import Operator

Array = npt.NDArray[Any]

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
    value = convolve(at, operator, at.name(operator.inputs[0]), *kernel_and_bias(at, operator), groups=1)
    define_activated(at, operator, value)


def depthwise_convolution(at: Conversion, operator: Operator) -> None:
    """DEPTHWISE_CONV_2D: weights [1, row, column, in * multiplier], one channel's multiples side by side."""
    channels = at.tensor(operator.inputs[0]).shape[3]
    data = at.name(operator.inputs[0])
    value = convolve(at, operator, data, *kernel_and_bias(at, operator), groups=channels)
    define_activated(at, operator, value)


def kernel_and_bias(at: Conversion, operator: Operator) -> tuple[Array, Array]:
    """The weights of a convolution in ONNX's order, [out, in, row, column], and its bias [out]."""
    data, weights, bias = operator.inputs
    kernel, channels = at.array(weights), at.tensor(data).shape[3]
    if operator.kind == "CONV_2D":
        if kernel.shape[3] != channels:
            raise ValueError(f"{kernel.shape[3]} weights a pixel for {channels} channels")
        return kernel.transpose(0, 3, 1, 2), at.array(bias)
    if kernel.shape[3] != channels * operator.options["DepthMultiplier"]:
        raise ValueError(f"{kernel.shape[3]} filters for {channels} channels")
    return kernel.transpose(3, 0, 1, 2), at.array(bias)


def convolve(at: Conversion, operator: Operator, data: str, kernel: Array, bias: Array, groups: int) -> str:
    """The convolution of `data` with the options of `operator`, not activated."""
    options = operator.options
    dilation = (options["DilationHFactor"], options["DilationWFactor"])
    return at.graph.add(
        "Conv",
        [data, at.graph.constant(kernel), at.graph.constant(bias)],
        kernel_shape=kernel.shape[2:],
        strides=[options["StrideH"], options["StrideW"]],
        dilations=dilation,
        group=groups,
        pads=_pads(at, operator, [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilation, strict=True)]),
    )


def max_pool(at: Conversion, operator: Operator) -> None:
    """MAX_POOL_2D; what SAME adds at the border never wins."""
    define_activated(at, operator, pool(at, operator, at.name(operator.inputs[0])))


def pool(at: Conversion, operator: Operator, data: str) -> str:
    """The largest of each window of `data`, with the options of `operator`, not activated."""
    options = operator.options
    window = [options["FilterHeight"], options["FilterWidth"]]
    return at.graph.add(
        "MaxPool",
        [data],
        kernel_shape=window,
        strides=[options["StrideH"], options["StrideW"]],
        pads=_pads(at, operator, window),
    )


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
    at.define(operator.outputs[0], at.style.prelu(at.graph, at.name(data), slopes.reshape(-1)))


def _elementwise(kind: str) -> Writer:
    def write(at: Conversion, operator: Operator) -> None:
        shapes = [at.tensor(i).shape for i in operator.inputs]
        if len(shapes) != 2 or (len(shapes[0]) != len(shapes[1]) and (1,) not in shapes):
            raise ValueError(f"expected two values with as many axes, got {shapes}")
        define_activated(at, operator, at.graph.add(kind, [at.name(i) for i in operator.inputs]))

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
    define_activated(at, operator, value)


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


def activated(at: Conversion, operator: Operator, value: str) -> str:
    """`value` through the activation that is fused into `operator`."""
    activation = _ACTIVATIONS.get(operator.options["FusedActivationFunction"])
    if activation is None:
        raise ValueError(f"the activation {operator.options['FusedActivationFunction']} is not known")
    return activation(at.graph, value)


def define_activated(at: Conversion, operator: Operator, value: str) -> None:
    at.define(operator.outputs[0], activated(at, operator, value))


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
