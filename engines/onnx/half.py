"""A network in float16 where that keeps its numbers: the convolutions that only feed other convolutions.

Strongly typed TensorRT computes each value in the type that the ONNX file gives it, so the choice is made
here, and ONNX Runtime measures the loss on any machine. Float32 stay: inputs and outputs; the last
convolution of every head with all that follows, because a float16 number near 128 has a step of 1/8, too
coarse for a coordinate; and all geometry (where a feature map is read, and how). Called by `trt.builder` and
`prepare.choose`.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Operators that only move, scale or sum features. All others stay in float32.
_FEATURE_KINDS = {"Add", "Clip", "Concat", "Conv", "Gather", "MaxPool", "PRelu", "Pad", "Relu"}
_HALF_MAX = float(np.finfo(np.float16).max)


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of `model` (float32, shapes fixed) with its feature maps and their weights in float16."""
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    work = _Conversion(graph)
    nodes = work.nodes()
    del changed.graph.node[:], changed.graph.initializer[:], changed.graph.value_info[:]
    changed.graph.node.extend(nodes)
    changed.graph.initializer.extend(work.initializers(nodes))
    return changed


def half_nodes(graph: onnx.GraphProto) -> set[str]:
    """The names of the nodes that are computed in 16 bits: feature kinds that reach another convolution."""
    users: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            users[name].append(node)
    constants = {constant.name: constant for constant in graph.initializer}
    kept = {value.name for value in graph.output}
    reaching: set[str] = set()
    for node in reversed(graph.node):
        after = [user for name in node.output for user in users[name]]
        reaches = any(user.op_type == "Conv" or user.name in reaching for user in after)
        fits = all(_fits(constants[name]) for name in node.input if name in constants)
        if node.op_type in _FEATURE_KINDS and reaches and fits and not kept & set(node.output):
            reaching.add(node.name)
    return reaching


def _fits(constant: onnx.TensorProto) -> bool:
    if constant.data_type != TensorProto.FLOAT:
        return True
    array = numpy_helper.to_array(constant)
    return array.size == 0 or float(np.abs(array).max()) <= _HALF_MAX


class _Conversion:
    """The new nodes of one graph, in order, and the constants that they need."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._half = half_nodes(graph)
        self._constants = {constant.name: constant for constant in graph.initializer}
        self._floats = {
            value.name
            for value in (*graph.input, *graph.value_info, *graph.output)
            if value.type.tensor_type.elem_type == TensorProto.FLOAT
        }
        self._floats |= {
            name for name, array in self._constants.items() if array.data_type == TensorProto.FLOAT
        }
        self._is_half: dict[str, bool] = {}  # of values that nodes make
        self._made: dict[tuple[str, bool], str] = {}  # what a value is called in the other width
        self._halved: dict[str, onnx.TensorProto] = {}
        self._nodes: list[onnx.NodeProto] = []

    def nodes(self) -> list[onnx.NodeProto]:
        for node in self._graph.node:
            half = node.name in self._half
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            for index, name in enumerate(node.input):
                if name in self._floats:
                    copy.input[index] = self._in_width(name, half)
            self._nodes.append(copy)
            self._is_half.update(dict.fromkeys(node.output, half))
        return self._nodes

    def initializers(self, nodes: list[onnx.NodeProto]) -> list[onnx.TensorProto]:
        """The constants that some node still takes."""
        used = {name for node in nodes for name in node.input}
        return [array for array in (*self._constants.values(), *self._halved.values()) if array.name in used]

    def _in_width(self, name: str, half: bool) -> str:
        """The name of a float value in 16 or 32 bits; a constant or a Cast is added where there is none."""
        if self._is_half.get(name, False) == half:
            return name
        if (name, half) not in self._made:
            other = f"{name}_{'half' if half else 'single'}"
            if name in self._constants:
                array = numpy_helper.to_array(self._constants[name]).astype(np.float16)
                self._halved[name] = numpy_helper.from_array(array, other)
            else:
                kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
                self._nodes.append(helper.make_node("Cast", [name], [other], name=f"Cast_{other}", to=kind))
            self._made[name, half] = other
        return self._made[name, half]
