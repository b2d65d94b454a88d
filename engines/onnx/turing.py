"""Matrix products as other operators, for TensorRT-RTX on Turing.

It does not support float32 products there ("FP32 GEMM is not supported", 1.7, compute capability 7.5), and
geometry and the expression's solve must stay in float32. It does support float32 convolutions: a product with
a constant matrix is one of 1x1 over pictures of one pixel. The others are small; they are written out and
summed. Called by `trt.builder`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from rtfilter.errors import InputError

TARGET = "sm75"

# With more products a face, the memory traffic of writing them out costs too much.
_MOST_PRODUCTS = 1 << 18
# Results of so many numbers are kept apart from what uses them.
_FEW = 64


def without_matmul(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of `model` (shapes fixed) in which every MatMul is something else of the same value.

    InputError for one whose shapes are not known, or too large.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    del changed.graph.node[:]
    work = _Rewriting(onnx.shape_inference.infer_shapes(model, data_prop=True).graph)
    for node in model.graph.node:
        changed.graph.node.extend(work.instead_of(node) if node.op_type == "MatMul" else [node])
    changed.graph.initializer.extend(work.constants)
    return changed


class _Rewriting:
    """constants: what the new nodes take besides the old ones."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.constants: list[onnx.TensorProto] = []
        self._known = {constant.name: constant for constant in graph.initializer}
        self._names: set[str] = set()
        self._shapes = {name: tuple(constant.dims) for name, constant in self._known.items()}
        for value in (*graph.input, *graph.value_info, *graph.output):
            sizes = value.type.tensor_type.shape.dim
            self._shapes[value.name] = tuple(size.dim_value for size in sizes)  # 0: not known

    def instead_of(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        left, right = (self._shapes.get(name, ()) for name in node.input)
        if len(left) < 2 or len(right) < 2 or 0 in left + right:
            raise InputError(f"{node.name}: expected two matrices of known size, got {left} and {right}")
        if len(right) == 2 and node.input[1] in self._known:
            yield from self._convolved(node, left, right)
        elif math.prod(left[1:]) * right[-1] <= _MOST_PRODUCTS:
            yield from self._summed(node, left[-2] * right[-1])
        else:
            raise InputError(f"{node.name}: {left} by {right} is too large to be written out")

    def _convolved(
        self, node: onnx.NodeProto, left: tuple[int, ...], right: tuple[int, ...]
    ) -> Iterator[onnx.NodeProto]:
        """c[..., n] = convolution of one pixel with as many channels as the matrix has rows."""
        name, (rows, columns) = node.output[0], right
        matrix = numpy_helper.to_array(self._known[node.input[1]])
        weights = self._constant(f"{node.input[1]}_1x1", matrix.T.reshape(columns, rows, 1, 1))
        pixels = self._integers([math.prod(left[:-1]), rows, 1, 1])
        back = self._integers([*left[:-1], columns])
        picture, product = f"{name}_picture", f"{name}_product"
        yield helper.make_node("Reshape", [node.input[0], pixels], [picture], name=f"{node.name}_picture")
        yield helper.make_node("Conv", [picture, weights], [product], name=f"{node.name}_1x1")
        yield helper.make_node("Reshape", [product, back], [name], name=f"{node.name}_back")

    def _summed(self, node: onnx.NodeProto, size: int) -> Iterator[onnx.NodeProto]:
        """c[..., m, n] = sum over k of a[..., m, k, 1] * b[..., 1, k, n]."""
        name = node.output[0]
        left, right, products, total = (f"{name}_{part}" for part in ("left", "right", "products", "total"))
        for given, axis, made in ((node.input[0], -1, left), (node.input[1], -3, right)):
            yield helper.make_node("Unsqueeze", [given, self._integers([axis])], [made], name=f"{made}_axis")
        yield helper.make_node("Mul", [left, right], [products], name=f"{node.name}_products")
        axes, few = self._integers([-2]), size <= _FEW
        yield helper.make_node(
            "ReduceSum", [products, axes], [total if few else name], name=f"{node.name}_sum", keepdims=0
        )
        if few:
            yield from self._kept(total, name, size)

    def _kept(self, given: str, name: str, size: int) -> Iterator[onnx.NodeProto]:
        """The same numbers, through a convolution that changes none: what comes before is computed once.

        Without it the formula of a small product is written anew for each of its uses, and again for each of
        theirs: six squarings of a [4, 4] matrix became 140 MB of generated code.
        """
        same = self._constant(f"same_{size}", np.eye(size, dtype=np.float32).reshape(size, size, 1, 1))
        picture, kept = f"{name}_picture", f"{name}_kept"
        shape = self._integers([-1, size, 1, 1])
        yield helper.make_node("Reshape", [given, shape], [picture], name=f"{name}_to_picture")
        yield helper.make_node("Conv", [picture, same], [kept], name=f"{name}_same")
        back = self._integers(list(self._shapes[name]))
        yield helper.make_node("Reshape", [kept, back], [name], name=f"{name}_back")

    def _integers(self, values: list[int]) -> str:
        return self._constant("integers_" + "_".join(map(str, values)), np.array(values, np.int64))

    def _constant(self, name: str, array: npt.NDArray[np.generic]) -> str:
        if name not in self._names:
            self._names.add(name)
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name
