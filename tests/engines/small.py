"""Networks that are small enough to make, build and run in a moment."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rtfilter.engines.runner import Runner
from rtfilter.engines.spec import BATCH_NAME, F32, NetworkSpec, TensorSpec
from tests.fakes.immediate import ImmediateDevice

SIDE_PX = 16
# The targets of GPUs that people own: Turing, Ampere, Ada, Blackwell.
COMMON = ("sm75", "sm86", "sm89", "sm120")

SMALL = NetworkSpec(
    name="small",
    version=1,
    inputs=(TensorSpec("pixels", (None, 3, SIDE_PX, SIDE_PX), "any"),),
    outputs=(TensorSpec("sums", (None, 4), "any"),),
    half=True,
)


def small_onnx(seed: int = 0, scale: float = 1.0) -> bytes:
    """SMALL: two convolutions, then a product of matrices whose first one depends on the input."""
    rng = np.random.default_rng(seed)

    def constant(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array((scale * rng.normal(0, 0.2, shape)).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["pixels", "first"], ["a"], name="conv_0", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], name="relu_0"),
        helper.make_node("Conv", ["b", "second"], ["c"], name="conv_1", strides=[8, 8]),
        helper.make_node("Reshape", ["c", "flat"], ["d"], name="reshape_0"),
        helper.make_node("MatMul", ["d", "mix"], ["sums"], name="matmul_0"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [info("pixels", 3, SIDE_PX, SIDE_PX)],
        [info("sums", 4)],
        [
            constant("first", 8, 3, 3, 3),
            constant("second", 4, 8, 8, 8),
            constant("mix", 16, 4),
            numpy_helper.from_array(np.array([0, 16], np.int64), "flat"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString(deterministic=True))


def info(name: str, *sizes: int) -> onnx.ValueInfoProto:
    """A float32 value of the graph's edge: the batch, then `sizes`."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH_NAME, *sizes])


def run_on(device: ImmediateDevice, runner: Runner, **inputs: F32) -> dict[str, F32]:
    """The outputs of a runner for host arrays, in memory made for this run."""
    tensors = {
        tensor.name: device.empty(tensor.at(runner.batch), tensor.dtype) for tensor in runner.spec.tensors()
    }
    runner.bind(tensors)
    for name, array in inputs.items():
        tensors[name].array[...] = array
    runner.enqueue(device.stream())
    return {tensor.name: tensors[tensor.name].array for tensor in runner.spec.outputs}
