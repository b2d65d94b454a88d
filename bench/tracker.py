"""`python -m bench.tracker`: our own tracker against MediaPipe's, picture by picture in turn.

Speed on the demo, steadiness on still and noisy pictures, agreement and steadiness on footage, and what
starting costs. What each figure means: bench/README.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from time import process_time_ns
from typing import Any

from rtfilter.bench.latency import RESULTS, make_folder, measure, provenance_now
from rtfilter.bench.tracker_clips import clips_in, compare_clip, compare_still
from rtfilter.bench.tracker_report import tracker_markdown
from rtfilter.bench.tracker_start import starts
from rtfilter.cli.bench import SIZES, WARM_UP_FRAMES, demo_frames, forth_and_back
from rtfilter.cli.output import write_json
from rtfilter.cli.parser import Parser, count, one_of
from rtfilter.errors import RtfilterError
from rtfilter.frame import Frame
from rtfilter.system.clock import NS_PER_MS, StageTimings
from rtfilter.system.machine import package_version
from rtfilter.system.native_logs import silence_native_logs
from rtfilter.tracking.base import Tracker

ENGINE, MEDIAPIPE = "engine", "mediapipe"
FRAMES, REPEATS, STARTS = 200, 3, 5
MEASURED_SIZES = ("720p", "1080p")
STILL_SIZE = (640, 360)


class TrackerContender:
    """A tracker as `bench.latency.measure` wants it; its stage is the processor time of all threads."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self.found = 0

    def step(self, frame: Frame) -> Mapping[str, int]:
        start = process_time_ns()
        self.found += self._tracker.track(frame) is not None
        return {"cpu": process_time_ns() - start}

    def close(self) -> None:
        self._tracker.close()


def trackers() -> dict[str, Callable[[], Tracker]]:
    """Makers of both."""
    from rtfilter.learn.mediapipe_tracker import MediaPipeTracker
    from rtfilter.tracking.engine import EngineTracker

    return {ENGINE: EngineTracker, MEDIAPIPE: MediaPipeTracker}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write tracker.json, and print the tables. 1 on a failure, 2 on usage."""
    parser = Parser(prog="python -m bench.tracker", description="Our tracker against MediaPipe's.")
    parser.add_argument(
        "--size", action="append", type=one_of("size", tuple(SIZES)), help="default: 720p and 1080p"
    )
    parser.add_argument("--frames", type=count, default=FRAMES, help=f"per repeat (default {FRAMES})")
    parser.add_argument(
        "--repeats", type=count, default=REPEATS, help=f"with fresh networks (default {REPEATS})"
    )
    parser.add_argument("--starts", type=count, default=STARTS, help=f"fresh processes (default {STARTS})")
    parser.add_argument("--footage", type=Path, help="folder of clips; without it there are no clips")
    parser.add_argument("--clip-frames", type=count, help="at most so many frames of each clip")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder (default bench/results)")
    try:
        document = run(parser.parse_args(argv))
    except RtfilterError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    print(tracker_markdown(document))
    return 0


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure what the arguments say and write the results.

    Raises InputError for footage that cannot be read, OutputError where nothing can be written.
    """
    make_folder(arguments.output)
    paths = clips_in(arguments.footage) if arguments.footage is not None else []
    provenance = provenance_now()
    provenance["versions"]["onnxruntime"] = package_version("onnxruntime")
    sizes = {
        size: measure_size(*SIZES[size], arguments.frames, arguments.repeats)
        for size in dict.fromkeys(arguments.size or MEASURED_SIZES)
    }
    makers = trackers()
    document = {
        **provenance,
        "frames": arguments.frames,
        "repeats": arguments.repeats,
        "sizes": sizes,
        "still": compare_still(makers, demo_frames(*STILL_SIZE, count=1)[0].rgb),
        "clips": {path.stem: compare_clip(makers, path, arguments.clip_frames) for path in paths},
        "starts": starts(arguments.starts),
    }
    write_json(arguments.output / "tracker.json", document)
    return document


def measure_size(width: int, height: int, frames: int, repeats: int) -> dict[str, Any]:
    """Wall and processor time of `track`, by tracker, and ours over MediaPipe's."""
    pictures = demo_frames(width, height)
    timings = {name: StageTimings(frames * repeats) for name in (ENGINE, MEDIAPIPE)}
    medians: dict[str, list[float]] = {name: [] for name in timings}
    for _ in range(repeats):
        contenders = {name: TrackerContender(make()) for name, make in trackers().items()}
        try:
            clip = islice(forth_and_back(pictures), WARM_UP_FRAMES + frames)
            for name, stages in measure(contenders, clip).items():
                for durations_ns in stages:
                    timings[name].record_all(durations_ns)
                total_ms = median(each["total"] for each in stages) / NS_PER_MS
                medians[name].append(round(total_ms, 3))
        finally:
            for contender in contenders.values():
                contender.close()
    summaries = {name: timing.summary() for name, timing in timings.items()}
    ours, theirs = summaries[ENGINE], summaries[MEDIAPIPE]
    ratios = {stage: round(ours[stage]["p50_ms"] / max(theirs[stage]["p50_ms"], 1e-9), 3) for stage in ours}
    return {
        "width": width,
        "height": height,
        "trackers": summaries,
        "ratio": ratios,
        "repeat_medians_ms": medians,
        "found": {name: contender.found for name, contender in contenders.items()},
    }


if __name__ == "__main__":
    silence_native_logs()
    sys.exit(main())
