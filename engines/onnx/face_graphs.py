"""The face networks as ONNX files, made of MediaPipe's TFLite models.

Called by `engines.prepare.files`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH, LANDMARKS
from rtfilter.engines.onnx.attention import WRITERS
from rtfilter.engines.onnx.convert import Lane, convert
from rtfilter.engines.onnx.graph import OnnxGraph
from rtfilter.engines.onnx.reader import Model, read_model
from rtfilter.engines.onnx.style import Plain, Style
from rtfilter.engines.spec import NetworkSpec
from rtfilter.errors import InputError

_COMMENT = "Converted by rtfilter from MediaPipe's {name} (Apache-2.0, copyright The MediaPipe Authors)."

# The landmarks of the mesh that the closer looks at lips, eyes and irises replace: the tables of MediaPipe's
# graph tensors_to_face_landmarks_with_attention (Apache-2.0).
MESH_LANDMARKS = 468

# In the order of each network's own points: lower contour, then upper, from the inside out.
LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
    76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408,
    62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292, 183, 42, 41, 38, 12, 268, 271, 272, 407,
)  # fmt: skip
LEFT_EYE = (
    33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173,
    130, 25, 110, 24, 23, 22, 26, 112, 243, 247, 30, 29, 27, 28, 56, 190,
    226, 31, 228, 229, 230, 231, 232, 233, 244, 113, 225, 224, 223, 222, 221, 189,
    35, 124, 46, 53, 52, 65,
    143, 111, 117, 118, 119, 120, 121, 128, 245, 156, 70, 63, 105, 66, 107, 55, 193,
)  # fmt: skip
RIGHT_EYE = (
    263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398,
    359, 255, 339, 254, 253, 252, 256, 341, 463, 467, 260, 259, 257, 258, 286, 414,
    446, 261, 448, 449, 450, 451, 452, 453, 464, 342, 445, 444, 443, 442, 441, 413,
    265, 353, 276, 283, 282, 295,
    372, 340, 346, 347, 348, 349, 350, 357, 465, 383, 300, 293, 334, 296, 336, 285, 417,
)  # fmt: skip
# Centre, then right, top, left and bottom of the rim.
LEFT_IRIS = (468, 469, 470, 471, 472)
RIGHT_IRIS = (473, 474, 475, 476, 477)

# The eye's rim, whose mean depth its iris takes: left, right.
IRIS_DEPTHS = (LEFT_EYE[:16], RIGHT_EYE[:16])


PARTS = {
    "lips": LIPS,
    "left_eye": LEFT_EYE,
    "right_eye": RIGHT_EYE,
    "left_iris": LEFT_IRIS,
    "right_iris": RIGHT_IRIS,
}


def face_detector(tflite: bytes, name: str, style: Style | None = None) -> bytes:
    """FACE_DETECTOR from face_detection_short_range.tflite. InputError for any other model."""
    model = read_model(tflite, name)
    _expect_outputs(model, name, ("regressors", "classificators"))
    graph = OnnxGraph()
    boxes, scores = convert(model, graph, ["pixels"], WRITERS, style or Plain())
    graph.add("Identity", [boxes.value], "boxes")
    graph.reshape(scores.value, [0, model.tensors[model.outputs[1]].shape[1]], "scores")
    return _finished(graph, FACE_DETECTOR, name)


def face_mesh(tflite: bytes, name: str, style: Style | None = None) -> bytes:
    """FACE_MESH from face_landmark_with_attention.tflite. InputError for any other model.

    Lips, eyes and irises replace those of the mesh, as in MediaPipe's LandmarksRefinementCalculator: x and y
    of the last source that has the landmark; z of the mesh, for an iris the mean around its eye.
    """
    model = read_model(tflite, name)
    outputs = ("output_mesh_identity", *(f"output_{part}" for part in PARTS), "conv_faceflag")
    _expect_outputs(model, name, outputs)
    graph = OnnxGraph()
    mesh, *parts, flag = convert(model, graph, ["pixels"], WRITERS, style or Plain())

    points = graph.reshape(mesh.value, [0, MESH_LANDMARKS, 3])
    z = graph.slice(points, 2, 2, 3)
    all_xy, starts = _joined(graph, graph.slice(points, 2, 0, 2), parts)
    xy = graph.add("Gather", [all_xy, graph.constant(_sources(starts), np.int64)], axis=1)

    depths = [z]
    for around in IRIS_DEPTHS:
        rim = graph.add("Gather", [z, graph.constant(around, np.int64)], axis=1)
        depths.append(graph.add("ReduceMean", [rim], axes=[1], keepdims=1))
    own = [*range(MESH_LANDMARKS), *(MESH_LANDMARKS + i // 5 for i in range(LANDMARKS - MESH_LANDMARKS))]
    all_z = graph.add("Concat", depths, axis=1)
    z = graph.add("Gather", [all_z, graph.constant(own, np.int64)], axis=1)

    graph.add("Concat", [xy, z], "landmarks", axis=2)
    graph.add("Sigmoid", [graph.reshape(flag.value, [-1])], "presence")
    return _finished(graph, FACE_MESH, name)


def _sources(starts: Sequence[int]) -> list[int]:
    """For each of the 478 landmarks, its place among the points of the mesh and then of the parts.

    starts: where the points of each part begin. The last part that has a landmark wins.
    """
    place = {landmark: landmark for landmark in range(MESH_LANDMARKS)}
    for start, landmarks in zip(starts, PARTS.values(), strict=True):
        place.update((landmark, start + i) for i, landmark in enumerate(landmarks))
    return [place[landmark] for landmark in range(len(place))]


def _joined(graph: OnnxGraph, mesh_xy: str, parts: Sequence[Lane]) -> tuple[str, list[int]]:
    """The mesh's points and those of all parts, end to end [B, n, 2]; where each part begins."""
    values, starts = [mesh_xy], []
    end, begin_of = MESH_LANDMARKS, dict[str, int]()
    for part, landmarks in zip(parts, PARTS.values(), strict=True):
        if part.value not in begin_of:
            begin_of[part.value] = end
            values.append(graph.reshape(part.value, [0, -1, 2]))
            end += part.count * (part.width or len(landmarks))
        starts.append(begin_of[part.value] + part.number * part.width)
    return graph.add("Concat", values, axis=1), starts


def _finished(graph: OnnxGraph, spec: NetworkSpec, name: str) -> bytes:
    try:
        return graph.finish(spec, _COMMENT.format(name=name))
    except Exception as error:  # ONNX's own types share no other base
        message = " ".join(str(error).split())[:200]
        raise InputError(f"{name}: the model's operators do not fit each other: {message}") from error


def _expect_outputs(model: Model, name: str, wanted: tuple[str, ...]) -> None:
    came = tuple(model.tensors[i].name for i in model.outputs)
    if came != wanted or len(model.inputs) != 1:
        raise InputError(
            f"{name}: expected a model with the outputs {', '.join(wanted)}, got {', '.join(came)}"
        )
