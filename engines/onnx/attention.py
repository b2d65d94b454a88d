"""MediaPipe's own operators, which crop lips and eyes to refine them, in standard ONNX.

    Landmarks2TransformMatrix   landmarks -> where in a feature map a part of the face lies, turned upright
    TransformTensorBilinear     the feature map read there
    TransformLandmarks          landmarks found there -> back into the picture

What they compute (their version 2) is defined by MediaPipe's mediapipe/util/tflite/operations. TFLite passes
a matrix [batch, 4, 4] from one to the other, of which six numbers count. Here all lanes' are one value of
*affines* [batch, lanes, 3, 2] that are multiplied from the right: [x, y, 1] @ affine. All of it must stay 32
bits wide.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from rtfilter.engines.onnx import operators, shapes
from rtfilter.engines.onnx.convert import Conversion, Writer
from rtfilter.engines.onnx.groups import Group

_MATRIX_SHAPE = (1, 4, 4)


def landmarks_to_affines(at: Conversion, group: Group) -> None:
    """A box around some landmarks, upright along the line between two, as an affine from its pixels."""
    landmarks, options = group[0].inputs[0], group[0].options
    if any(operator.inputs[0] != landmarks or operator.version != 2 for operator in group):
        raise ValueError("expected version 2, and the same landmarks in all lanes")
    graph, lanes, count = at.graph, len(group), at.tensor(landmarks).shape[1]
    flat = graph.reshape(at.name(landmarks), [0, count * 3])
    ends = [[i.options["left_rotation_idx"], i.options["right_rotation_idx"]] for i in group]
    upright = _upright(at, _chosen(at, flat, ends, count), lanes, options["target_rotation_radians"])

    around = _chosen(at, flat, [i.options["subset_idxs"] for i in group], count)
    turned = graph.add("MatMul", [upright, around])
    high = graph.add("ReduceMax", [turned], axes=[3], keepdims=1)  # [B, lanes, xy, 1]
    low = graph.add("ReduceMin", [turned], axes=[3], keepdims=1)
    middle = graph.add("Mul", [graph.add("Add", [high, low]), graph.constant(0.5)])
    size_px = np.array([[options["output_width"]], [options["output_height"]]], dtype=np.float32)
    enlarged = np.array([[options["scale_x"]], [options["scale_y"]]], dtype=np.float32)
    scale = graph.add("Mul", [graph.add("Sub", [high, low]), graph.constant(enlarged / size_px)])
    corner = graph.add("Sub", [middle, graph.add("Mul", [scale, graph.constant(size_px / 2)])])

    # Turning back is the transposed matrix, which multiplies rows from the right as it stands.
    linear = graph.add("Mul", [upright, scale])
    shift = graph.add(
        "ReduceSum", [graph.add("Mul", [upright, corner]), graph.constant([2], np.int64)], keepdims=1
    )
    at.output(group, graph.add("Concat", [linear, shift], axis=2))


def _chosen(at: Conversion, flat: str, lanes: Sequence[Sequence[int]], count: int) -> str:
    """[B, lanes, xy, n] out of `count` landmarks laid flat; a shorter lane repeats its first one."""
    if not all(lane and all(0 <= i < count for i in lane) for lane in lanes):
        raise ValueError(f"expected some of {count} landmarks in each lane, got {lanes}")
    longest = max(len(lane) for lane in lanes)
    whole = np.array([[*lane, *[lane[0]] * (longest - len(lane))] for lane in lanes])
    places = np.stack([3 * whole, 3 * whole + 1], axis=1)
    return at.graph.add("Gather", [flat, at.graph.constant(places, np.int64)], axis=1)


def _upright(at: Conversion, ends: str, lanes: int, target_rad: float) -> str:
    """[B, lanes, 2, 2]: the rotation that brings the line from the left to the right end to `target_rad`."""
    graph = at.graph
    line = graph.add("MatMul", [ends, graph.constant([[-1.0], [1.0]])])  # [B, lanes, xy, 1]
    length = graph.add("ReduceL2", [line], axes=[2], keepdims=1)
    # A line without length counts as level, as atan2(0, 0) = 0 does.
    no_length = graph.add("Equal", [length, graph.constant(0.0)])
    line = graph.add("Where", [no_length, graph.constant([[1.0], [0.0]]), line])
    length = graph.add("Where", [no_length, graph.constant(1.0), length])
    cos_sin = graph.reshape(graph.add("Div", [line, length]), [0, lanes, 1, 2])
    # By target - a: cos = c cos a + s sin a, sin = s cos a - c sin a, in rows (cos, -sin), (sin, cos).
    c, s = math.cos(target_rad), math.sin(target_rad)
    turned = graph.add("MatMul", [cos_sin, graph.constant([[c, -s, s, c], [s, c, -c, s]])])
    return graph.reshape(turned, [0, lanes, 2, 2])


def samples(at: Conversion, group: Group) -> None:
    """Bilinear reading of a feature map where the affines say; 0 beyond the centres of its outer pixels."""
    data, options = group[0].inputs[0], group[0].options
    if any(operator.inputs[0] != data or operator.version != 2 for operator in group):
        raise ValueError("expected version 2, and the same feature map in all lanes")
    rows, columns = options["output_height"], options["output_width"]
    _, height, width, channels = at.tensor(data).shape
    if height < 2 or width < 2:
        raise ValueError(f"a feature map of {width}x{height}")
    graph = at.graph
    y, x = np.mgrid[:rows, :columns] + 0.5
    pixels = np.stack([x, y, np.ones_like(x)], axis=-1).reshape(1, 1, rows * columns, 3)
    # Pixel centres lie at integer + 0.5 on both sides; reading counts them from 0.
    places = graph.add("MatMul", [graph.constant(pixels), at.input(group, 1)[0]])
    places = graph.add("Sub", [places, graph.constant(0.5)])
    value = at.style.sample(graph, at.name(data), (channels, height, width), places, len(group))
    at.output(group, graph.reshape(value, [0, len(group) * channels, rows, columns]), channels)


def transform_landmarks(at: Conversion, group: Group) -> None:
    """Landmarks of x and y through the affines. (Landmarks with z do not occur.)"""
    points = [operator.inputs[0] for operator in group]
    if any(at.tensor(i).shape[2] != 2 for i in points) or any(operator.version != 2 for operator in group):
        raise ValueError(
            f"expected version 2, and landmarks [1, n, 2], got {[at.tensor(i).shape for i in points]}"
        )
    graph = at.graph
    value, width = at.input(group, 0)
    if len(group) == 1:
        value = graph.reshape(value, [0, 1, -1, 2])
    affines = at.input(group, 1)[0]
    value = graph.add("MatMul", [value, graph.slice(affines, 2, 0, 2)])
    value = graph.add("Add", [value, graph.slice(affines, 2, 2, 3)])
    at.output(group, value if len(group) > 1 else graph.reshape(value, [0, -1, 2]), width)


def _multiplication(at: Conversion, group: Group) -> None:
    """MUL of values; or of matrices by constants, from the feature map's pixels to the picture's."""
    if at.tensor(group[0].inputs[0]).shape != _MATRIX_SHAPE:
        operators.WRITERS["MUL"](at, group)
        return
    factors = [np.broadcast_to(at.array(operator.inputs[1]), _MATRIX_SHAPE)[0] for operator in group]
    # The six numbers of [4, 4] that count, as [3, 2].
    affines = np.stack([factor[:2, [0, 1, 3]].T for factor in factors])
    affine, _ = at.input(group, 0)
    at.output(group, at.graph.add("Mul", [affine, at.graph.constant(affines)]))


WRITERS: Mapping[str, Writer] = {
    **operators.WRITERS,
    **shapes.WRITERS,
    "Landmarks2TransformMatrix": landmarks_to_affines,
    "MUL": _multiplication,
    "TransformLandmarks": transform_landmarks,
    "TransformTensorBilinear": samples,
}
