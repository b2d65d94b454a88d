"""The graph asked directly answers what FaceMesh answers, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.sources.demo import DemoSource

pytest.importorskip("mediapipe", reason="MediaPipe is not installed")

from mediapipe.python.solutions.face_mesh import FaceMesh

from rtfilter.learn.face_mesh import FaceMeshGraph
from rtfilter.learn.mediapipe_tracker import _points


def test_the_landmarks_are_those_of_face_mesh() -> None:
    source = DemoSource(640, 360)
    graph, mesh = FaceMeshGraph(), FaceMesh(refine_landmarks=True, max_num_faces=1)
    size = np.array([640, 360, 640], np.float32)
    for seq in range(12):
        rgb = source.frame(seq).rgb
        data = graph.run(rgb)
        theirs = mesh.process(rgb).multi_face_landmarks[0].landmark
        assert data is not None
        expected = np.array([(p.x, p.y, p.z) for p in theirs], np.float32) * size
        assert np.array_equal(_points(data, 640, 360), expected)
        assert rgb.flags.writeable
    graph.close()
    mesh.close()
    source.close()


def test_without_a_face_there_is_no_answer_and_after_a_reset_there_is_one_again() -> None:
    source = DemoSource(640, 360)
    graph = FaceMeshGraph()
    assert graph.run(np.zeros((360, 640, 3), np.uint8)) is None
    assert graph.run(source.frame(0).rgb) is not None
    graph.reset()
    assert graph.run(np.zeros((360, 640, 3), np.uint8)) is None
    assert graph.run(source.frame(1).rgb) is not None
    graph.close()
    source.close()
