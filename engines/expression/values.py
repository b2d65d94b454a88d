"""Arithmetic that builds an ONNX graph: values that are added and multiplied as arrays are.

Called by the other files of this folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from rtfilter.engines.onnx.graph import OnnxGraph

Floats = npt.NDArray[np.floating[Any]]
Operand = Union["Value", float, Floats]


class Value:
    """A tensor of a graph under construction; broadcasts as NumPy does.

    Numbers and arrays become float32 constants. Comparisons give truth values, for `Formula.where` and
    `number`.
    """

    __slots__ = ("_formula", "name")
    __array_ufunc__ = None  # with an array on the left, Python calls the value's operator

    def __init__(self, formula: Formula, name: str) -> None:
        self._formula = formula
        self.name = name

    def _op(self, kind: str, *others: Operand, **attributes: Any) -> Value:
        names = [self._formula.name_of(other) for other in others]
        return Value(self._formula, self._formula.graph.add(kind, [self.name, *names], **attributes))

    def __add__(self, other: Operand) -> Value:
        return self._op("Add", other)

    def __sub__(self, other: Operand) -> Value:
        return self._op("Sub", other)

    def __rsub__(self, other: float | Floats) -> Value:
        return self._formula.constant(other)._op("Sub", self)

    def __mul__(self, other: Operand) -> Value:
        return self._op("Mul", other)

    def __rmul__(self, other: float | Floats) -> Value:
        return self._op("Mul", other)

    def __truediv__(self, other: Operand) -> Value:
        return self._op("Div", other)

    def __matmul__(self, other: Operand) -> Value:
        return self._op("MatMul", other)

    def __neg__(self) -> Value:
        return self._op("Neg")

    def __le__(self, other: Operand) -> Value:
        return self._op("LessOrEqual", other)

    def __lt__(self, other: Operand) -> Value:
        return self._op("Less", other)

    def __ge__(self, other: Operand) -> Value:
        return self._op("GreaterOrEqual", other)

    def __gt__(self, other: Operand) -> Value:
        return self._op("Greater", other)

    def both(self, other: Value) -> Value:
        """Logical and."""
        return self._op("And", other)

    def number(self) -> Value:
        """Truth values as 1.0 and 0.0."""
        return self._op("Cast", to=TensorProto.FLOAT)

    def at_least(self, *others: Operand) -> Value:
        return self._op("Max", *others)

    def at_most(self, *others: Operand) -> Value:
        return self._op("Min", *others)

    def clip(self, low: float, high: float) -> Value:
        return self._op("Clip", low, high)

    def function(self, kind: str) -> Value:
        """An ONNX operator of one input, such as "Tanh"."""
        return self._op(kind)

    def reduce(self, kind: str, axes: Sequence[int], keep: bool = True) -> Value:
        """An ONNX reduction, such as "ReduceMin"."""
        if kind == "ReduceSum":  # the first whose axes became an input
            return self._op(kind, self._formula.integers(axes), keepdims=int(keep))
        return self._op(kind, axes=list(axes), keepdims=int(keep))

    def reshape(self, *shape: int) -> Value:
        """-1 once, for the batch."""
        return Value(self._formula, self._formula.graph.reshape(self.name, shape))

    def turned(self) -> Value:
        """The last two of three axes exchanged."""
        return self._op("Transpose", perm=[0, 2, 1])

    def part(self, begin: int, end: int, axis: int = 1) -> Value:
        return Value(self._formula, self._formula.graph.slice(self.name, axis, begin, end))

    def columns(self, indices: Sequence[int]) -> Value:
        """Those columns of [batch, N], in that order."""
        return self._op("Gather", self._formula.integers(indices), axis=1)

    def split(self, *sizes: int, axis: int = 1) -> list[Value]:
        """Consecutive parts of these sizes, which make up the whole axis."""
        lengths = self._formula.integers(sizes)
        names = self._formula.graph.add_many("Split", [self.name, lengths.name], [""] * len(sizes), axis=axis)
        return [Value(self._formula, name) for name in names]

    def smallest(self, count: int) -> Value:
        """The `count` smallest numbers of each row, in ascending order."""
        inputs = [self.name, self._formula.integers([count]).name]
        names = self._formula.graph.add_many("TopK", inputs, ["", ""], axis=1, largest=0)
        return Value(self._formula, names[0])

    def called(self, name: str) -> None:
        """Make it the graph's output of that name."""
        self._formula.graph.add("Identity", [self.name], name)


class Formula:
    """Maker of values: from a graph's inputs, and from constants."""

    def __init__(self, graph: OnnxGraph) -> None:
        self.graph = graph

    def input(self, name: str) -> Value:
        return Value(self, name)

    def constant(self, value: npt.ArrayLike) -> Value:
        return Value(self, self.graph.constant(value))

    def integers(self, value: Sequence[int]) -> Value:
        return Value(self, self.graph.constant(value, np.int64))

    def name_of(self, operand: Operand) -> str:
        return operand.name if isinstance(operand, Value) else self.graph.constant(operand)

    def where(self, truth: Value, yes: Operand, no: Operand) -> Value:
        return truth._op("Where", yes, no)

    def joined(self, *values: Value, axis: int = 1) -> Value:
        return Value(self, self.graph.add("Concat", [value.name for value in values], axis=axis))
