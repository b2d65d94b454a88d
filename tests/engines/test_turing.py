"""Matrix products written as something else: the same numbers, and nothing that Turing refuses."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rtfilter.engines.expression.layout import EXPRESSION, TARGET
from rtfilter.engines.networks import LANDMARKS
from rtfilter.engines.onnx.graph import at_batch
from rtfilter.engines.onnx.turing import without_matmul
from rtfilter.engines.ort.load import onnxruntime
from rtfilter.engines.prepare.files import NETWORKS
from rtfilter.engines.spec import NetworkSpec
from rtfilter.engines.trt.builder import build_plan
from rtfilter.engines.trt.flavour import Flavour
from rtfilter.errors import InputError
from rtfilter.face.model import MorphableModel
from tests.engines.small import SMALL, small_onnx


def product(left: list[int], right: list[int], constant: bool) -> onnx.ModelProto:
    values = [helper.make_tensor_value_info("a", TensorProto.FLOAT, left)]
    constants = []
    if constant:
        array = np.random.default_rng(1).normal(size=right).astype(np.float32)
        constants.append(numpy_helper.from_array(array, "b"))
    else:
        values.append(helper.make_tensor_value_info("b", TensorProto.FLOAT, right))
    shape = [*np.broadcast_shapes(left[:-2], right[:-2]), left[-2], right[-1]]
    out = helper.make_tensor_value_info("c", TensorProto.FLOAT, shape)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"], name="mm")], "g", values, [out], constants
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    ("left", "right", "constant"),
    [
        ([1, 52], [52, 86], True),
        ([5, 1434], [1434, 8], True),
        ([2, 3, 52], [52, 30], True),
        ([3, 4, 4], [3, 4, 4], False),
        ([1, 1, 478], [1, 478, 6], False),
        ([2, 6, 478], [2, 478, 3], False),
        ([1, 256, 3], [2, 3, 2], False),
    ],
)
def test_a_product_is_the_same(left: list[int], right: list[int], constant: bool) -> None:
    model = product(left, right, constant)
    changed = without_matmul(model)
    onnx.checker.check_model(changed, full_check=True)
    assert "MatMul" not in {node.op_type for node in changed.graph.node}
    rng = np.random.default_rng(0)
    feeds = {value.name: rng.normal(size=shape).astype(np.float32)
             for value, shape in zip(model.graph.input, (left, right), strict=False)}  # fmt: skip
    wanted, came = (run(each, feeds)[0] for each in (model, changed))
    assert came.shape == wanted.shape
    # Sums of up to 1434 products of unit size, in another order: 2e-5 at most, measured.
    np.testing.assert_allclose(came, wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("left", [[1, 4], [700, 800]])
def test_what_cannot_be_written_out_is_told(left: list[int]) -> None:
    model = product(left, [left[1], 900], constant=False)
    if left[0] == 1:
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "unknown"
    with pytest.raises(InputError, match=r"mm: .*(too large to be written out|of known size)"):
        without_matmul(model)


@pytest.mark.parametrize("spec", NETWORKS, ids=lambda spec: spec.name)
def test_real_networks_keep_their_numbers(spec: NetworkSpec, onnx_files: dict[str, bytes]) -> None:
    model = at_batch(onnx_files[spec.name], 2)
    rng = np.random.default_rng(2)
    feeds = {tensor.name: rng.uniform(0, 1, tensor.at(2)).astype(np.float32) for tensor in spec.inputs}
    if spec == EXPRESSION:
        noise = rng.normal(0, 2, (2, LANDMARKS, 3))
        points_px = 200 * MorphableModel.builtin().mean_iod.reshape(LANDMARKS, 3) + 600 + noise
        feeds.update(points_px=points_px.astype(np.float32), present=np.ones(2, np.float32))
        for side in ("width_px", "height_px"):
            TARGET.of(feeds["target"], side)[:] = 1200
    for wanted, came in zip(run(model, feeds), run(without_matmul(model), feeds), strict=True):
        assert np.abs(wanted).max() > 0
        # Relative to the largest number of the output; 3e-7 at most, measured.
        assert np.abs(came - wanted).max() <= 1e-5 * max(1.0, float(np.abs(wanted).max()))


def test_turing_needs_it(rtx: Flavour, monkeypatch: pytest.MonkeyPatch) -> None:
    # When a release takes 32-bit products on Turing, this fails, and the module can go.
    assert build_plan(small_onnx(), SMALL, 1, "fp32", "sm75", rtx)
    monkeypatch.setattr("rtfilter.engines.onnx.turing.TARGET", "none")
    with pytest.raises(Exception, match="FP32 GEMM is not supported"):
        build_plan(small_onnx(), SMALL, 1, "fp32", "sm75", rtx)


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, feeds)
