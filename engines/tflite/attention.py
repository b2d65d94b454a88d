"""MediaPipe's own operators, with which the face mesh looks more closely at lips and eyes, in standard ONNX.

    Landmarks2TransformMatrix   landmarks -> where in a feature map a part of the face lies, turned upright
    TransformTensorBilinear     the feature map read there
    TransformLandmarks          landmarks found there -> back into the picture

What they compute (their version 2) is defined by MediaPipe's mediapipe/util/tflite/operations. TFLite hands
a matrix [batch, 4, 4] from one to the other, of which six numbers count. Here it is an *affine* [batch, 3, 2]
that is multiplied from the right: [x, y, 1] @ affine. All of it must stay 32 bits wide.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from rtfilter.engines.tflite.convert import Conversion, Writer
from rtfilter.engines.tflite.operators import STOCK
from rtfilter.engines.tflite.reader import Operator

_MATRIX_SHAPE = (1, 4, 4)
_OUTSIDE = 4.0  # in GridSample's units, where -1..1 is the picture: so far out that only zeros are read


def landmarks_to_affine(at: Conversion, operator: Operator) -> None:
    """A box around some landmarks, upright along the line between two, as an affine from its pixels."""
    _expect_version_2(operator)
    options = operator.options
    graph = at.graph
    points = at.tensor(operator.inputs[0]).shape[1]
    size_px = np.array([options["output_width"], options["output_height"]], dtype=np.float32)
    around = _flat_indices(options["subset_idxs"], points)
    ends = _flat_indices([options["left_rotation_idx"], options["right_rotation_idx"]], points)
    flat = graph.reshape(at.name(operator.inputs[0]), [0, points * 3])

    # upright = R(r), r = target - atan2(dy, dx), without any angle: u = (cos, sin) of the line's own.
    line = graph.add("Gather", [flat, graph.constant(ends, np.int64)], axis=1)  # [B, xy, ends]
    line = graph.add("MatMul", [line, graph.constant([[-1.0], [1.0]])])  # [B, xy, 1]
    length = graph.add("ReduceL2", [line], axes=[1], keepdims=1)
    # A line without length counts as level, as atan2(0, 0) = 0 does.
    no_length = graph.add("Equal", [length, graph.constant(0.0)])
    line = graph.add("Where", [no_length, graph.constant([[[1.0], [0.0]]]), line])
    length = graph.add("Where", [no_length, graph.constant(1.0), length])
    unit = graph.reshape(graph.add("Div", [line, length]), [0, 2])
    upright = graph.reshape(
        graph.add("MatMul", [unit, graph.constant(_turn(options["target_rotation_radians"]))]), [0, 2, 2]
    )

    turned = graph.add("Gather", [flat, graph.constant(around, np.int64)], axis=1)  # [B, xy, n]
    turned = graph.add("MatMul", [upright, turned])
    high = graph.add("ReduceMax", [turned], axes=[2], keepdims=1)  # [B, xy, 1]
    low = graph.add("ReduceMin", [turned], axes=[2], keepdims=1)
    extent = graph.add("Sub", [high, low])
    middle = graph.add("Mul", [graph.add("Add", [high, low]), graph.constant(0.5)])
    scales = np.array([options["scale_x"], options["scale_y"]], dtype=np.float32)
    scale = graph.add("Mul", [extent, graph.constant((scales / size_px).reshape(1, 2, 1))])
    linear = graph.add("Mul", [upright, scale])  # [B, 2, 2]; its transpose turns back and enlarges
    corner = graph.add(
        "Sub", [middle, graph.add("Mul", [scale, graph.constant((size_px / 2).reshape(1, 2, 1))])]
    )
    shift = graph.add(
        "ReduceSum", [graph.add("Mul", [upright, corner]), graph.constant([1], np.int64)], keepdims=1
    )
    at.define(operator.outputs[0], graph.add("Concat", [linear, shift], axis=1))


def _turn(target_rad: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """[2, 4]: (cos a, sin a) @ this is the rotation by target - a, row by row."""
    c, s = math.cos(target_rad), math.sin(target_rad)
    # cos r = c cos a + s sin a;  sin r = s cos a - c sin a;  rows (cos r, -sin r), (sin r, cos r)
    return np.array([[c, -s, s, c], [s, c, -c, s]], dtype=np.float32)


def _flat_indices(landmarks: list[int], count: int) -> list[list[int]]:
    """Where x (first row) and y (second) of these landmarks lie among count * 3 numbers."""
    if not landmarks or not all(0 <= i < count for i in landmarks):
        raise ValueError(f"expected some of {count} landmarks, got {landmarks}")
    return [[3 * i for i in landmarks], [3 * i + 1 for i in landmarks]]


def scale_affine(at: Conversion, operator: Operator) -> None:
    """MUL of a matrix by a constant (from feature pixels to picture pixels); else the stock one."""
    matrix, factor = operator.inputs
    if at.tensor(matrix).shape != _MATRIX_SHAPE or not at.is_constant(factor):
        STOCK["MUL"](at, operator)
        return
    factors = np.broadcast_to(at.array(factor), _MATRIX_SHAPE)[0, :2, (0, 1, 3)]  # [3, 2]
    value = at.graph.add("Mul", [at.name(matrix), at.graph.constant(factors.reshape(1, 3, 2))])
    at.define(operator.outputs[0], value)


def sample(at: Conversion, operator: Operator) -> None:
    """Bilinear reading of a feature map where the affine says; 0 beyond the centres of its outer pixels."""
    _expect_version_2(operator)
    graph = at.graph
    data, matrix = operator.inputs
    rows, columns = operator.options["output_height"], operator.options["output_width"]
    _, height, width, _ = at.tensor(data).shape
    if height < 2 or width < 2:
        raise ValueError(f"a feature map of {width}x{height}")
    y, x = np.mgrid[:rows, :columns] + 0.5
    pixels = np.stack([x, y, np.ones_like(x)], axis=-1).reshape(1, rows * columns, 3)
    place = graph.add("MatMul", [graph.constant(pixels), at.name(matrix)])  # [B, n, xy]
    # Pixel centres lie at integer + 0.5; with align_corners the outer ones are at -1 and 1.
    spans = np.array([width - 1, height - 1], dtype=np.float32)
    place = graph.add("Mul", [place, graph.constant(2 / spans)])
    place = graph.add("Sub", [place, graph.constant(1 + 1 / spans)])
    farthest = graph.add("ReduceMax", [graph.add("Abs", [place])], axes=[2], keepdims=1)
    outside = graph.add("Greater", [farthest, graph.constant(1.0)])
    place = graph.add("Where", [outside, graph.constant(_OUTSIDE), place])
    place = graph.reshape(place, [0, rows, columns, 2])
    value = graph.add(
        "GridSample", [at.name(data), place], mode="bilinear", padding_mode="zeros", align_corners=1
    )
    at.define(operator.outputs[0], value)


def transform_landmarks(at: Conversion, operator: Operator) -> None:
    """Landmarks [B, n, 2] through the affine. (Three axes, which the operator knows too, do not occur.)"""
    _expect_version_2(operator)
    points, matrix = operator.inputs
    if at.tensor(points).shape[2] != 2 or operator.options.get("dimensions", 2) != 2:
        raise ValueError(f"expected landmarks of x and y, got the shape {at.tensor(points).shape}")
    graph = at.graph
    linear = graph.slice(at.name(matrix), 1, 0, 2)
    shift = graph.slice(at.name(matrix), 1, 2, 3)
    value = graph.add("Add", [graph.add("MatMul", [at.name(points), linear]), shift])
    at.define(operator.outputs[0], value)


def _expect_version_2(operator: Operator) -> None:
    if operator.version != 2:
        raise ValueError(f"expected its version 2, got {operator.version}")


WRITERS: Mapping[str, Writer] = {
    **STOCK,
    "Landmarks2TransformMatrix": landmarks_to_affine,
    "MUL": scale_affine,
    "TransformLandmarks": transform_landmarks,
    "TransformTensorBilinear": sample,
}
