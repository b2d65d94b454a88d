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
from rtfilter.learn.emotions.sources import Take
from rtfilter.learn.model.observe import enlarged, seen_by_both

F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

VERSION: Final = 1


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
    seen = seen_by_both(((rgb, rgb, time_s) for rgb, time_s in pictures(take)), task, take.still)
    if seen is None:
        raise InputError(f"{take.files[0]}: no frame with a face; expected one clearly visible person")
    return Seen(*seen)


def pictures(take: Take) -> Iterator[tuple[U8, float]]:
    """The frames of a take, uint8 [H, W, 3], small ones twice the size, and their times in seconds."""
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
    return np.ascontiguousarray(enlarged(bgr)[:, :, ::-1])
