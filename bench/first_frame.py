"""`python -m rtfilter.bench.first_frame PICTURE.npy CONTENDER STARTED_NS`: one start, as JSON.

Run by `bench.startup`. CONTENDER: rtfilter, facemesh, or the tracker engine or mediapipe. STARTED_NS:
`time.monotonic_ns()` before this process was started, so that the interpreter's own start counts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

FRAMES = 30  # until the edit has faded in and memory has settled
# Notes the time under a name.
Mark = Callable[[str], None]
# An RGB picture and its number to what the contender returns for it.
Step = Callable[[Any, int], object]


def main(picture: str, contender: str, started_ns: int) -> None:
    """Print seconds since `started_ns` for each mark, and resident memory in MiB."""
    at: dict[str, float | None] = {}

    def mark(what: str) -> None:
        at[what] = (time.monotonic_ns() - started_ns) / 1e9

    import numpy as np

    rgb = np.load(picture)
    step = OPEN[contender](mark)
    at["first_changed_s"] = None
    for number in range(FRAMES):
        changed = getattr(step(rgb, number), "changed", None) is not None  # of a Frame
        if number == 0:
            mark("first_frame_s")
        if changed and at["first_changed_s"] is None:
            mark("first_changed_s")

    # Last: it is no part of the product.
    import psutil

    at["rss_mib"] = psutil.Process().memory_info().rss / 2**20
    print(json.dumps(at))


def _rtfilter(mark: Mark) -> Step:
    from rtfilter import Controls, FaceFilter

    mark("imported_s")
    face_filter, controls = FaceFilter(), Controls(emotions={"happy": 1.0})
    mark("ready_s")
    return lambda rgb, number: face_filter.step(_frame(rgb, number), controls).frame


def _facemesh(mark: Mark) -> Step:
    from rtfilter.learn.face_mesh import open_face_mesh

    mark("imported_s")
    mesh = open_face_mesh()
    mark("ready_s")
    return lambda rgb, number: mesh.process(rgb)


def _engine(mark: Mark) -> Step:
    from rtfilter.tracking.engine import EngineTracker

    return _tracker(mark, EngineTracker)


def _mediapipe(mark: Mark) -> Step:
    from rtfilter.learn.mediapipe_tracker import MediaPipeTracker

    return _tracker(mark, MediaPipeTracker)


def _tracker(mark: Mark, make: Callable[[], Any]) -> Step:
    mark("imported_s")
    tracker = make()
    mark("ready_s")
    return lambda rgb, number: tracker.track(_frame(rgb, number))


def _frame(rgb: Any, number: int) -> Any:
    from rtfilter.frame import Frame

    return Frame.from_rgb(rgb, pts=number * 1_000_000_000 // 30, seq=number)


OPEN = {"rtfilter": _rtfilter, "facemesh": _facemesh, "engine": _engine, "mediapipe": _mediapipe}

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
