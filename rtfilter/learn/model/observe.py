"""Footage to training data: FaceMesh's landmarks beside a teacher's blendshape scores.

Called by `learn.model.build_face_model`; `seen_by_both` by `learn.emotions.watch`, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX
from rtfilter.errors import InputError
from rtfilter.frame import Frame
from rtfilter.learn.face_mesh import before_mediapipe
from rtfilter.learn.mediapipe_tracker import MediaPipeTracker

F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

LEAST_SIDE_PX: Final = 480


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
    seen = seen_by_both(_pictures(path), task)
    if seen is None:
        raise InputError(f"{path}: no frame with a face: give clips of one clearly visible person")
    return Clip(path.stem, *seen)


def _pictures(path: Path) -> Iterator[tuple[U8, U8, float]]:
    capture = cv2.VideoCapture(str(path))
    fps = capture.get(cv2.CAP_PROP_FPS) or 30.0
    index = 0
    while True:
        ok, bgr = capture.read()
        if not ok:
            break
        rgb = np.ascontiguousarray(bgr[:, :, ::-1])
        yield rgb, enlarged(rgb), index / fps
        index += 1
    capture.release()


def enlarged(picture: U8) -> U8:
    """Twice the size where a picture [H, W, 3] is small: the networks read larger faces better."""
    if max(picture.shape[:2]) >= LEAST_SIDE_PX:
        return picture
    return np.asarray(cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8)


def seen_by_both(
    pictures: Iterable[tuple[U8, U8, float]], task: Path, still: bool = False
) -> tuple[F64, F64, F64] | None:
    """Landmarks [N, 478, 3] in pixels, scores [N, 52] and times [N] of what tracker and teacher both see.

    pictures: RGB for the tracker, RGB for the teacher, seconds. still: they do not follow on each other.
    None where no picture shows both a face.
    """
    before_mediapipe()
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    mode = vision.RunningMode.IMAGE if still else vision.RunningMode.VIDEO
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(task)), running_mode=mode, output_face_blendshapes=True
    )
    teacher = vision.FaceLandmarker.create_from_options(options)
    tracker = MediaPipeTracker()
    points, scores, times = [], [], []
    for index, (rgb, large, time_s) in enumerate(pictures):
        if still:
            tracker.reset()
        landmarks = tracker.track(Frame.from_rgb(rgb, pts=round(time_s * 1e9), seq=index))
        picture = mp.Image(mp.ImageFormat.SRGB, large)
        found = teacher.detect(picture) if still else teacher.detect_for_video(picture, round(time_s * 1e3))
        if landmarks is not None and found.face_blendshapes:
            points.append(landmarks.points_px.astype(np.float64))
            scores.append(ordered_scores(found.face_blendshapes[0]))
            times.append(time_s)
    tracker.close()
    teacher.close()
    return (np.array(points), np.array(scores), np.array(times)) if points else None


def ordered_scores(categories: Any) -> F64:
    """A teacher's scores, float64 [52], in the order of BLENDSHAPES."""
    scores = np.zeros(BLENDSHAPE_COUNT)
    for category in categories:
        if category.category_name in BLENDSHAPE_INDEX:
            scores[BLENDSHAPE_INDEX[category.category_name]] = category.score
    return scores
