"""A TFLite graph as ONNX nodes, batch first.

TFLite keeps pictures as [batch, row, column, channel], ONNX as [batch, channel, row, column]. Every value
with four axes is written in ONNX's order from the start, so no transposition is left between convolutions;
values with fewer axes keep their order. The first axis of every value, 1 in the file, is the batch.

Tensors that groups.py puts side by side are one ONNX value: a picture's channels lie lane after lane, other
values have an axis for the lanes behind that of the batch. Lanes narrower than the widest end in zeros.

Called by `onnx.face_graphs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.engines.onnx.graph import OnnxGraph
from rtfilter.engines.onnx.groups import Group, side_by_side, without_repeats
from rtfilter.engines.onnx.reader import Model, Tensor
from rtfilter.engines.onnx.style import Style
from rtfilter.errors import InputError

Array = npt.NDArray[Any]

ONNX_FROM_TFLITE = (0, 3, 1, 2)
TFLITE_FROM_ONNX = (0, 2, 3, 1)


@dataclass(frozen=True, slots=True)
class Lane:
    """Where a tensor lies: the lane `number` of `count` in an ONNX value, each `width` wide."""

    value: str
    number: int
    count: int
    width: int


class Conversion:
    """What an operator's writer works with: the graph so far, and where the model's tensors are in it."""

    def __init__(self, model: Model, graph: OnnxGraph, style: Style) -> None:
        self.model = model
        self.graph = graph
        self.style = style
        self._names: dict[int, str] = {}
        self._lanes: dict[int, Lane] = {}
        self._chosen: dict[tuple[str, tuple[int, ...]], str] = {}
        self._constants: dict[int, Array] = {
            i: tensor.data for i, tensor in enumerate(model.tensors) if tensor.data is not None
        }

    def tensor(self, index: int) -> Tensor:
        return self.model.tensors[index]

    def array(self, index: int) -> Array:
        """A constant's array, in TFLite's axes. Raises ValueError for a value that is computed."""
        if index not in self._constants:
            raise ValueError(f"tensor {self.tensor(index).name} must be a constant")
        return self._constants[index]

    def name(self, index: int) -> str:
        """The ONNX value of a tensor; a constant is added to the graph, with four axes in ONNX's order."""
        if index in self._lanes:
            raise ValueError(f"tensor {self.tensor(index).name} is one of {self._lanes[index].count} lanes")
        if index not in self._names:
            array = self.array(index)
            if array.ndim == 4:
                array = array.transpose(ONNX_FROM_TFLITE)
            self._names[index] = self.graph.constant(array, array.dtype)
        return self._names[index]

    def input(self, group: Group, argument: int) -> tuple[str, int]:
        """The ONNX value of one argument of a group, and its lanes' width; 0 for a group of one."""
        indices = [operator.inputs[argument] for operator in group]
        if len(group) == 1:
            return self.name(indices[0]), 0
        lanes = [self._lanes[index] for index in indices]
        value, width = lanes[0].value, lanes[0].width
        if any(lane.value != value for lane in lanes):
            raise ValueError("the lanes come from different values")
        numbers = tuple(lane.number for lane in lanes)
        if numbers == tuple(range(lanes[0].count)):
            return value, width
        if (value, numbers) not in self._chosen:
            picture = len(self.tensor(indices[0]).shape) == 4
            step = width if picture else 1
            places = [number * step + i for number in numbers for i in range(step)]
            places_name = self.graph.constant(places, np.int64)
            self._chosen[value, numbers] = self.graph.add("Gather", [value, places_name], axis=1)
        return self._chosen[value, numbers], width

    def define(self, index: int, name: str) -> None:
        """`name` is the ONNX value of the tensor."""
        self._names[index] = name

    def define_constant(self, index: int, array: Array) -> None:
        """The tensor is a constant of that array."""
        self._constants[index] = array

    def output(self, group: Group, value: str, width: int = 1) -> None:
        """`value` is what the group makes; several operators' outputs lie in it side by side."""
        indices = [operator.outputs[0] for operator in group]
        if len(group) == 1:
            self.define(indices[0], value)
            return
        for number, index in enumerate(indices):
            self._lanes[index] = Lane(value, number, len(indices), width)

    def lane(self, index: int) -> Lane:
        """Where a tensor lies, in lanes or not; the width of one that is not is left open, 0."""
        return self._lanes.get(index) or Lane(self.name(index), 0, 1, 0)


# Writes operators of one kind, side by side.
Writer = Callable[[Conversion, Group], None]


def convert(
    model: Model, graph: OnnxGraph, inputs: Sequence[str], writers: Mapping[str, Writer], style: Style
) -> list[Lane]:
    """Write all operators of `model` into `graph`.

    Args:
        inputs: the ONNX names of the model's inputs, with axes in ONNX's order.
        writers: by operator kind.

    Returns:
        Where the model's outputs lie.

    Raises:
        InputError: an operator without a writer, or with options that its writer does not know.
    """
    model = without_repeats(model)
    conversion = Conversion(model, graph, style)
    for index, name in zip(model.inputs, inputs, strict=True):
        conversion.define(index, name)
    for group in side_by_side(model):
        kind = group[0].kind
        if kind not in writers:
            raise InputError(f"the TFLite operator {kind} is not known; known: {', '.join(sorted(writers))}")
        try:
            writers[kind](conversion, group)
        except Exception as error:  # a model whose operators do not fit can raise nearly anything
            made = conversion.tensor(group[0].outputs[0]).name
            raise InputError(f"the TFLite operator {kind} that makes {made}: {error}") from error
    return [conversion.lane(index) for index in model.outputs]
