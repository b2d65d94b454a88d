"""Takes to observations: FaceMesh's landmarks beside the teacher's blendshape scores, kept in a cache.

Called by `learn.emotions.measure`. A take that is in the cache is not tracked again, so an interrupted run
goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError
from rtfilter.frame import Frame
from rtfilter.learn.emotions.sources import Take
from rtfilter.learn.face_mesh import before_mediapipe
from rtfilter.learn.mediapipe_tracker import MediaPipeTracker
from rtfilter.learn.model.observe import ordered_scores

F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

VERSION: Final = 1
LEAST_SIDE_PX: Final = 480  # both networks read larger faces better


@dataclass(frozen=True)
class Seen:
    """The frames of a take in which tracker and teacher found the face.

    points_px: float64 [N, 478, 3]. scores: float64 [N, 52], 0..1. time_s: float64 [N]; stills lie 1 s apart.
    """

    points_px: F64
    scores: F64
    time_s: F64


def watch(take: Take, task: Path, cache: Path) -> Seen:
    """Track a take, or read what was tracked before. Raises InputError where no frame shows a face."""
    path = cache / f"{take.name}-{_key(take, task)}.npz"
    kept = _kept(path)
    if kept is None:
        kept = _track(take, task)
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part.npz")
        np.savez(partial, points_px=kept.points_px, scores=kept.scores, time_s=kept.time_s)
        partial.replace(path)
    return kept


def _key(take: Take, task: Path) -> str:
    """Of the take's files and of the teacher's: other ones are tracked anew."""
    stats = [(file.name, file.stat()) for file in take.files]
    parts = [f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in stats]
    parts.append(hashlib.sha256(task.read_bytes()).hexdigest())
    return hashlib.sha256("/".join([str(VERSION), *parts]).encode()).hexdigest()[:12]


def _kept(path: Path) -> Seen | None:
    """What the cache holds; None for nothing, or for a damaged file, which is made again."""
    try:
        with np.load(path) as arrays:
            return Seen(arrays["points_px"].astype(np.float64), arrays["scores"], arrays["time_s"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def _track(take: Take, task: Path) -> Seen:
    before_mediapipe()
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    mode = vision.RunningMode.IMAGE if take.still else vision.RunningMode.VIDEO
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(task)), running_mode=mode, output_face_blendshapes=True
    )
    teacher = vision.FaceLandmarker.create_from_options(options)
    tracker = MediaPipeTracker()
    points, scores, times = [], [], []
    for index, (rgb, time_s) in enumerate(pictures(take)):
        if take.still:
            tracker.reset()
        landmarks = tracker.track(Frame.from_rgb(rgb, pts=round(time_s * 1e9), seq=index))
        picture = mp.Image(mp.ImageFormat.SRGB, rgb)
        found = (
            teacher.detect(picture) if take.still else teacher.detect_for_video(picture, round(time_s * 1e3))
        )
        if landmarks is not None and found.face_blendshapes:
            points.append(landmarks.points_px.astype(np.float64))
            scores.append(ordered_scores(found.face_blendshapes[0]))
            times.append(time_s)
    tracker.close()
    teacher.close()
    if not points:
        raise InputError(f"{take.files[0]}: no frame with a face; expected one clearly visible person")
    return Seen(np.array(points), np.array(scores), np.array(times))


def pictures(take: Take) -> Iterator[tuple[U8, float]]:
    """The frames of a take, uint8 [H, W, 3], at least LEAST_SIDE_PX long, and their times in seconds."""
    if take.still:
        for index, file in enumerate(take.files):
            bgr = cv2.imread(str(file))
            if bgr is None:
                raise InputError(f"{file}: not a readable picture: fetch it again")
            yield _rgb(bgr), float(index)
        return
    capture = cv2.VideoCapture(str(take.files[0]))
    fps = capture.get(cv2.CAP_PROP_FPS) or 25.0
    index = 0
    while True:
        there, bgr = capture.read()
        if not there:
            break
        yield _rgb(bgr), index / fps
        index += 1
    capture.release()
    if index == 0:
        raise InputError(f"{take.files[0]}: no picture could be read: fetch it again")


def _rgb(bgr: Any) -> U8:
    side = max(bgr.shape[:2])
    if side < LEAST_SIDE_PX:
        bgr = cv2.resize(bgr, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(bgr[:, :, ::-1])
