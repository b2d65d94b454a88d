"""TFLite's convolutions, sums and activations, as ONNX nodes; several side by side are one node.

What each does is defined by TFLite's reference kernels; the padding SAME by its padding.h. The options are
named as in the schema. Called by `onnx.convert`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from rtfilter.engines.onnx.convert import Array, Conversion, Writer
from rtfilter.engines.onnx.graph import OnnxGraph
from rtfilter.engines.onnx.groups import Group
from rtfilter.engines.onnx.reader import Operator

_ACTIVATIONS: dict[str, Callable[[OnnxGraph, str], str]] = {
    "NONE": lambda graph, value: value,
    "RELU": lambda graph, value: graph.add("Relu", [value]),
    "RELU6": lambda graph, value: graph.add("Clip", [value, graph.constant(0.0), graph.constant(6.0)]),
    "RELU_N1_TO_1": lambda graph, value: graph.add(
        "Clip", [value, graph.constant(-1.0), graph.constant(1.0)]
    ),
    "TANH": lambda graph, value: graph.add("Tanh", [value]),
}


def picture(at: Conversion, group: Group, argument: int) -> tuple[str, int]:
    """`Conversion.input` for a picture, whose lanes are all as wide as its channels."""
    value, width = at.input(group, argument)
    shape = at.tensor(group[0].inputs[argument]).shape
    if len(group) > 1 and (len(shape) != 4 or shape[3] != width):
        raise ValueError(f"expected pictures of {width} channels, got the shape {shape}")
    return value, width


def activated(at: Conversion, operator: Operator, value: str) -> str:
    """`value` after the operator's fused activation."""
    activation = _ACTIVATIONS.get(operator.options["FusedActivationFunction"])
    if activation is None:
        raise ValueError(f"the activation {operator.options['FusedActivationFunction']} is not known")
    return activation(at.graph, value)


def _dequantize(at: Conversion, group: Group) -> None:
    """Half-width weights to full width; nothing else is stored that way in these models."""
    (operator,) = group
    array = at.array(operator.inputs[0])
    if array.dtype != np.float16:
        raise ValueError(f"expected float16 weights, got {array.dtype}")
    at.define_constant(operator.outputs[0], array.astype(np.float32))


def _convolution(at: Conversion, group: Group) -> None:
    """CONV_2D, weights [out, row, column, in]. A lane is a group of channels; narrower ones make zeros."""
    value, _ = picture(at, group, 0)
    kernels, biases = zip(*(_kernel_and_bias(at, operator) for operator in group), strict=True)
    widest = max(len(bias) for bias in biases)
    value = _convolve(
        at, group[0], value, _stacked(kernels, widest), _stacked(biases, widest), groups=len(group)
    )
    at.output(group, activated(at, group[0], value), widest)


def _depthwise_convolution(at: Conversion, group: Group) -> None:
    """DEPTHWISE_CONV_2D, weights [1, row, column, in * multiplier], a channel's multiples side by side."""
    value, _ = picture(at, group, 0)
    channels = at.tensor(group[0].inputs[0]).shape[3]
    kernels, biases = zip(*(_kernel_and_bias(at, operator) for operator in group), strict=True)
    groups = channels * len(group)
    value = _convolve(at, group[0], value, np.concatenate(kernels), np.concatenate(biases), groups)
    at.output(group, activated(at, group[0], value), len(biases[0]))


def _kernel_and_bias(at: Conversion, operator: Operator) -> tuple[Array, Array]:
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


def _stacked(arrays: tuple[Array, ...], rows: int) -> Array:
    """Along the first axis, each lengthened to `rows` by zeros."""
    longer = [np.pad(array, [(0, rows - len(array)), *[(0, 0)] * (array.ndim - 1)]) for array in arrays]
    return np.concatenate(longer)


def _convolve(at: Conversion, operator: Operator, data: str, kernel: Array, bias: Array, groups: int) -> str:
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


def _max_pool(at: Conversion, group: Group) -> None:
    """MAX_POOL_2D; what SAME adds at the border never wins."""
    value, width = picture(at, group, 0)
    options = group[0].options
    window = [options["FilterHeight"], options["FilterWidth"]]
    value = at.graph.add(
        "MaxPool",
        [value],
        kernel_shape=window,
        strides=[options["StrideH"], options["StrideW"]],
        pads=_pads(at, group[0], window),
    )
    at.output(group, activated(at, group[0], value), width)


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


def _relu(at: Conversion, group: Group) -> None:
    value, width = at.input(group, 0)
    at.output(group, at.graph.add("Relu", [value]), width)


def _prelu(at: Conversion, group: Group) -> None:
    """PRELU with one slope a channel: [1, 1, channels]."""
    slopes = [at.array(operator.inputs[1]) for operator in group]
    if any(slope.size != slope.shape[-1] for slope in slopes):
        raise ValueError(f"expected one slope a channel, got the shape {slopes[0].shape}")
    value, width = picture(at, group, 0)
    if len(group) > 1 and any(slope.size != width for slope in slopes):
        raise ValueError(f"expected one slope for each of {width} channels")
    all_slopes = np.concatenate([slope.reshape(-1) for slope in slopes])
    at.output(group, at.style.prelu(at.graph, value, all_slopes), width)


def elementwise(kind: str) -> Writer:
    """The writer of an operator on two values with as many axes, or a value and a number."""

    def write(at: Conversion, group: Group) -> None:
        shapes = [at.tensor(i).shape for i in group[0].inputs]
        if len(shapes) != 2 or (len(shapes[0]) != len(shapes[1]) and (1,) not in shapes):
            raise ValueError(f"expected two values with as many axes, got {shapes}")
        (first, width), (second, _) = picture(at, group, 0), picture(at, group, 1)
        at.output(group, activated(at, group[0], at.graph.add(kind, [first, second])), width)

    return write


WRITERS: Mapping[str, Writer] = {
    "ADD": elementwise("Add"),
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise_convolution,
    "DEQUANTIZE": _dequantize,
    "MAX_POOL_2D": _max_pool,
    "MUL": elementwise("Mul"),
    "PRELU": _prelu,
    "RELU": _relu,
}
