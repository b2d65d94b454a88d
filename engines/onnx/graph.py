"""An ONNX file under construction: nodes in order, constants, names; and one read back for a fixed batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from rtfilter.engines.spec import BATCH_NAME, NetworkSpec, TensorSpec

OPSET = 17  # GridSample is there since 16; every TensorRT-RTX reads 17
IR_VERSION = 8  # the one that belongs to opset 17; older runtimes refuse newer ones


class OnnxGraph:
    """An ONNX graph under construction. Values are names; constants of the same bytes are stored once."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[Any, ...], str] = {}
        self._initializers: list[onnx.TensorProto] = []

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """A constant of that value; its name."""
        array = np.ascontiguousarray(np.asarray(value, dtype=dtype))
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = name
            self._initializers.append(numpy_helper.from_array(array, name))
        return self._constants[key]

    def add(self, kind: str, inputs: Iterable[str], output: str = "", **attributes: Any) -> str:
        """One node with one output, called `output` or a name of its own; the name of that output.

        Node names are `kind` and a running number. A None among the attributes is left out.
        """
        return self.add_many(kind, inputs, [output], **attributes)[0]

    def add_many(
        self, kind: str, inputs: Iterable[str], outputs: Sequence[str], **attributes: Any
    ) -> list[str]:
        """One node with several outputs, called so or, for "", with a name of its own; see `add`."""
        number = len(self._nodes)
        names = [
            output or (f"value_{number}_{index}" if index else f"value_{number}")
            for index, output in enumerate(outputs)
        ]
        given = {key: value for key, value in attributes.items() if value is not None}
        self._nodes.append(helper.make_node(kind, list(inputs), names, name=f"{kind}_{number}", **given))
        return names

    def reshape(self, value: str, shape: Sequence[int], output: str = "") -> str:
        """`value` in that shape; a 0 keeps the size that the axis had, as the first (the batch) does."""
        return self.add("Reshape", [value, self.constant(shape, np.int64)], output)

    def slice(self, value: str, axis: int, begin: int, end: int, step: int = 1) -> str:
        """`value[begin:end:step]` along one axis."""
        bounds = [self.constant([number], np.int64) for number in (begin, end, axis, step)]
        return self.add("Slice", [value, *bounds])

    def finish(self, spec: NetworkSpec, comment: str) -> bytes:
        """The file: inputs and outputs as `spec` says, which must be values of the graph by these names.

        onnx.checker.ValidationError where the graph is not sound; shapes are checked too.
        """
        graph = helper.make_graph(
            self._nodes,
            spec.name,
            [_info(tensor) for tensor in spec.inputs],
            [_info(tensor) for tensor in spec.outputs],
            self._initializers,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="rtfilter",
            doc_string=comment,
        )
        onnx.checker.check_model(model, full_check=True)
        # Deterministic, so that a plan's key (a hash of these bytes) does not change by itself.
        return bytes(model.SerializeToString(deterministic=True))


def at_batch(data: bytes, batch: int) -> onnx.ModelProto:
    """The network of an ONNX file for `batch` faces.

    Fixed shapes, because TensorRT-RTX compiles a plan of open ones for each shape while it runs, in the
    background: a graph that was captured before then holds the slower kernels, or is no longer valid.
    """
    model = onnx.load_model_from_string(data)
    for value in (*model.graph.input, *model.graph.output):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param == BATCH_NAME:
                size.dim_value = batch
    del model.graph.value_info[:]
    return model


def _info(tensor: TensorSpec) -> onnx.ValueInfoProto:
    shape = [BATCH_NAME if size is None else size for size in tensor.shape]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
    assert kind != TensorProto.UNDEFINED
    return helper.make_tensor_value_info(tensor.name, kind, shape, doc_string=tensor.meaning)
