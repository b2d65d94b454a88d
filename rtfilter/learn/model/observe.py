"""Footage to training data: FaceMesh's landmarks beside a teacher's blendshape scores.

Called by `learn.model.build_face_model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX
from rtfilter.errors import InputError
from rtfilter.frame import Frame
from rtfilter.learn.face_mesh import before_mediapipe
from rtfilter.learn.mediapipe_tracker import MediaPipeTracker

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Clip:
    """One person's frames in which both the tracker and the teacher found the face.

    points_px: float64 [N, 478, 3]. scores: float64 [N, 52] in our order. time_s: float64 [N].
    """

    name: str
    points_px: F64
    scores: F64
    time_s: F64


def observe(path: Path, task: Path) -> Clip:
    """Track one clip. task: the FaceLandmarker v2 model file with blendshapes."""
    before_mediapipe()
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(task)),
        running_mode=vision.RunningMode.VIDEO,
        output_face_blendshapes=True,
    )
    teacher = vision.FaceLandmarker.create_from_options(options)
    tracker = MediaPipeTracker()
    capture = cv2.VideoCapture(str(path))
    fps = capture.get(cv2.CAP_PROP_FPS) or 30.0
    points, scores, times = [], [], []
    index = 0
    while True:
        ok, bgr = capture.read()
        if not ok:
            break
        rgb = np.ascontiguousarray(bgr[:, :, ::-1])
        time_s = index / fps
        landmarks = tracker.track(Frame.from_rgb(rgb, pts=round(time_s * 1e9), seq=index))
        large = rgb
        if max(rgb.shape[:2]) < 480:  # the teacher scores larger faces better
            large = cv2.resize(rgb, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        seen = teacher.detect_for_video(mp.Image(mp.ImageFormat.SRGB, large), round(time_s * 1000))
        index += 1
        if landmarks is not None and seen.face_blendshapes:
            points.append(landmarks.points_px.astype(np.float64))
            scores.append(ordered_scores(seen.face_blendshapes[0]))
            times.append(time_s)
    tracker.close()
    teacher.close()
    if not points:
        raise InputError(f"{path}: no frame with a face: give clips of one clearly visible person")
    return Clip(path.stem, np.array(points), np.array(scores), np.array(times))


def ordered_scores(categories: Any) -> F64:
    """A teacher's scores, float64 [52], in the order of BLENDSHAPES; `learn.emotions` calls it, too."""
    scores = np.zeros(BLENDSHAPE_COUNT)
    for category in categories:
        if category.category_name in BLENDSHAPE_INDEX:
            scores[BLENDSHAPE_INDEX[category.category_name]] = category.score
    return scores
