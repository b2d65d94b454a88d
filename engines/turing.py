"""Matrix products without a matrix product, for TensorRT-RTX on Turing.

It refuses 32-bit ones there ("FP32 GEMM is not supported", 1.7, compute capability 7.5), and our geometry and
the expression's solve must stay 32 bits wide. They are small, so the products are written out and summed.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from rtfilter.errors import InputError

TARGET = "sm75"

# Beyond this many products a face, written-out ones would cost more memory traffic than they are worth.
_MOST_PRODUCTS = 1 << 22


def without_matmul(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of `model` (shapes fixed) in which MatMul is Unsqueeze, Mul and ReduceSum.

    InputError for one whose shapes are not known or too large.
    """
    shapes = _shapes(onnx.shape_inference.infer_shapes(model, data_prop=True).graph)
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    del changed.graph.node[:]
    for node in model.graph.node:
        changed.graph.node.extend(_written_out(node, shapes) if node.op_type == "MatMul" else [node])
    for axis in (-1, -2, -3):
        changed.graph.initializer.append(numpy_helper.from_array(np.array([axis], np.int64), _axis(axis)))
    return changed


def _written_out(node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]]) -> list[onnx.NodeProto]:
    """c[..., m, n] = sum over k of a[..., m, k, 1] * b[..., 1, k, n]."""
    left, right = (shapes.get(name, ()) for name in node.input)
    if len(left) < 2 or len(right) < 2 or 0 in left + right:
        raise InputError(f"{node.name}: expected two matrices of known size, got {left} and {right}")
    if int(np.prod(left)) * right[-1] > _MOST_PRODUCTS * left[0]:
        raise InputError(f"{node.name}: {left} by {right} is too large to be written out")
    name = node.output[0]
    a, b, products = f"{name}_left", f"{name}_right", f"{name}_products"
    return [
        helper.make_node("Unsqueeze", [node.input[0], _axis(-1)], [a], name=f"{node.name}_left"),
        helper.make_node("Unsqueeze", [node.input[1], _axis(-3)], [b], name=f"{node.name}_right"),
        helper.make_node("Mul", [a, b], [products], name=f"{node.name}_products"),
        helper.make_node("ReduceSum", [products, _axis(-2)], [name], name=f"{node.name}_sum", keepdims=0),
    ]


def _axis(axis: int) -> str:
    return f"written_out_axis_{-axis}"


def _shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """The sizes of all values; 0 where one is not known."""
    found = {constant.name: tuple(constant.dims) for constant in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        found[value.name] = tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
    return found
