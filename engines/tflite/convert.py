"""A TFLite graph as ONNX nodes, batch first.

TFLite keeps pictures as [batch, row, column, channel], ONNX as [batch, channel, row, column]. Every value
with four axes is written in ONNX's order from the start, so no transposition is left between convolutions;
values with fewer axes keep their order. The first axis of every value, 1 in the file, is the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from rtfilter.engines.onnx_graph import OnnxGraph
from rtfilter.engines.tflite.reader import Model, Operator, Tensor
from rtfilter.errors import InputError

ONNX_FROM_TFLITE = (0, 3, 1, 2)
TFLITE_FROM_ONNX = (0, 2, 3, 1)


class Conversion:
    """What an operator's writer works with: the graph so far, and the ONNX names of the model's tensors."""

    def __init__(self, model: Model, graph: OnnxGraph) -> None:
        self.model = model
        self.graph = graph
        self._names: dict[int, str] = {}
        self._constants: dict[int, npt.NDArray[np.generic]] = {
            i: tensor.data for i, tensor in enumerate(model.tensors) if tensor.data is not None
        }

    def tensor(self, index: int) -> Tensor:
        return self.model.tensors[index]

    def is_constant(self, index: int) -> bool:
        return index in self._constants

    def array(self, index: int) -> npt.NDArray[np.generic]:
        """A constant's array, in TFLite's axes; ValueError for a value that is computed."""
        if index not in self._constants:
            raise ValueError(f"tensor {self.tensor(index).name} must be a constant")
        return self._constants[index]

    def name(self, index: int) -> str:
        """The ONNX value of a tensor; a constant is added to the graph, with four axes in ONNX's order."""
        if index not in self._names:
            array = self.array(index)
            if array.ndim == 4:
                array = array.transpose(ONNX_FROM_TFLITE)
            self._names[index] = self.graph.constant(array, array.dtype)
        return self._names[index]

    def define(self, index: int, name: str) -> None:
        """`name` is the ONNX value of the tensor."""
        self._names[index] = name

    def define_constant(self, index: int, array: npt.NDArray[np.generic]) -> None:
        """The tensor is a constant after all."""
        self._constants[index] = array


Writer = Callable[[Conversion, Operator], None]


def convert(model: Model, graph: OnnxGraph, inputs: list[str], writers: Mapping[str, Writer]) -> list[str]:
    """Write all operators of `model` into `graph`; the ONNX names of the model's outputs.

    inputs: the ONNX names of the model's inputs, with axes in ONNX's order.
    writers: by operator kind. InputError for an operator that has none, or options that it cannot write.
    """
    conversion = Conversion(model, graph)
    for index, name in zip(model.inputs, inputs, strict=True):
        conversion.define(index, name)
    for operator in model.operators:
        writer = writers.get(operator.kind)
        if writer is None:
            raise InputError(
                f"the TFLite operator {operator.kind} is not known; known: {', '.join(sorted(writers))}"
            )
        try:
            writer(conversion, operator)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            made = conversion.tensor(operator.outputs[0]).name
            raise InputError(f"the TFLite operator {operator.kind} that makes {made}: {error}") from error
    return [conversion.name(index) for index in model.outputs]
