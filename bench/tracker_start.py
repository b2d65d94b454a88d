"""What starting a tracker costs, each time in a fresh process.

    python -m bench.tracker_start PICTURE.npy engine|mediapipe STARTED_NS

is such a process; STARTED_NS is `time.monotonic_ns()` of whoever started it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rtfilter.bench.startup import ROOT, TIMEOUT_S, summary
from rtfilter.errors import RtfilterError
from rtfilter.system.tied import run_tied

FRAMES = 30  # until memory has settled


def starts(runs: int) -> dict[str, Any]:
    """Seconds to the first landmarks and MiB, of both trackers, and of ours when it has no networks yet."""
    import numpy as np

    from rtfilter.cli.bench import demo_frames

    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.npy"
        np.save(picture, demo_frames(1280, 720, count=1)[0].rgb)
        cold = [_process(picture, "engine", Path(folder) / "cache")]
        warm = [_process(picture, "engine", Path(folder) / "cache") for _ in range(runs)]
        theirs = [_process(picture, "mediapipe", Path(folder) / "cache") for _ in range(runs)]
    return {
        "engine": summary("our tracker", warm),
        "engine_first_ever": summary("our tracker, which converts the networks first", cold),
        "mediapipe": summary("MediaPipe's", theirs),
    }


def _process(picture: Path, name: str, cache: Path) -> dict[str, float | None]:
    program = ["-m", "bench.tracker_start", str(picture), name, str(time.monotonic_ns())]
    environment = {**os.environ, "RTFILTER_CACHE": str(cache), "GLOG_minloglevel": "2"}
    try:
        done = run_tied(program, TIMEOUT_S, cwd=ROOT, env=environment)
    except subprocess.TimeoutExpired as error:
        raise RtfilterError(f"{name}: no landmarks within {TIMEOUT_S:.0f} s: is the machine busy?") from error
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise RtfilterError(f"{name} failed to start ({said}): try rtfilter doctor")
    found: dict[str, float | None] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(picture: str, name: str, started_ns: int) -> None:
    """Print seconds since `started_ns` for each step, and resident memory in MiB."""
    at: dict[str, float] = {}

    def mark(what: str) -> None:
        at[what] = (time.monotonic_ns() - started_ns) / 1e9

    import numpy as np

    from rtfilter.bench.tracker import trackers
    from rtfilter.frame import Frame

    rgb = np.load(picture)
    tracker = trackers()[name]()
    mark("ready_s")
    for number in range(FRAMES):
        tracker.track(Frame.from_rgb(rgb, pts=number * 1_000_000_000 // 30, seq=number))
        if number == 0:
            mark("first_landmarks_s")

    # After all that counts: it is no part of the product.
    import psutil

    at["rss_mib"] = psutil.Process().memory_info().rss / 2**20
    print(json.dumps(at))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
