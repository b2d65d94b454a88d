"""Agreement of two trackers and shake of their landmarks: on clips, on a still picture, in noise.

Called by `bench.tracker`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError
from rtfilter.frame import Frame
from rtfilter.sources.file import FileSource
from rtfilter.system.arrays import U8
from rtfilter.tracking.base import Tracker

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Makers = Mapping[str, Callable[[], Tracker]]

OUTER_EYE_CORNERS = (33, 263)
STILL_FRAMES, STILL_SETTLED = 300, 60
NOISE_FRAMES, NOISE_SETTLED = 150, 30
NOISE_LEVELS = 4.0  # standard deviation, grey levels: a webcam in a dim room
FPS = 30


def clips_in(folder: Path) -> list[Path]:
    """The videos of a folder by name. InputError when there are none."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in {".mp4", ".mkv", ".mov"})
    if not paths:
        raise InputError(f"{folder}: expected a folder with clips (mp4, mkv, mov), found none: name another")
    return paths


def compare_clip(makers: Makers, path: Path, limit: int | None = None) -> dict[str, Any]:
    """Frames, faces, agreement and shake on one clip; lengths in percent of an inter-ocular distance."""
    source = FileSource(path)
    frames = iter(source.read, None)
    streams: dict[str, list[F32 | None]] = {name: [] for name in makers}
    tracked = {name: make() for name, make in makers.items()}
    try:
        for number, frame in enumerate(frames):
            if limit is not None and number >= limit:
                break
            for name, tracker in tracked.items():
                streams[name].append(points_of(tracker, frame))
    finally:
        source.close()
        for tracker in tracked.values():
            tracker.close()
    one, other = streams.values()
    return {
        "frames": len(one),
        "found": {name: sum(points is not None for points in stream) for name, stream in streams.items()},
        "lost": {name: losses(stream) for name, stream in streams.items()},
        "agreement": agreement(one, other),
        **shakes(streams),
    }


def compare_still(makers: Makers, rgb: U8) -> dict[str, Any]:
    """The same picture again and again, and the same with new noise each time."""
    rng = np.random.default_rng(0)
    noisy = [
        np.clip(rgb + rng.normal(0.0, NOISE_LEVELS, rgb.shape), 0, 255).astype(np.uint8)
        for _ in range(NOISE_FRAMES)
    ]
    found: dict[str, Any] = {}
    for what, pictures, settled in (
        ("still", [rgb] * STILL_FRAMES, STILL_SETTLED),
        ("noise", noisy, NOISE_SETTLED),
    ):
        streams: dict[str, list[F32 | None]] = {}
        for name, make in makers.items():
            tracker = make()
            at = [Frame.from_rgb(each, pts=k * 10**9 // FPS, seq=k) for k, each in enumerate(pictures)]
            streams[name] = [points_of(tracker, frame) for frame in at][settled:]
            tracker.close()
        found[what] = shakes(streams)
    return found


def points_of(tracker: Tracker, frame: Frame) -> F32 | None:
    """Landmarks of one frame, copied."""
    landmarks = tracker.track(frame)
    return None if landmarks is None else landmarks.points_px.copy()


def losses(stream: list[F32 | None]) -> int:
    """The number of frames without a face after one with."""
    return sum(before is not None and after is None for before, after in pairwise(stream))


def agreement(one: list[F32 | None], other: list[F32 | None]) -> dict[str, float] | None:
    """The distance of landmarks in percent of an IOD: median, and 99th percentile of the frames' means."""
    both = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    if not both:
        return None
    apart = [100.0 * np.linalg.norm((a - b)[:, :2], axis=1) / iod_px(b) for a, b in both]
    means = np.mean(apart, axis=1)
    return {
        "median_percent": round(float(np.median(apart)), 3),
        "p99_frame_percent": round(float(np.percentile(means, 99)), 3),
    }


def shakes(streams: Mapping[str, list[F32 | None]]) -> dict[str, Any]:
    """Shake by tracker, and the first one's over the second's."""
    found = {name: shake(stream) for name, stream in streams.items()}
    one, other = found.values()
    ratio = round(one / other, 3) if one is not None and other else None
    return {
        "shake_percent": {k: None if v is None else round(v, 5) for k, v in found.items()},
        "ratio": ratio,
    }


def shake(stream: list[F32 | None]) -> float | None:
    """Median over frames of the median landmark's second difference; None without three in a row."""
    values: list[float] = []
    for before, now, after in zip(stream, stream[1:], stream[2:], strict=False):
        if before is None or now is None or after is None:
            continue
        second: F64 = np.linalg.norm((before - 2 * now + after)[:, :2], axis=1)
        values.append(float(100.0 * np.median(second)) / iod_px(now))
    return float(np.median(values)) if values else None


def iod_px(points_px: F32) -> float:
    """From outer eye corner to outer eye corner."""
    right, left = OUTER_EYE_CORNERS
    return float(np.linalg.norm(points_px[right, :2] - points_px[left, :2]))
