"""Operators that become one ONNX node: the same operation on parallel branches of a network.

The face mesh runs lips and both eyes (and then irises) through small networks of one build. One by one they
are some 300 steps of a few microseconds, each too small for a GPU. Side by side, as *lanes* of one value,
they are a third of that, and compute the same. Called by `onnx.convert`.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

from rtfilter.engines.onnx.reader import Model, Operator

Group = tuple[Operator, ...]

# Options that may differ between lanes; everything else must be equal, except the numbers in constants.
_OPTIONS_OF_A_LANE = {
    "Landmarks2TransformMatrix": {"left_rotation_idx", "right_rotation_idx", "subset_idxs"},
}
# Operators whose lanes may have outputs of different sizes: lips have more points than an iris.
_SIZES_OF_A_LANE = {"CONV_2D", "RESHAPE", "TransformLandmarks"}
# Operators that begin lanes, where several are applied to one value.
_BEGINNINGS = {"Landmarks2TransformMatrix"}


def without_repeats(model: Model) -> Model:
    """The same model without operators that repeat an earlier one: same kind, options and inputs."""
    same: dict[int, int] = {}
    first_of: dict[tuple[str, tuple[int, ...], bytes], int] = {}
    for i, tensor in enumerate(model.tensors):
        if tensor.data is not None:
            bits = (tensor.data.dtype.str, tensor.shape, tensor.data.tobytes())
            same[i] = first_of.setdefault(bits, i)
    made: dict[Hashable, Operator] = {}
    operators = []
    for operator in model.operators:
        inputs = tuple(same.get(i, i) for i in operator.inputs)
        shapes = tuple(model.tensors[i].shape for i in operator.outputs)
        key = (operator.kind, operator.version, _frozen(operator.options), inputs, shapes)
        earlier = made.setdefault(key, operator)
        if earlier is operator or set(operator.outputs) & set(model.outputs):
            operators.append(replace(operator, inputs=inputs))
        else:
            same.update(zip(operator.outputs, earlier.outputs, strict=True))
    return replace(model, operators=tuple(operators))


def side_by_side(model: Model) -> list[Group]:
    """All operators in groups, in an order in which they can run; many are groups of one.

    In a group the lanes' inputs come, argument by argument, from one value that they share, or from one
    earlier group; of that they may take other lanes than their own, and one lane twice.
    """
    if not any(operator.kind in _BEGINNINGS for operator in model.operators):
        return [(operator,) for operator in model.operators]
    group_of: dict[int, int] = {}  # by tensor: the number of the group that makes it
    made = {i for i, tensor in enumerate(model.tensors) if tensor.data is not None} | set(model.inputs)
    waiting = list(model.operators)
    groups: list[Group] = []
    while waiting:
        ready = [operator for operator in waiting if made.issuperset(set(operator.inputs) - {-1})]
        waiting = [operator for operator in waiting if not made.issuperset(set(operator.inputs) - {-1})]
        alike: dict[Hashable, list[Operator]] = {}
        for operator in ready:
            alike.setdefault(_key(model, operator, group_of), []).append(operator)
        for found in alike.values():
            for i in (output for operator in found for output in operator.outputs):
                made.add(i)
                if len(found) > 1:
                    group_of[i] = len(groups)
            groups.append(tuple(found))
    return groups


def _key(model: Model, operator: Operator, group_of: dict[int, int]) -> Hashable:
    """A key that is equal for operators of one group."""
    in_lanes = any(i in group_of for i in operator.inputs)
    if not in_lanes and operator.kind not in _BEGINNINGS:
        return ("alone", operator.outputs)
    sized = operator.kind in _SIZES_OF_A_LANE
    own = _OPTIONS_OF_A_LANE.get(operator.kind, set())
    sources: list[Hashable] = []
    for i in operator.inputs:
        tensor = model.tensors[i]
        if i in group_of:
            sources.append(("group", group_of[i]))
        elif tensor.data is None and not _is_weights(model, i):
            sources.append(("value", i))
        else:
            sources.append(len(tensor.shape) if sized else tensor.shape)
    shapes = [model.tensors[i].shape for i in operator.outputs]
    made: Hashable = tuple(len(shape) for shape in shapes) if sized else tuple(shapes)
    options = {name: value for name, value in operator.options.items() if name not in own}
    return (operator.kind, operator.version, _frozen(options), tuple(sources), made)


def _is_weights(model: Model, index: int) -> bool:
    """Whether a tensor is a half-width constant that is made wider."""
    return any(index in operator.outputs and operator.kind == "DEQUANTIZE" for operator in model.operators)


def _frozen(options: Any) -> Hashable:
    if isinstance(options, dict):
        return tuple(sorted((name, _frozen(value)) for name, value in options.items()))
    return tuple(map(_frozen, options)) if isinstance(options, list) else options
