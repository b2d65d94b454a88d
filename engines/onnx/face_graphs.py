"""The face networks as ONNX files, out of MediaPipe's TFLite models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH, LANDMARKS
from rtfilter.engines.onnx.attention import WRITERS
from rtfilter.engines.onnx.convert import Lane, convert
from rtfilter.engines.onnx.graph import OnnxGraph
from rtfilter.engines.onnx.reader import Model, read_model
from rtfilter.engines.onnx.refinement import IRIS_DEPTHS, MESH_LANDMARKS, PARTS, sources
from rtfilter.engines.onnx.style import Plain, Style
from rtfilter.engines.spec import NetworkSpec
from rtfilter.errors import InputError

_COMMENT = "Converted by rtfilter from MediaPipe's {name} (Apache-2.0, copyright The MediaPipe Authors)."


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

    Lips, eyes and irises replace what the mesh says of them, as in MediaPipe's LandmarksRefinementCalculator:
    x and y of the last source that has the landmark; z of the mesh, the irises' as the mean around their eye.
    """
    model = read_model(tflite, name)
    outputs = ("output_mesh_identity", *(f"output_{part}" for part in PARTS), "conv_faceflag")
    _expect_outputs(model, name, outputs)
    graph = OnnxGraph()
    mesh, *parts, flag = convert(model, graph, ["pixels"], WRITERS, style or Plain())

    points = graph.reshape(mesh.value, [0, MESH_LANDMARKS, 3])
    z = graph.slice(points, 2, 2, 3)
    all_xy, starts = _joined(graph, graph.slice(points, 2, 0, 2), parts)
    xy = graph.add("Gather", [all_xy, graph.constant(sources(starts), np.int64)], axis=1)

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
