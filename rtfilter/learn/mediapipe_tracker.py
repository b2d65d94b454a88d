"""MediaPipe FaceMesh with refined lips, eyes and irises: what our own tracker is measured against."""

from __future__ import annotations

import math
import os
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.errors import MissingExtraError
from rtfilter.frame import Frame
from rtfilter.system.arrays import U8
from rtfilter.system.cache import cache_folder
from rtfilter.system.installation import install_extra
from rtfilter.system.process import MadeHere
from rtfilter.tracking.base import LANDMARK_COUNT, Landmarks
from rtfilter.tracking.crossing import CrossingWatch, Spot

F32 = npt.NDArray[np.float32]

TRACKED_SIDE_MAX_PX = 1920  # the network sees 192 px of face; more picture only costs copying
TRACKED_SIDE_MIN_PX = 16
LANDMARK_BYTES = 17  # of one serialised landmark with x, y and z: 2 of framing, 5 a coordinate
_COORDINATE_BYTES = np.array([first + k for first in (3, 8, 13) for k in range(4)])
_OUTLINE = np.array([10, 152, 234, 454])  # top of the forehead, chin, both sides of the face
# Frames between two looks at who else is there: when nobody was lately, and when somebody was.
LOOK_EVERY_ALONE, LOOK_EVERY_IN_COMPANY = 15, 6
LOOK_SIDE_PX = 384
REMEMBER_S = 1.0  # a face that comes back within this time is the same one


def before_mediapipe() -> None:
    """Settings for MediaPipe, before it is imported: quiet, and Matplotlib's files in the cache folder.

    Raises UsageError where $RTFILTER_CACHE is relative.
    """
    os.environ.setdefault("GLOG_minloglevel", "2")
    os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))


class MediaPipeTracker:
    """Follows one face: the largest at first, and the same one through crossings.

    FaceMesh follows a single face from frame to frame by itself. What it does not do is choose, so
    when nobody is followed the short-range detector finds all faces, and all but the wanted one are
    painted over in the one picture from which FaceMesh starts.
    """

    def __init__(self) -> None:
        before_mediapipe()
        try:
            from mediapipe.python.solutions import face_detection

            from rtfilter.learn.face_mesh import FaceMeshGraph
        except ImportError as error:
            raise MissingExtraError(
                f"MediaPipe's tracker needs mediapipe 0.10.21 (found: {error}); install it with: "
                f"{install_extra('mediapipe')} (Python 3.10 to 3.12), or use EngineTracker"
            ) from error
        self._made = MadeHere("this MediaPipeTracker")
        self._mesh = FaceMeshGraph()
        self._detector: Any = face_detection.FaceDetection(model_selection=0, min_detection_confidence=0.5)
        self._place: Spot | None = None
        self._seen_ns = 0
        self._following = False
        self._crossing = CrossingWatch()
        self._looks = 0

    def track(self, frame: Frame) -> Landmarks | None:
        self._made.check()  # MediaPipe's threads do not survive fork
        rgb, scale = _within_limits(frame.rgb)
        if min(rgb.shape[:2]) < TRACKED_SIDE_MIN_PX:
            return None
        points = self._follow(rgb) if self._following else self._acquire(rgb, scale, frame.pts_ns)
        if points is None:
            self._following = False
            return None
        if self._following:
            self._looks += 1
            every = LOOK_EVERY_IN_COMPANY if self._crossing.company else LOOK_EVERY_ALONE
            instead = self._somebody_else(rgb, points, frame.pts_ns) if self._looks >= every else None
            if instead is not None:
                # FaceMesh went along with somebody who passed in front of our person.
                self._forget_mesh()
                points = self._start_on(*instead, rgb)
                if points is None:
                    return None
                self._place = None
        points *= np.float32(scale)
        place = _place(points)
        if self._following and self._place is not None and not place.is_near(self._place):
            # FaceMesh slid onto somebody else: let go, and look again where our person was.
            self._forget_mesh()
            return None
        self._place, self._seen_ns, self._following = place, frame.pts_ns, True
        return Landmarks(points, 1.0)

    def _somebody_else(self, rgb: U8, points: F32, pts_ns: int) -> tuple[Spot, list[Spot]] | None:
        """Our person's face, and all faces, when the followed one is not theirs any more."""
        # The detector sees 128 px; a small picture saves it the copying.
        share = min(1.0, LOOK_SIDE_PX / max(rgb.shape[:2]))
        small = cv2.resize(rgb, None, fx=share, fy=share, interpolation=cv2.INTER_LINEAR)
        faces = self._detect(np.asarray(small, np.uint8), 1.0 / share)
        self._looks = 0
        ours = self._crossing.look(_place(points), faces, pts_ns * 1e-9)
        return None if ours is None else (ours, faces)

    def reset(self) -> None:
        self._forget_mesh()
        self._place = None
        self._crossing.forget()

    def close(self) -> None:
        self._mesh.close()
        self._detector.close()

    def _forget_mesh(self) -> None:
        if self._following:
            self._mesh.reset()
        self._following = False

    def _follow(self, rgb: U8) -> F32 | None:
        data = self._mesh.run(rgb)
        return _points(data, rgb.shape[1], rgb.shape[0]) if data is not None else None

    def _acquire(self, rgb: U8, scale: float, pts_ns: int) -> F32 | None:
        faces = self._detect(rgb)
        if not faces:
            return None
        wanted = max(faces, key=lambda face: face.size)
        recent = self._place is not None and 0 <= pts_ns - self._seen_ns <= REMEMBER_S * 1e9
        if recent and self._place is not None:
            last = self._place.x / scale, self._place.y / scale
            there = self._crossing.expected(pts_ns * 1e-9) or last
            wanted = min(faces, key=lambda face: math.dist((face.x, face.y), there))
        return self._start_on(wanted, faces, rgb)

    def _detect(self, rgb: U8, scale: float = 1.0) -> list[Spot]:
        height, width = round(rgb.shape[0] * scale), round(rgb.shape[1] * scale)
        return [_detected(found, width, height) for found in self._detector.process(rgb).detections or ()]

    def _start_on(self, wanted: Spot, faces: list[Spot], rgb: U8) -> F32 | None:
        """Landmarks of one of the detected faces; FaceMesh follows it from here."""
        others = [face for face in faces if face is not wanted]
        return self._follow(_painted_over(rgb, others, wanted) if others else rgb)


def _within_limits(rgb: U8) -> tuple[U8, float]:
    """The picture to track in, and what its pixels measure in pixels of the original."""
    side = max(rgb.shape[:2])
    if side <= TRACKED_SIDE_MAX_PX:
        return rgb, 1.0
    scale = side / TRACKED_SIDE_MAX_PX
    size = (max(1, round(rgb.shape[1] / scale)), max(1, round(rgb.shape[0] / scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _points(data: bytes, width: int, height: int) -> F32:
    """A serialised landmark list as float32 [478, 3] in pixels (z in the unit of x)."""
    fields = np.frombuffer(data, np.uint8).reshape(LANDMARK_COUNT, LANDMARK_BYTES)
    points = fields.take(_COORDINATE_BYTES, axis=1).view("<f4")
    return np.asarray(points * np.array([width, height, width], np.float32), np.float32)


def _place(points_px: F32) -> Spot:
    top, chin, right, left = points_px[_OUTLINE, :2].tolist()
    x = (top[0] + chin[0] + right[0] + left[0]) / 4
    y = (top[1] + chin[1] + right[1] + left[1]) / 4
    return Spot(x, y, max(math.dist(top, chin), math.dist(right, left)))


def _detected(detection: Any, width: int, height: int) -> Spot:
    box = detection.location_data.relative_bounding_box
    size = max(box.width * width, box.height * height)
    return Spot((box.xmin + box.width / 2) * width, (box.ymin + box.height / 2) * height, size)


def _painted_over(rgb: U8, others: list[Spot], wanted: Spot) -> U8:
    """A copy in which the other faces are grey, except where they overlap the wanted one."""
    painted = rgb.copy()
    for face in others:
        x0, y0, x1, y1 = _extent(face, rgb)
        painted[y0:y1, x0:x1] = 128
    x0, y0, x1, y1 = _extent(wanted, rgb)
    painted[y0:y1, x0:x1] = rgb[y0:y1, x0:x1]
    return painted


def _extent(face: Spot, rgb: U8) -> tuple[int, int, int, int]:
    half = 0.75 * face.size
    x0, y0 = max(int(face.x - half), 0), max(int(face.y - half), 0)
    return (
        x0,
        y0,
        max(min(int(face.x + half), rgb.shape[1]), x0),
        max(min(int(face.y + half), rgb.shape[0]), y0),
    )
