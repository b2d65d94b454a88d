"""Who is measured: rtfilter, its floor, and what a competent person would write in a day."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter_ns
from typing import Any, Protocol

import numpy as np

from rtfilter.bench.mls_smile import MlsSmile
from rtfilter.controls import Controls
from rtfilter.filter import FaceFilter
from rtfilter.frame import Frame
from rtfilter.learn.mediapipe_tracker import before_mediapipe
from rtfilter.system.arrays import U8

RTFILTER, FACEMESH, MLS = "rtfilter", "facemesh", "facemesh_mls"
TITLES = {
    RTFILTER: "rtfilter",
    FACEMESH: "MediaPipe FaceMesh alone",
    MLS: "FaceMesh + MLS smile",
}


class Contender(Protocol):
    """Takes frames one by one, as a stream."""

    def step(self, frame: Frame) -> Mapping[str, int]:
        """Do the work for one frame; nanoseconds by stage."""
        ...

    def close(self) -> None:
        """Release the networks."""
        ...


class Rtfilter:
    """The product: frame in, filtered frame out."""

    def __init__(self, controls: Controls) -> None:
        self._filter, self._controls = FaceFilter(), controls

    def step(self, frame: Frame) -> Mapping[str, int]:
        report = self._filter.step(frame, self._controls).report
        return {stage: ns for stage, ns in report.stage_ns.items() if stage != "total"}

    def close(self) -> None:
        self._filter.close()


class FaceMesh:
    """The floor: the network that finds the landmarks, and nothing else. Its answer is not even read."""

    def __init__(self) -> None:
        self.mesh = plain_face_mesh()

    def step(self, frame: Frame) -> Mapping[str, int]:
        start = perf_counter_ns()
        self.mesh.process(frame.rgb)
        return {"track": perf_counter_ns() - start}

    def close(self) -> None:
        self.mesh.close()


class FaceMeshMls:
    """FaceMesh, its landmarks as an array, and the warp. `last`: the picture that came out."""

    def __init__(self) -> None:
        self.mesh = plain_face_mesh()
        self.last: U8 | None = None
        self._smile = MlsSmile()

    def step(self, frame: Frame) -> Mapping[str, int]:
        start = perf_counter_ns()
        faces = self.mesh.process(frame.rgb).multi_face_landmarks
        tracked = perf_counter_ns()
        self.last = frame.rgb
        if faces:
            points = np.array([(point.x, point.y) for point in faces[0].landmark], np.float32)
            self.last = self._smile.apply(
                frame.rgb, points * np.array([frame.width, frame.height], np.float32)
            )
        return {"track": tracked - start, "warp": perf_counter_ns() - tracked}

    def close(self) -> None:
        self.mesh.close()


def plain_face_mesh() -> Any:
    """MediaPipe's FaceMesh with 478 points for one face, as its documentation shows it."""
    before_mediapipe()
    from mediapipe.python.solutions import face_mesh

    return face_mesh.FaceMesh(refine_landmarks=True, max_num_faces=1)


def all_contenders(controls: Controls) -> dict[str, Contender]:
    """Everybody, made anew."""
    return {RTFILTER: Rtfilter(controls), FACEMESH: FaceMesh(), MLS: FaceMeshMls()}
