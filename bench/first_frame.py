"""What `bench.startup` runs in a fresh process: one picture through one contender, told as JSON.

    python -m bench.first_frame PICTURE.npy rtfilter|facemesh STARTED_NS

STARTED_NS: `time.monotonic_ns()` of whoever started this process: the interpreter's own start counts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

# Enough for the edit to have faded in, and for memory to have settled.
FRAMES = 30


def main(picture: str, contender: str, started_ns: int) -> None:
    """Print seconds since `started_ns` for each step, and resident memory in MiB."""
    at: dict[str, float | None] = {}

    def mark(what: str) -> None:
        at[what] = (time.monotonic_ns() - started_ns) / 1e9

    import numpy as np

    rgb = np.load(picture)
    step = _rtfilter(mark) if contender == "rtfilter" else _facemesh(mark)
    at["first_changed_s"] = None
    for number in range(FRAMES):
        changed = step(rgb, number)
        if number == 0:
            mark("first_frame_s")
        if changed and at["first_changed_s"] is None:
            mark("first_changed_s")

    # After all that counts: it is no part of the product.
    import psutil

    at["rss_mib"] = psutil.Process().memory_info().rss / 2**20
    print(json.dumps(at))


def _rtfilter(mark: Callable[[str], None]) -> Callable[..., bool]:
    from rtfilter import Controls, FaceFilter
    from rtfilter.frame import Frame

    mark("imported_s")
    face_filter, controls = FaceFilter(), Controls(emotions={"happy": 1.0})
    mark("ready_s")

    def step(rgb: Any, number: int) -> bool:
        frame = Frame.from_rgb(rgb, pts=number * 1_000_000_000 // 30, seq=number)
        return face_filter.step(frame, controls).frame.changed is not None

    return step


def _facemesh(mark: Callable[[str], None]) -> Callable[..., bool]:
    from mediapipe.python.solutions import face_mesh

    mark("imported_s")
    mesh = face_mesh.FaceMesh(refine_landmarks=True, max_num_faces=1)
    mark("ready_s")

    def step(rgb: Any, number: int) -> bool:
        mesh.process(rgb)
        return False

    return step


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
