"""A clip to landmarks by the product's own tracker, and what is wrong with clips that give none.

Called by `data.cache`.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError
from rtfilter.sources.file import FileSource
from rtfilter.tracking.engine import EngineTracker

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

LEAST_FRAMES: Final = 5
LEAST_SHARE: Final = 0.8  # of the frames, in which a face must be found


@dataclass(frozen=True, eq=False)
class Watched:
    """The frames of a clip in which a face was found, at least LEAST_FRAMES.

    points_px: float32 [T, 478, 3]. time_s: float64 [T], from the clip's first picture. fps: of the clip.
    start_s: time of the first picture on the file's clock. damage: what could not be decoded, in a line.
    """

    points_px: F32
    time_s: F64
    fps: float
    start_s: float
    damage: str | None


def watch(path: Path, tracker: EngineTracker) -> Watched:
    """Track every frame. Raises InputError for a clip without pictures, with one, or without a face."""
    tracker.reset()
    points: list[F32] = []
    times: list[float] = []
    with closing(FileSource(path)) as source:
        frames, start_s = 0, 0.0
        while (frame := source.read()) is not None:
            at = frame.pts_ns * 1e-9
            if not frames:
                start_s = at
            frames += 1
            found = tracker.track(frame)
            if found is not None and (not times or at - start_s > times[-1]):
                points.append(found.points_px.copy())
                times.append(at - start_s)
        fps, damage = float(source.info.fps or 0.0), source.damage
    if frames < LEAST_FRAMES:
        raise InputError(f"{path}: {frames} frame{'s' * (frames > 1)} only, expected {LEAST_FRAMES} or more")
    if len(points) < max(LEAST_FRAMES, LEAST_SHARE * frames):
        raise InputError(
            f"{path}: a face in {len(points)} of {frames} frames, expected {LEAST_SHARE:.0%} or more"
        )
    if not fps > 0.0:
        fps = (len(times) - 1) / (times[-1] - times[0])
    return Watched(np.stack(points), np.array(times), fps, start_s, damage)
