"""The contenders of `bench.latency`: rtfilter, MediaPipe's tracker alone, and a simple smile warp."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter_ns

import numpy as np

from rtfilter.bench.common import Contender
from rtfilter.bench.mls_smile import MlsSmile
from rtfilter.controls import Controls
from rtfilter.errors import Notify
from rtfilter.frame import Frame
from rtfilter.gpu.choose import AUTO, LaneChoice
from rtfilter.system.arrays import U8

RTFILTER, FACEMESH, MLS = "rtfilter", "facemesh", "facemesh_mls"
TITLES = {
    RTFILTER: "rtfilter",
    FACEMESH: "MediaPipe FaceMesh alone",
    MLS: "FaceMesh + MLS smile",
}


class Rtfilter:
    """The product: frame in, filtered frame out."""

    def __init__(
        self,
        controls: Controls,
        lane: str | LaneChoice = AUTO,
        notify: Notify | None = None,
        faces: int = 1,
    ) -> None:
        # Imported here: `rtfilter bench` counts it as part of the start.
        from rtfilter.filter import FaceFilter

        self._filter, self._controls = FaceFilter(lane=lane, notify=notify, faces=faces), controls

    def step(self, frame: Frame) -> Mapping[str, int]:
        report = self._filter.step(frame, self._controls).report
        return {stage: ns for stage, ns in report.stage_ns.items() if stage != "total"}

    def close(self) -> None:
        self._filter.close()


class FaceMesh:
    """The floor: the networks that find the landmarks, and nothing else. Their output is not read."""

    def __init__(self, faces: int = 1) -> None:
        from rtfilter.learn.face_mesh import open_face_mesh

        self._mesh = open_face_mesh(faces)

    def step(self, frame: Frame) -> Mapping[str, int]:
        start = perf_counter_ns()
        self._mesh.process(frame.rgb)
        return {"track": perf_counter_ns() - start}

    def close(self) -> None:
        self._mesh.close()


class FaceMeshMls(FaceMesh):
    """FaceMesh, its landmarks as an array, and a moving-least-squares warp. last: the resulting picture."""

    def __init__(self) -> None:
        super().__init__()
        self.last: U8 | None = None
        self._smile = MlsSmile()

    def step(self, frame: Frame) -> Mapping[str, int]:
        start = perf_counter_ns()
        faces = self._mesh.process(frame.rgb).multi_face_landmarks
        tracked = perf_counter_ns()
        self.last = frame.rgb
        if faces:
            points = np.array([(point.x, point.y) for point in faces[0].landmark], np.float32)
            size = np.array([frame.width, frame.height], np.float32)
            self.last = self._smile.apply(frame.rgb, points * size)
        return {"track": tracked - start, "warp": perf_counter_ns() - tracked}


def all_contenders(controls: Controls) -> dict[str, Contender]:
    """New instances of all three."""
    return {RTFILTER: Rtfilter(controls), FACEMESH: FaceMesh(), MLS: FaceMeshMls()}
