"""`python -m bench.tracker`: our own tracker against MediaPipe's, picture by picture in turn.

Speed on the demo, steadiness on still and noisy pictures, agreement and steadiness on footage, and what
starting costs. What each figure means: bench/README.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import process_time_ns
from typing import Any

from rtfilter.bench import common
from rtfilter.bench.startup import starts, starts_table
from rtfilter.bench.tracker_clips import clips_in, compare_clip, compare_still
from rtfilter.frame import Frame
from rtfilter.learn.mediapipe_tracker import MediaPipeTracker
from rtfilter.tracking.base import Tracker
from rtfilter.tracking.engine import EngineTracker

ENGINE, MEDIAPIPE = "engine", "mediapipe"
TRACKERS: Mapping[str, Callable[[], Tracker]] = {ENGINE: EngineTracker, MEDIAPIPE: MediaPipeTracker}
TITLES = {ENGINE: "ours", MEDIAPIPE: "MediaPipe's"}
START_TITLES = ("ours", "ours, which converts the networks first", "MediaPipe's")
FRAMES, REPEATS, STARTS = 200, 3, 5
MEASURED_SIZES = ("720p", "1080p")
STILL_SIZE, START_SIZE = (640, 360), (1280, 720)


class TrackerContender:
    """A tracker as a contender; its one stage is the processor time of all threads."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def step(self, frame: Frame) -> Mapping[str, int]:
        start = process_time_ns()
        self._tracker.track(frame)
        return {"cpu": process_time_ns() - start}

    def close(self) -> None:
        self._tracker.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write tracker.json, and print the tables."""
    parser = common.argument_parser("tracker", "Our tracker against MediaPipe's.")
    parser.add_argument("--size", action="append", choices=common.SIZES, help="default: 720p and 1080p")
    parser.add_argument("--frames", type=common.count, default=FRAMES, help=f"per repeat (default {FRAMES})")
    parser.add_argument(
        "--repeats", type=common.count, default=REPEATS, help=f"with fresh networks (default {REPEATS})"
    )
    parser.add_argument(
        "--starts", type=common.count, default=STARTS, help=f"fresh processes (default {STARTS})"
    )
    parser.add_argument("--footage", type=Path, help="folder of clips; without it there are no clips")
    parser.add_argument("--clip-frames", type=common.count, help="at most so many frames of each clip")
    return common.publish(parser.parse_args(argv), "tracker", measure, tracker_markdown)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything that the arguments name. Raises InputError for footage that cannot be read."""
    paths = clips_in(arguments.footage) if arguments.footage is not None else []
    sizes = dict.fromkeys(arguments.size or MEASURED_SIZES)
    frames, repeats = arguments.frames, arguments.repeats
    return {
        "frames": frames,
        "repeats": repeats,
        "sizes": {size: measure_size(*common.SIZES[size], frames, repeats) for size in sizes},
        "still": compare_still(TRACKERS, common.demo_frames(*STILL_SIZE, count=1)[0].rgb),
        "clips": {path.stem: compare_clip(TRACKERS, path, arguments.clip_frames) for path in paths},
        "starts": starts(START_SIZE, (ENGINE, MEDIAPIPE), START_TITLES, "RTFILTER_CACHE", arguments.starts),
    }


def measure_size(width: int, height: int, frames: int, repeats: int) -> dict[str, Any]:
    """Wall and processor time of `track`, by tracker, and ours over MediaPipe's."""

    def make() -> dict[str, common.Contender]:
        return {name: TrackerContender(tracker()) for name, tracker in TRACKERS.items()}

    trackers, medians = common.compare(make, common.demo_frames(width, height), frames, repeats)
    ours, theirs = trackers[ENGINE], trackers[MEDIAPIPE]
    ratios = {stage: round(ours[stage]["p50_ms"] / max(theirs[stage]["p50_ms"], 1e-9), 3) for stage in ours}
    measured = {"width": width, "height": height, "trackers": trackers, "ratio": ratios}
    return {**measured, "repeat_medians_ms": medians}


def tracker_markdown(document: Mapping[str, Any]) -> str:
    """Tables of speed, steadiness, clips and starts, and where they were measured."""
    speeds, clips = [], []
    for size, measured in document["sizes"].items():
        for name, stages in measured["trackers"].items():
            times = [f"{stages['total'][share]:.2f}" for share in ("p50_ms", "p95_ms", "p99_ms")]
            ratio = f"{measured['ratio']['total']:.2f}" if name == ENGINE else ""
            speeds.append((size, TITLES[name], *times, f"{stages['cpu']['p50_ms']:.2f}", ratio))
    for name, clip in document["clips"].items():
        near = clip["agreement"]
        apart = (f"{near[of]:.2f} %" for of in near) if near else ("-", "-")
        found = ", ".join(str(frames) for frames in clip["found"].values())
        clips.append((name, clip["frames"], found, *apart, *_shakes(clip)))
    shakes = ("shake of ours", "of MediaPipe's", "ratio")
    lines = common.table(
        ("size", "tracker", "median", "p95", "p99", "processor time", "ours / MediaPipe's"), *speeds
    )
    still = [(what, *_shakes(found)) for what, found in document["still"].items()]
    lines += ["", *common.table(("picture", *shakes), *still)]
    if clips:
        near = ("found, ours and MediaPipe's", "median apart", "p99 of frames")
        lines += ["", *common.table(("clip", "frames", *near, *shakes), *clips)]
    return "\n".join([*lines, "", *starts_table(document["starts"]), "", common.provenance_line(document)])


def _shakes(found: Mapping[str, Any]) -> list[str]:
    shown = [f"{value:.3f} %" if value is not None else "-" for value in found["shake_percent"].values()]
    return [*shown, f"{found['ratio']:.2f}" if found["ratio"] is not None else "-"]


if __name__ == "__main__":
    common.run_as_program(main)
