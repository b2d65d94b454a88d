"""A TFLite graph as ONNX nodes, batch first.

TFLite keeps pictures as [batch, row, column, channel], ONNX as [batch, channel, row, column]. Every value
with four axes is written in ONNX's order from the start, so no transposition is left between convolutions;
values with fewer axes keep their order. The first axis of every value, 1 in the file, is the batch.

Tensors that groups.py put side by side are one ONNX value: a picture's channels lie lane after lane, other
values have an axis for the lanes behind that of the batch. Lanes that are narrower than the widest end in
zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.engines.onnx.graph import OnnxGraph
from rtfilter.engines.onnx.groups import Group, side_by_side, without_repeats
from rtfilter.engines.onnx.reader import Model, Operator, Tensor
from rtfilter.engines.onnx.style import Style
from rtfilter.errors import InputError

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
        self._constants: dict[int, npt.NDArray[Any]] = {
            i: tensor.data for i, tensor in enumerate(model.tensors) if tensor.data is not None
        }

    def tensor(self, index: int) -> Tensor:
        return self.model.tensors[index]

    def is_constant(self, index: int) -> bool:
        return index in self._constants

    def array(self, index: int) -> npt.NDArray[Any]:
        """A constant's array, in TFLite's axes; ValueError for a value that is computed."""
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

    def define(self, index: int, name: str) -> None:
        """`name` is the ONNX value of the tensor."""
        self._names[index] = name

    def define_constant(self, index: int, array: npt.NDArray[Any]) -> None:
        """The tensor is a constant after all."""
        self._constants[index] = array

    def define_lanes(self, indices: Sequence[int], name: str, width: int) -> None:
        """`name` is the ONNX value of these tensors, side by side."""
        for number, index in enumerate(indices):
            self._lanes[index] = Lane(name, number, len(indices), width)

    def lane(self, index: int) -> Lane:
        """Where a tensor lies, one in lanes or not; the width of one that is not is left open, 0."""
        return self._lanes.get(index) or Lane(self.name(index), 0, 1, 0)

    def lanes(self, indices: Sequence[int]) -> tuple[str, int]:
        """The ONNX value that has exactly these tensors as lanes, in this order; and their width."""
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


Writer = Callable[[Conversion, Operator], None]
GroupWriter = Callable[[Conversion, Group], None]


@dataclass(frozen=True, slots=True)
class Writers:
    """By operator kind: how one is written, and how several are, side by side."""

    single: Mapping[str, Writer]
    group: Mapping[str, GroupWriter] = field(default_factory=dict)


def convert(
    model: Model, graph: OnnxGraph, inputs: Sequence[str], writers: Writers, style: Style
) -> list[Lane]:
    """Write all operators of `model` into `graph`; where the model's outputs lie.

    inputs: the ONNX names of the model's inputs, with axes in ONNX's order. Operators are put side by side
    where `writers` can write them so. InputError for an operator that is not known, or options that are not.
    """
    model = without_repeats(model)
    conversion = Conversion(model, graph, style)
    for index, name in zip(model.inputs, inputs, strict=True):
        conversion.define(index, name)
    groups = side_by_side(model) if writers.group else [(operator,) for operator in model.operators]
    for group in groups:
        kind = group[0].kind
        if kind not in writers.single:
            raise InputError(
                f"the TFLite operator {kind} is not known; known: {', '.join(sorted(writers.single))}"
            )
        try:
            if len(group) > 1:
                writers.group[kind](conversion, group)
            else:
                writers.single[kind](conversion, group[0])
        except Exception as error:  # a model whose operators do not fit can raise nearly anything
            made = conversion.tensor(group[0].outputs[0]).name
            raise InputError(f"the TFLite operator {kind} that makes {made}: {error}") from error
    return [conversion.lane(index) for index in model.outputs]
