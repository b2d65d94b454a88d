"""16 bits: where, and what it costs.

ONNX Runtime has no 16-bit arithmetic on an x86 processor and quietly computes in 32, so each value that would
be stored in 16 bits is rounded to 11 significant ones by arithmetic here.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
from rtfilter.engines.onnx.graph import at_batch
from rtfilter.engines.onnx.half import half_nodes, to_half
from rtfilter.engines.ort.load import onnxruntime
from rtfilter.engines.spec import NetworkSpec
from tests.engines.small import small_onnx

F32 = npt.NDArray[np.float32]
OUTER_EYE_CORNERS = (33, 263)
_SPLIT = 2.0**13 + 1  # leaves 24 - 13 = 11 bits (Veltkamp, Dekker)


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def rounded(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` in float32, with every value and weight rounded that `to_half` stores in 16 bits."""
    half, copy = half_nodes(model.graph), onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.node[:]
    constants = {array.name: numpy_helper.to_array(array) for array in model.graph.initializer}
    copy.graph.initializer.append(numpy_helper.from_array(np.float32(_SPLIT), "split"))
    renamed: dict[str, str] = {}

    def round_value(name: str) -> str:
        if name not in renamed:
            large, rest, near = (f"{name}_{part}" for part in ("large", "rest", "near"))
            copy.graph.node.extend(
                [
                    helper.make_node("Mul", [name, "split"], [large]),
                    helper.make_node("Sub", [large, name], [rest]),
                    helper.make_node("Sub", [large, rest], [near]),
                ]
            )
            renamed[name] = near
        return renamed[name]

    for node in model.graph.node:
        changed = onnx.NodeProto()
        changed.CopyFrom(node)
        for index, name in enumerate(node.input):
            if node.name not in half:
                changed.input[index] = renamed.get(name, name)
            elif name not in constants:
                changed.input[index] = round_value(name)
            elif constants[name].dtype == np.float32:
                near = f"{name}_near"
                if not any(array.name == near for array in copy.graph.initializer):
                    array = constants[name].astype(np.float16).astype(np.float32)
                    copy.graph.initializer.append(numpy_helper.from_array(array, near))
                changed.input[index] = near
        copy.graph.node.append(changed)
        if node.name in half:
            round_value(node.output[0])
    return copy


def network(spec: NetworkSpec, onnx_files: dict[str, bytes], batch: int = 1) -> onnx.ModelProto:
    return at_batch(onnx_files[spec.name], batch)


def test_the_rounding_of_this_test_is_that_of_float16() -> None:
    values = np.random.default_rng(0).normal(0, 100, 10_000).astype(np.float32)
    large = values * np.float32(_SPLIT)
    near = large - (large - values)
    np.testing.assert_array_equal(near, values.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("spec", [FACE_DETECTOR, FACE_MESH], ids=lambda spec: spec.name)
def test_features_are_halved_and_edges_and_geometry_are_not(
    spec: NetworkSpec, onnx_files: dict[str, bytes]
) -> None:
    model = network(spec, onnx_files)
    changed = to_half(model)
    onnx.checker.check_model(changed, full_check=True)
    kinds = {value.name: value.type.tensor_type.elem_type
             for value in onnx.shape_inference.infer_shapes(changed).graph.value_info}  # fmt: skip
    for value in (*changed.graph.input, *changed.graph.output):
        assert value.type.tensor_type.elem_type == TensorProto.FLOAT
    convolutions = [node for node in changed.graph.node if node.op_type == "Conv"]
    halved = [node for node in convolutions if kinds[node.output[0]] == TensorProto.FLOAT16]
    assert len(halved) > 0.85 * len(convolutions)
    assert len(changed.SerializeToString()) < 0.75 * len(model.SerializeToString())
    for node in changed.graph.node:
        if node.op_type in {"GridSample", "MatMul", "Div", "ReduceMax", "Sigmoid", "Where"}:
            assert kinds.get(node.output[0], TensorProto.FLOAT) == TensorProto.FLOAT, node.name
    # The heads: no convolution follows, so what they give are coordinates and scores.
    users = {name for node in changed.graph.node for name in node.input}
    assert all(output.name not in users for output in changed.graph.output)


def test_a_weight_that_16_bits_cannot_hold_stays() -> None:
    model = at_batch(small_onnx(), 1)
    assert half_nodes(model.graph) == {"conv_0", "relu_0"}
    model = at_batch(small_onnx(scale=1e6), 1)
    assert half_nodes(model.graph) == {"relu_0"}


def test_the_changed_network_is_the_same_network(onnx_files: dict[str, bytes]) -> None:
    """With ONNX Runtime's 32-bit arithmetic: nothing was connected wrongly."""
    for spec in (FACE_DETECTOR, FACE_MESH):
        model = network(spec, onnx_files, 2)
        pixels = np.random.default_rng(0).uniform(0, 1, spec.inputs[0].at(2)).astype(np.float32)
        for wanted, came in zip(
            session(model).run(None, {"pixels": pixels}),
            session(to_half(model)).run(None, {"pixels": pixels}),
            strict=True,
        ):
            # The weights come in 16 bits anyway; 5e-5 of 159, measured.
            np.testing.assert_allclose(came, wanted, rtol=0, atol=1e-3)


def squares(shared: Path) -> list[F32]:
    """Square pictures of real faces, [1, 3, 192, 192], 0..1: five of every clip."""
    found = []
    for path in sorted((shared / "footage").glob("*.mp4")):
        capture = cv2.VideoCapture(str(path))
        for index in range(33):
            there, picture = capture.read()
            if there and index % 8 == 0:
                height, width = picture.shape[:2]
                side = min(height, width)
                y, x = (height - side) // 2, (width - side) // 2
                square = cv2.resize(picture[y : y + side, x : x + side, ::-1], (192, 192))
                found.append(np.ascontiguousarray(square.transpose(2, 0, 1)[None].astype(np.float32) / 255))
        capture.release()
    return found


def test_landmarks_keep_their_places(shared: Path, onnx_files: dict[str, bytes]) -> None:
    model = network(FACE_MESH, onnx_files)
    exact, half = session(model), session(rounded(model))
    deviations, presences = [], []
    for pixels in squares(shared):
        (wanted, presence), (came, half_presence) = (
            each.run(None, {"pixels": pixels}) for each in (exact, half)
        )
        presences.append(abs(float(presence[0] - half_presence[0])))
        if presence[0] > 0.9:
            iod = np.linalg.norm(np.subtract(*(wanted[0, i, :2] for i in OUTER_EYE_CORNERS)))
            deviations.append(np.linalg.norm(came[0] - wanted[0], axis=1)[:, None] / iod)
    assert len(deviations) >= 20
    # Measured on 32 pictures: 0.012 % on average, 0.05 % at most, of one inter-ocular distance.
    assert np.mean(deviations) < 0.0005
    assert np.max(deviations) < 0.002
    assert max(presences) < 0.02  # measured: 0.002


def test_no_feature_comes_near_the_largest_number_of_16_bits(
    shared: Path, onnx_files: dict[str, bytes]
) -> None:
    model = network(FACE_MESH, onnx_files)
    half = half_nodes(model.graph)
    values = {value.name: value for value in onnx.shape_inference.infer_shapes(model).graph.value_info}
    names = {name for node in model.graph.node if node.name in half for name in node.output}
    model.graph.output.extend(values[name] for name in sorted(names))
    every = session(model)
    pictures = squares(shared)[::5]
    largest = max(
        float(np.abs(value).max())
        for pixels in [*pictures, np.zeros_like(pictures[0]), np.ones_like(pictures[0])]
        for value in every.run(None, {"pixels": pixels})[2:]
    )
    assert largest < 1000  # measured: 206; float16 goes to 65504
