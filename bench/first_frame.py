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
# An RGB picture and its number to what the contender returns for it.
Step = Callable[[Any, int], object]


def main(picture: str, contender: str, started_ns: int) -> None:
    """Print the seconds to the first frame and to the first changed one, and resident memory in MiB."""
    at: dict[str, float | None] = {"first_frame_s": None, "first_changed_s": None}

    def mark(what: str) -> None:
        if at[what] is None:
            at[what] = (time.monotonic_ns() - started_ns) / 1e9

    import numpy as np

    rgb = np.load(picture)
    step = OPEN[contender]()
    for number in range(FRAMES):
        result = step(rgb, number)
        mark("first_frame_s")
        if getattr(result, "changed", None) is not None:  # of a Frame
            mark("first_changed_s")

    # Last: it is no part of the product.
    import psutil

    print(json.dumps({**at, "rss_mib": psutil.Process().memory_info().rss / 2**20}))


def _rtfilter() -> Step:
    from rtfilter import Controls, FaceFilter

    face_filter, controls = FaceFilter(), Controls(emotions={"happy": 1.0})
    return lambda rgb, number: face_filter.step(_frame(rgb, number), controls).frame


def _facemesh() -> Step:
    from rtfilter.learn.face_mesh import open_face_mesh

    mesh = open_face_mesh()
    return lambda rgb, number: mesh.process(rgb)


def _engine() -> Step:
    from rtfilter.tracking.engine import EngineTracker

    tracker = EngineTracker()
    return lambda rgb, number: tracker.track(_frame(rgb, number))


def _mediapipe() -> Step:
    from rtfilter.learn.mediapipe_tracker import MediaPipeTracker

    tracker = MediaPipeTracker()
    return lambda rgb, number: tracker.track(_frame(rgb, number))


def _frame(rgb: Any, number: int) -> Any:
    from rtfilter.frame import Frame

    return Frame.from_rgb(rgb, pts=number * 1_000_000_000 // 30, seq=number)


OPEN = {"rtfilter": _rtfilter, "facemesh": _facemesh, "engine": _engine, "mediapipe": _mediapipe}

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
