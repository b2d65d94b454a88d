"""Tiny ONNX networks that answer with known numbers, and faces whose landmarks are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rtfilter.face import landmarks as lm

FLOAT, UINT8 = TensorProto.FLOAT, TensorProto.UINT8
Shape = Sequence[int | str]


def save(
    path: Path,
    inputs: dict[str, tuple[int, Shape]],
    outputs: dict[str, Shape],
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
) -> Path:
    """Write a network; inputs are (type, shape) by name."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, kind, list(shape)) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, list(shape)) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path


def linear(path: Path, shape: Shape, weights: np.ndarray, softmax: bool = False, kind: int = FLOAT) -> Path:
    """Outputs [1, n] = flattened input times weights [values, n]; through a softmax where asked."""
    nodes = [
        helper.make_node("Cast", ["picture"], ["float"], to=FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["product"]),
        helper.make_node("Softmax" if softmax else "Identity", ["product"], ["answer"]),
    ]
    constants = {"weights": weights.astype(np.float32)}
    return save(path, {"picture": (kind, shape)}, {"answer": [1, weights.shape[1]]}, nodes, constants)


def brightness(path: Path, shape: Shape, gains: Sequence[float], **options: object) -> Path:
    """Outputs: the picture's mean value times each of `gains`."""
    count = int(np.prod([size for size in shape[1:] if isinstance(size, int)]))
    return linear(path, shape, np.tile(np.array(gains) / count, (count, 1)), **options)  # type: ignore[arg-type]


def face_points(
    size_px: float = 80.0, centre: tuple[float, float] = (160.0, 100.0), roll_deg: float = 0.0
) -> np.ndarray:
    """Landmarks [478, 3] of a plain face: IOD `size_px`, `centre` between the eyes, turned about it."""
    flat = {
        lm.EYE_OUTER_RIGHT: (-0.5, 0.0),
        lm.EYE_RIGHT_CORNERS[1]: (-0.18, 0.0),
        lm.EYE_OUTER_LEFT: (0.5, 0.0),
        lm.EYE_LEFT_CORNERS[1]: (0.18, 0.0),
        lm.NOSE_TIP: (0.0, 0.45),
        2: (0.0, 0.55),
        lm.MOUTH_CORNER_RIGHT: (-0.3, 0.8),
        lm.MOUTH_CORNER_LEFT: (0.3, 0.8),
    }
    turn = np.deg2rad(roll_deg)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = np.zeros((lm.LANDMARK_COUNT, 3), np.float32)
    points[:, :2] = centre
    for index, place in flat.items():
        points[index, :2] = rotation @ np.array(place) * size_px + centre
    return points


def plain(value: int | Sequence[int], height: int = 200, width: int = 320) -> np.ndarray:
    """A picture of one colour, uint8 [H, W, 3]."""
    return np.full((height, width, 3), value, np.uint8)
