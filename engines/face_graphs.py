"""The face networks as ONNX files, out of MediaPipe's TFLite models."""

from __future__ import annotations

import numpy as np

from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH, LANDMARKS
from rtfilter.engines.onnx_graph import OnnxGraph
from rtfilter.engines.refinement import IRIS_DEPTHS, MESH_LANDMARKS, SOURCES
from rtfilter.engines.tflite.attention import WRITERS
from rtfilter.engines.tflite.convert import convert
from rtfilter.engines.tflite.operators import STOCK
from rtfilter.engines.tflite.reader import Model, read_model
from rtfilter.errors import InputError

_COMMENT = "Converted by rtfilter from MediaPipe's {name} (Apache-2.0, copyright The MediaPipe Authors)."


def face_detector(tflite: bytes, name: str) -> bytes:
    """FACE_DETECTOR from face_detection_short_range.tflite. InputError for any other model."""
    model = read_model(tflite, name)
    _expect_outputs(model, name, ("regressors", "classificators"))
    graph = OnnxGraph()
    boxes, scores = convert(model, graph, ["pixels"], STOCK)
    graph.add("Identity", [boxes], "boxes")
    graph.reshape(scores, [0, model.tensors[model.outputs[1]].shape[1]], "scores")
    return graph.finish(FACE_DETECTOR, _COMMENT.format(name=name))


def face_mesh(tflite: bytes, name: str) -> bytes:
    """FACE_MESH from face_landmark_with_attention.tflite. InputError for any other model.

    Lips, eyes and irises replace what the mesh says of them, as in MediaPipe's LandmarksRefinementCalculator:
    x and y of the last source that has the landmark; z of the mesh, the irises' as the mean around their eye.
    """
    model = read_model(tflite, name)
    parts = ("lips", "left_eye", "right_eye", "left_iris", "right_iris")
    _expect_outputs(
        model, name, ("output_mesh_identity", *(f"output_{part}" for part in parts), "conv_faceflag")
    )
    graph = OnnxGraph()
    mesh, *refined, flag = convert(model, graph, ["pixels"], WRITERS)

    mesh = graph.reshape(mesh, [0, MESH_LANDMARKS, 3])
    mesh_xy, mesh_z = graph.slice(mesh, 2, 0, 2), graph.slice(mesh, 2, 2, 3)
    points = [graph.reshape(part, [0, -1, 2]) for part in refined]
    all_xy = graph.add("Concat", [mesh_xy, *points], axis=1)
    xy = graph.add("Gather", [all_xy, graph.constant(SOURCES, np.int64)], axis=1)

    depths = [mesh_z]
    for around in IRIS_DEPTHS:
        rim = graph.add("Gather", [mesh_z, graph.constant(around, np.int64)], axis=1)
        depths.append(graph.add("ReduceMean", [rim], axes=[1], keepdims=1))
    z = graph.add("Concat", depths, axis=1)
    own = [*range(MESH_LANDMARKS), *(MESH_LANDMARKS + i // 5 for i in range(LANDMARKS - MESH_LANDMARKS))]
    z = graph.add("Gather", [z, graph.constant(own, np.int64)], axis=1)

    graph.add("Concat", [xy, z], "landmarks", axis=2)
    graph.add("Sigmoid", [graph.reshape(flag, [-1])], "presence")
    return graph.finish(FACE_MESH, _COMMENT.format(name=name))


def _expect_outputs(model: Model, name: str, wanted: tuple[str, ...]) -> None:
    came = tuple(model.tensors[i].name for i in model.outputs)
    if came != wanted or len(model.inputs) != 1:
        raise InputError(
            f"{name}: expected a model with the outputs {', '.join(wanted)}, got {', '.join(came)}"
        )
