"""MediaPipe's FaceMesh as a `Tracker` of one face: it reads training footage.

`learn.model.observe` and `learn.build_demo_asset` use it; `bench.tracker` compares it with the product.
"""

from __future__ import annotations

import numpy as np

from rtfilter.frame import Frame
from rtfilter.learn.face_mesh import open_face_mesh
from rtfilter.tracking.base import Landmarks


class MediaPipeTracker:
    """Follows the face that FaceMesh finds first. Of several it neither chooses one nor keeps to one.

    Raises MissingExtraError without MediaPipe.
    """

    def __init__(self) -> None:
        self._mesh = open_face_mesh()

    def track(self, frame: Frame) -> Landmarks | None:
        """See `Tracker`; the score is always 1."""
        faces = self._mesh.process(frame.rgb).multi_face_landmarks
        if not faces:
            return None
        points = np.array([(point.x, point.y, point.z) for point in faces[0].landmark], np.float32)
        return Landmarks(points * np.array([frame.width, frame.height, frame.width], np.float32), 1.0)

    def reset(self) -> None:
        """See `Tracker`."""
        self._mesh.reset()

    def close(self) -> None:
        """See `Tracker`."""
        self._mesh.close()
