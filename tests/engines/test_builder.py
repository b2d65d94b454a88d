"""Real plans by the real TensorRT-RTX, without a GPU; and what broken networks are answered."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import helper

from rtfilter.engines.ort.load import onnxruntime
from rtfilter.engines.prepare.files import NETWORKS
from rtfilter.engines.spec import NetworkSpec
from rtfilter.engines.trt.builder import at_batch, build_plan, check_precision, parse_onnx, read_onnx
from rtfilter.engines.trt.flavour import Flavour
from rtfilter.engines.trt.targets import COMMON, PORTABLE
from rtfilter.errors import InputError, UsageError
from tests.engines.small import SMALL, info, small_onnx


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
    model = at_batch(parse_onnx(small_onnx(), SMALL, "small"), 3)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    assert session.get_inputs()[0].shape == [3, 3, 16, 16]
    assert session.get_outputs()[0].shape == [3, 4]


def test_the_precision_is_the_quickest_that_keeps_the_numbers() -> None:
    exact = NetworkSpec(SMALL.name, 1, SMALL.inputs, SMALL.outputs, half=False)
    assert [check_precision(spec, None) for spec in (SMALL, exact)] == ["fp16", "fp32"]
    with pytest.raises(UsageError, match=r"small is computed in 32 bits only.*--precision fp32"):
        check_precision(exact, "fp16")
    with pytest.raises(UsageError, match=r"unknown precision 'fp61'.*did you mean 'fp16'"):
        check_precision(SMALL, "fp61")


@pytest.mark.parametrize("kept", [0, 1, 100, 2_000, -1, -200, -5_000])
def test_a_truncated_network_is_told_by_its_path(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    path.write_bytes(small_onnx()[:kept])
    with pytest.raises(InputError, match=r"small\.onnx.*rtfilter engines prepare") as caught:
        read_onnx(path, SMALL)
    assert "\n" not in str(caught.value)


def test_a_network_that_is_missing_or_another_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.onnx.*No such file.*rtfilter engines prepare"):
        read_onnx(tmp_path / "none.onnx", SMALL)
    path = tmp_path / "small.onnx"
    path.write_bytes(small_onnx())
    assert read_onnx(path, SMALL) == small_onnx()
    with pytest.raises(InputError, match=r"expected the network face_detector with the inputs"):
        read_onnx(path, next(spec for spec in NETWORKS if spec.name == "face_detector"))


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
    spec: NetworkSpec, target: str, rtx: Flavour, onnx_files: dict[str, Path]
) -> None:
    data = read_onnx(onnx_files[spec.name], spec)
    precisions = ["fp16", "fp32"] if spec.half else ["fp32"]
    plans = [build_plan(data, spec, 1, precision, target, rtx) for precision in precisions]
    assert len(set(plans)) == len(plans)
    for plan in plans:
        # Measured with 1.7: 3 to 17 MB. Formulas that are written out for each of their uses made 140 MB.
        assert 1e6 < len(plan) < 40e6


def test_many_faces_at_once(rtx: Flavour, onnx_files: dict[str, Path]) -> None:
    for spec in NETWORKS:
        data = read_onnx(onnx_files[spec.name], spec)
        assert len(build_plan(data, spec, 64, check_precision(spec, None), "sm89", rtx)) > 1e6
