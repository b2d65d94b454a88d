"""Real plans by the real TensorRT-RTX, without a GPU; and what it does not understand."""

from __future__ import annotations

import onnx
import pytest
from onnx import helper

from rtfilter.engines.onnx.graph import at_batch
from rtfilter.engines.ort.load import onnxruntime
from rtfilter.engines.prepare.files import NETWORKS
from rtfilter.engines.spec import NetworkSpec
from rtfilter.engines.trt.builder import build_plan
from rtfilter.engines.trt.flavour import PORTABLE, Flavour
from rtfilter.engines.trt.plans import precision_for
from rtfilter.errors import InputError, UsageError
from tests.engines.small import COMMON, SMALL, info, small_onnx


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_every_gpu_has_a_plan_of_its_own(precision: str, rtx: Flavour) -> None:
    targets = [*COMMON, "sm80", PORTABLE]
    plans = {build_plan(small_onnx(), SMALL, 1, precision, target, rtx) for target in targets}
    assert len(plans) == len(targets)
    weights_bytes = 4 * (8 * 27 + 4 * 512 + 16 * 4) // (2 if precision == "fp16" else 1)
    assert min(map(len, plans)) > weights_bytes


def test_batches_are_built_apart_and_within_limits(rtx: Flavour) -> None:
    plans = {build_plan(small_onnx(), SMALL, batch, "fp32", "sm89", rtx) for batch in (1, 2, 64)}
    assert len(plans) == 3
    for batch in (0, 257):
        with pytest.raises(UsageError, match=r"batch: expected 1\.\.256"):
            build_plan(small_onnx(), SMALL, batch, "fp32", "sm89", rtx)


def test_the_batch_of_a_network_is_fixed_all_the_way() -> None:
    model = at_batch(small_onnx(), 3)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    assert session.get_inputs()[0].shape == [3, 3, 16, 16]
    assert session.get_outputs()[0].shape == [3, 4]


def test_the_precision_is_the_quickest_that_keeps_the_numbers() -> None:
    exact = NetworkSpec(SMALL.name, 1, SMALL.inputs, SMALL.outputs, half=False)
    assert [precision_for(spec, None) for spec in (SMALL, exact)] == ["fp16", "fp32"]
    with pytest.raises(UsageError, match=r"small is computed in 32 bits only.*--precision fp32"):
        precision_for(exact, "fp16")
    with pytest.raises(UsageError, match=r"unknown precision 'fp61'.*did you mean 'fp16'"):
        precision_for(SMALL, "fp61")


def test_what_tensorrt_does_not_understand_is_named(rtx: Flavour) -> None:
    node = helper.make_node("Det", ["x"], ["y"], name="the_determinant")
    graph = helper.make_graph([node], "odd", [info("x", 3, 3)], [info("y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    x, y = SMALL.inputs[0], SMALL.outputs[0]
    odd = NetworkSpec(
        "odd", 1, (type(x)("x", (None, 3, 3), "any"),), (type(y)("y", (None,), "any"),), half=False
    )
    with pytest.raises(
        InputError, match=r"does not understand odd.*the_determinant|does not understand odd.*Det"
    ):
        build_plan(model.SerializeToString(), odd, 1, "fp32", "sm89", rtx)


@pytest.mark.parametrize("target", COMMON)
@pytest.mark.parametrize("spec", NETWORKS, ids=lambda spec: spec.name)
def test_every_network_has_a_plan_for_every_gpu_in_every_precision_that_it_may_have(
    spec: NetworkSpec, target: str, rtx: Flavour, onnx_files: dict[str, bytes]
) -> None:
    data = onnx_files[spec.name]
    precisions = ["fp16", "fp32"] if spec.half else ["fp32"]
    plans = [build_plan(data, spec, 1, precision, target, rtx) for precision in precisions]
    assert len(set(plans)) == len(plans)
    for plan in plans:
        # Measured with 1.7: 3 to 17 MB. Formulas that are written out for each of their uses made 140 MB.
        assert 1e6 < len(plan) < 40e6


def test_many_faces_at_once(rtx: Flavour, onnx_files: dict[str, bytes]) -> None:
    for spec in NETWORKS:
        data = onnx_files[spec.name]
        assert len(build_plan(data, spec, 64, precision_for(spec, None), "sm89", rtx)) > 1e6
