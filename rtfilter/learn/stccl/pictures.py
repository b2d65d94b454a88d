"""Small grey pictures of a face from its video: cut out as the head turns, or pulled onto a fixed mesh.

`crop` keeps what moves (lips, lids, jaw); `uv` keeps what the skin does where it is (folds, shade). Called by
`stccl.signals`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError
from rtfilter.face.model import MorphableModel
from rtfilter.face.pose import align
from rtfilter.frame import Frame
from rtfilter.learn.data.track import Track
from rtfilter.learn.stccl.image_encoder import SIDE_PX
from rtfilter.tracking.engine import EngineTracker

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

# Raised when the same video gives other pictures.
VERSION: Final = 1
# What a picture shows of the head frame: a square of so many IODs, its middle below the eyes.
SPAN_IOD: Final = 1.9
MIDDLE_IOD: Final = (0.0, 0.25)
_FINER: Final = 2  # sampled so many times finer, then averaged: what is sampled directly flickers
_FLAT: Final = 1.0  # grey levels of spread below which a clip is taken as blank


def pictures(video: Path, track: Track, signal: str) -> F32:
    """Pictures at the moments of a track: float32 [T, 64, 64], mean 0 and spread 1 over the clip.

    Raises InputError when the video cannot be read or shows no face.
    """
    greys, points, fps = _faces(video)
    index = np.clip(np.rint(track.time_s * fps).astype(int), 0, len(points) - 1)
    cut = np.stack([sample(greys[i], points[i], signal) for i in index])
    inside = template()[2] if signal == "uv" else np.ones((SIDE_PX, SIDE_PX), bool)
    level, spread = cut[:, inside].mean(), max(float(cut[:, inside].std()), _FLAT)
    return np.asarray(np.where(inside, (cut - level) / spread, 0.0), np.float32)


def sample(grey: npt.NDArray[np.uint8], points_px: F32, signal: str) -> F32:
    """One picture, float32 [64, 64], grey levels, from a grey frame and its landmarks [478, 3]."""
    where = _crop_map(points_px) if signal == "crop" else _uv_map(points_px)
    fine = cv2.remap(
        grey, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32)
    return np.asarray(cv2.resize(fine, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.float32)


def _crop_map(points_px: F32) -> F32:
    """Image pixels [128, 128, 2] under a plane through the face, as the head lies."""
    model = _model()
    pose = align(model.mean_iod, points_px, model.rigidity.astype(np.float64))
    depth = np.full((*_grid().shape[:2], 1), np.median(model.mean_iod[:, 2]))
    return np.asarray(pose.project(np.concatenate([_grid(), depth], axis=2))[..., :2], np.float32)


def _uv_map(points_px: F32) -> F32:
    """Image pixels [128, 128, 2] under the mean face's mesh, moved with the landmarks; far away off it."""
    corners, weights, _ = template()
    where = np.einsum("hwk,hwkc->hwc", weights, points_px[corners][..., :2])
    return np.asarray(where, np.float32)


@lru_cache(maxsize=1)
def _model() -> MorphableModel:
    return MorphableModel.builtin()


@lru_cache(maxsize=1)
def _grid() -> F64:
    """The head frame's x and y under each fine pixel, [128, 128, 2]."""
    side = SIDE_PX * _FINER
    line = ((np.arange(side) + 0.5) / side - 0.5) * SPAN_IOD
    x, y = np.meshgrid(line + MIDDLE_IOD[0], line + MIDDLE_IOD[1])
    return np.stack([x, y], axis=2)


@lru_cache(maxsize=1)
def template() -> tuple[npt.NDArray[np.int64], F64, npt.NDArray[np.bool_]]:
    """The mean face seen from the front: corners int64 [128, 128, 3] and weights [128, 128, 3] of the
    triangle under each fine pixel, and which pixels, bool [64, 64], lie on the face."""
    model, grid = _model(), _grid()
    triangles = np.concatenate([model.triangles, *model.holes.values()]).astype(np.int64)
    corners = np.zeros((*grid.shape[:2], 3), np.int64)
    weights = np.zeros((*grid.shape[:2], 3))
    depth = np.full(grid.shape[:2], np.inf)
    for triangle in triangles:
        a, b, c = model.mean_iod[triangle].astype(np.float64)
        area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
        if abs(area) < 1e-9:
            continue
        x, y = grid[..., 0] - a[0], grid[..., 1] - a[1]
        v = (x * (c[1] - a[1]) - (c[0] - a[0]) * y) / area
        w = ((b[0] - a[0]) * y - x * (b[1] - a[1])) / area
        here = (v >= 0) & (w >= 0) & (v + w <= 1)
        z = a[2] + v * (b[2] - a[2]) + w * (c[2] - a[2])
        here &= z < depth
        corners[here], depth[here] = triangle, z[here]
        weights[here] = np.stack([1 - v - w, v, w], axis=-1)[here]
    on_face = np.isfinite(depth).reshape(SIDE_PX, _FINER, SIDE_PX, _FINER).all(axis=(1, 3))
    return corners, weights, on_face


def _faces(video: Path) -> tuple[list[Any], list[F32], float]:
    """Grey frames, their landmarks, and frames a second; a face that is lost stays where it was."""
    capture, tracker = cv2.VideoCapture(str(video)), EngineTracker()
    fps = float(capture.get(cv2.CAP_PROP_FPS)) or 25.0
    greys: list[Any] = []
    points: list[F32] = []
    try:
        while True:
            read, bgr = capture.read()
            if not read:
                break
            rgb = np.ascontiguousarray(bgr[:, :, ::-1])
            found = tracker.track(Frame.from_rgb(rgb, pts=round(len(greys) / fps * 1e9), seq=len(greys)))
            greys.append(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY))
            if found is not None:
                # Before the first: it looks as it will.
                points += [found.points_px] * (len(greys) - len(points))
            elif points:
                points.append(points[-1])
    finally:
        capture.release()
        tracker.close()
    if not points:
        raise InputError(f"{video}: no picture with a face in it: remove its track, or mend the file")
    return greys, points, fps
