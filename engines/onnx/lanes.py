"""TFLite's own operators side by side: several lanes as one ONNX node."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rtfilter.engines.onnx.convert import Conversion, GroupWriter
from rtfilter.engines.onnx.groups import Group
from rtfilter.engines.onnx.operators import Array, activated, convolve, kernel_and_bias, pool


def convolutions(at: Conversion, group: Group) -> None:
    """CONV_2D: each lane is a group of channels. Lanes with fewer outputs than the widest make zeros."""
    value, _ = _pictures(at, group, 0)
    kernels, biases = zip(*(kernel_and_bias(at, operator) for operator in group), strict=True)
    widest = max(len(bias) for bias in biases)
    value = convolve(
        at, group[0], value, _stacked(kernels, widest), _stacked(biases, widest), groups=len(group)
    )
    _define(at, group, activated(at, group[0], value), widest)


def depthwise_convolutions(at: Conversion, group: Group) -> None:
    value, width = _pictures(at, group, 0)
    kernels, biases = zip(*(kernel_and_bias(at, operator) for operator in group), strict=True)
    value = convolve(
        at, group[0], value, np.concatenate(kernels), np.concatenate(biases), groups=width * len(group)
    )
    _define(at, group, activated(at, group[0], value), len(biases[0]))


def max_pools(at: Conversion, group: Group) -> None:
    value, width = _pictures(at, group, 0)
    _define(at, group, activated(at, group[0], pool(at, group[0], value)), width)


def prelus(at: Conversion, group: Group) -> None:
    value, width = _pictures(at, group, 0)
    slopes = [at.array(operator.inputs[1]).reshape(-1) for operator in group]
    if any(len(slope) != width for slope in slopes):
        raise ValueError(f"expected one slope for each of {width} channels")
    _define(at, group, at.style.prelu(at.graph, value, np.concatenate(slopes)), width)


def additions(at: Conversion, group: Group) -> None:
    first, width = _pictures(at, group, 0)
    second, _ = _pictures(at, group, 1)
    _define(at, group, activated(at, group[0], at.graph.add("Add", [first, second])), width)


def pads(at: Conversion, group: Group) -> None:
    """PAD of the channels, at their end: as lanes, a convolution whose weights are ones and zeros."""
    value, width = _pictures(at, group, 0)
    widths = [at.array(operator.inputs[1]) for operator in group]
    if any((i != widths[0]).any() or i[:3].any() or i[3, 0] for i in widths):
        raise ValueError(f"only channels can be added to lanes, got {[i.tolist() for i in widths]}")
    new = width + int(widths[0][3, 1])
    if new != at.tensor(group[0].outputs[0]).shape[3]:
        raise ValueError(f"{new} channels for the shape {at.tensor(group[0].outputs[0]).shape}")
    ones = at.graph.constant(np.tile(np.eye(new, width), (len(group), 1))[:, :, None, None])
    value = at.graph.add("Conv", [value, ones], group=len(group), kernel_shape=[1, 1])
    _define(at, group, value, new)


def reshapes(at: Conversion, group: Group) -> None:
    """RESHAPE of one pixel's channels to rows of numbers, and back, which changes nothing here."""
    value, width = at.lanes([operator.inputs[0] for operator in group])
    sources = [at.tensor(operator.inputs[0]).shape for operator in group]
    targets = [at.tensor(operator.outputs[0]).shape for operator in group]
    size = targets[0][-1] if len(targets[0]) == 3 else sources[0][-1]
    if all(len(shape) == 3 and shape[2] == size for shape in targets) and _are_pixels(sources):
        value = at.graph.reshape(value, [0, len(group), width // size, size])
        _define(at, group, value, width // size)
    elif all(len(shape) == 3 and shape[2] == size for shape in sources) and _are_pixels(targets):
        _define(at, group, value, width)
    else:
        raise ValueError(f"lanes of {sources} cannot become {targets}")


def _are_pixels(shapes: list[tuple[int, ...]]) -> bool:
    return all(len(shape) == 4 and shape[1] == shape[2] == 1 for shape in shapes)


def _pictures(at: Conversion, group: Group, argument: int) -> tuple[str, int]:
    """The value of all lanes' pictures, and the channels of one."""
    indices = [operator.inputs[argument] for operator in group]
    value, width = at.lanes(indices)
    shape = at.tensor(indices[0]).shape
    if len(shape) != 4 or shape[3] != width:
        raise ValueError(f"expected pictures of {width} channels, got the shape {shape}")
    return value, width


def _stacked(arrays: tuple[Array, ...], rows: int) -> Array:
    """Along the first axis, each lengthened to `rows` by zeros."""
    longer = [np.pad(array, [(0, rows - len(array)), *[(0, 0)] * (array.ndim - 1)]) for array in arrays]
    return np.concatenate(longer)


def _define(at: Conversion, group: Group, value: str, width: int) -> None:
    at.define_lanes([operator.outputs[0] for operator in group], value, width)


STOCK_LANES: Mapping[str, GroupWriter] = {
    "ADD": additions,
    "CONV_2D": convolutions,
    "DEPTHWISE_CONV_2D": depthwise_convolutions,
    "MAX_POOL_2D": max_pools,
    "PAD": pads,
    "PRELU": prelus,
    "RESHAPE": reshapes,
}
