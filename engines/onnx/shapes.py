"""TFLite's reshape, pad, slice, concatenate and the like, as ONNX nodes. Called by `onnx.convert`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rtfilter.engines.onnx.convert import ONNX_FROM_TFLITE, TFLITE_FROM_ONNX, Conversion, Writer
from rtfilter.engines.onnx.groups import Group
from rtfilter.engines.onnx.operators import activated, picture


def _pad(at: Conversion, group: Group) -> None:
    """PAD with zeros; to lanes only channels are added, by a convolution whose weights are ones and zeros."""
    widths = [at.array(operator.inputs[1]) for operator in group]
    value, width = picture(at, group, 0)
    if len(group) == 1:
        before_after = widths[0]
        if before_after.shape[0] == 4:
            before_after = before_after[list(ONNX_FROM_TFLITE)]
        pads = at.graph.constant(before_after.T.reshape(-1), np.int64)
        at.output(group, at.graph.add("Pad", [value, pads]))
        return
    if any((i != widths[0]).any() or i[:3].any() or i[3, 0] for i in widths):
        raise ValueError(f"only channels can be added to lanes, got {[i.tolist() for i in widths]}")
    new = width + int(widths[0][3, 1])
    if new != at.tensor(group[0].outputs[0]).shape[3]:
        raise ValueError(f"{new} channels for the shape {at.tensor(group[0].outputs[0]).shape}")
    ones = at.graph.constant(np.tile(np.eye(new, width), (len(group), 1))[:, :, None, None])
    value = at.graph.add("Conv", [value, ones], group=len(group), kernel_shape=[1, 1])
    at.output(group, value, new)


def _concatenation(at: Conversion, group: Group) -> None:
    (operator,) = group
    rank = len(at.tensor(operator.outputs[0]).shape)
    axis = operator.options["Axis"] % rank
    if axis == 0:
        raise ValueError("the batch cannot be joined")
    if rank == 4:
        axis = ONNX_FROM_TFLITE.index(axis)
    value = at.graph.add("Concat", [at.name(i) for i in operator.inputs], axis=axis)
    at.output(group, activated(at, operator, value))


def _reshape(at: Conversion, group: Group) -> None:
    """RESHAPE, which keeps TFLite's order of the numbers: a transposition where ONNX's differs."""
    if len(group) > 1:
        _reshape_lanes(at, group)
        return
    (operator,) = group
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
    at.output(group, value)


def _order_differs(shape: tuple[int, ...]) -> bool:
    """Whether a picture's numbers lie in another order in ONNX: neither one pixel nor one channel."""
    return len(shape) == 4 and shape[1] * shape[2] > 1 and shape[3] > 1


def _reshape_lanes(at: Conversion, group: Group) -> None:
    """One pixel's channels to rows of numbers; and back, which changes nothing here."""
    value, width = at.input(group, 0)
    sources = [at.tensor(operator.inputs[0]).shape for operator in group]
    targets = [at.tensor(operator.outputs[0]).shape for operator in group]
    size = targets[0][-1] if len(targets[0]) == 3 else sources[0][-1]
    if all(len(shape) == 3 and shape[2] == size for shape in targets) and _are_pixels(sources):
        value = at.graph.reshape(value, [0, len(group), width // size, size])
        at.output(group, value, width // size)
    elif all(len(shape) == 3 and shape[2] == size for shape in sources) and _are_pixels(targets):
        at.output(group, value, width)
    else:
        raise ValueError(f"lanes of {sources} cannot become {targets}")


def _are_pixels(shapes: list[tuple[int, ...]]) -> bool:
    return all(len(shape) == 4 and shape[1] == shape[2] == 1 for shape in shapes)


def _strided_slice(at: Conversion, group: Group) -> None:
    """STRIDED_SLICE with begin, end and stride; no axes are added or dropped."""
    (operator,) = group
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
    at.output(group, value)


WRITERS: Mapping[str, Writer] = {
    "CONCATENATION": _concatenation,
    "PAD": _pad,
    "RESHAPE": _reshape,
    "STRIDED_SLICE": _strided_slice,
}
