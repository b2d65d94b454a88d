"""`python -m bench.tracker_far`: how small a face the tracker finds, how soon, and what it takes for one.

People of footage, made small, in pictures without faces. What each figure means: bench/README.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter_ns, process_time_ns
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.bench import common
from rtfilter.bench.far_scenes import FPS, Scene, backgrounds, people, scenes
from rtfilter.bench.tracker_clips import clips_in, iod_px, shake
from rtfilter.errors import InputError
from rtfilter.frame import Frame
from rtfilter.tracking.engine import EngineTracker

SIZES: Mapping[str, tuple[int, int]] = {"720p": (1280, 720), "1080p": (1920, 1080)}
SHARES = (0.03, 0.04, 0.05, 0.06, 0.08, 0.10, 0.13, 0.18)
FRAMES = 36  # of a scene
EMPTY_FRAMES = 600  # of each picture without a face
BEST_WITHIN_S = 0.7  # a round of the search


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write tracker-far.json, and print the tables."""
    parser = common.argument_parser("tracker-far", "How small a face our tracker finds.")
    parser.add_argument(
        "--footage", type=Path, action="append", required=True, help="folder of clips of one person each"
    )
    parser.add_argument("--size", action="append", choices=SIZES, help="default: both")
    parser.add_argument("--empty", type=common.count, default=EMPTY_FRAMES, help="frames without a face")
    return common.publish(parser.parse_args(argv), "tracker-far", measure, far_markdown)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Recall, jitter and time by size of face; false faces. InputError for footage that cannot be read."""
    clips = [clip for folder in arguments.footage for clip in clips_in(folder)]
    tracker = EngineTracker()
    sizes: dict[str, Any] = {}
    try:
        actors, rooms = people(clips, tracker, FRAMES), backgrounds(clips, tracker)
        if not actors:
            raise InputError(
                f"no clip shows a face in each of its first {FRAMES} frames: name other --footage"
            )
        for size in dict.fromkeys(arguments.size or SIZES):
            width, height = SIZES[size]
            by_share: dict[str, Any] = {}
            for share in SHARES:
                common.notify(f"{size}: faces {round(share * width)} px wide")
                shown = [show(tracker, scene) for scene in scenes(actors, rooms, width, height, share)]
                by_share[f"{share:g}"] = summary(shown) | {"width_px": round(share * width)}
            empty = without_faces(tracker, rooms, width, height, arguments.empty)
            sizes[size] = {"width": width, "height": height, "faces": by_share, "empty": empty}
    finally:
        tracker.close()
    return {"people": len(actors), "backgrounds": list(rooms), "frames": FRAMES, "sizes": sizes}


def show(tracker: EngineTracker, scene: Scene) -> dict[str, Any]:
    """One scene from its first frame on: when its face is found, how often then, how near and how calm."""
    tracker.reset()
    empty = Scene(None, scene.room, scene.width, scene.height, 0.0, scene.place, scene.seed)
    # A stream's first picture is searched whole; here, one after another is what counts.
    tracker.track(Frame.from_rgb(empty.frame(0)[0], pts=0, seq=0))
    found: list[npt.NDArray[np.float32] | None] = []
    wrong = 0
    apart: list[float] = []
    for seq in range(FRAMES):
        rgb, truth_px = scene.frame(seq)
        landmarks = tracker.track(Frame.from_rgb(rgb, pts=(seq + 1) * 10**9 // FPS, seq=seq + 1))
        points = None if landmarks is None else landmarks.points_px
        if points is not None:
            off = np.linalg.norm((points - truth_px)[:, :2], axis=1) / iod_px(truth_px)
            if np.median(off) > 0.3:
                wrong, points = wrong + 1, None
            else:
                apart.append(100.0 * float(np.median(off)))
        found.append(points)
    first = next((seq for seq, points in enumerate(found) if points is not None), None)
    kept = None if first is None else float(np.mean([points is not None for points in found[first:]]))
    return {"first": first, "kept": kept, "wrong": wrong, "apart": apart, "shake": shake(found)}


def summary(shown: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of all scenes with faces of one size."""
    firsts = [each["first"] for each in shown if each["first"] is not None]
    apart = [value for each in shown for value in each["apart"]]
    shakes = [each["shake"] for each in shown if each["shake"] is not None]
    kept = [each["kept"] for each in shown if each["kept"] is not None]
    return {
        "scenes": len(shown),
        "at_once": round(sum(first <= 1 for first in firsts) / len(shown), 3),
        "within_a_round": round(sum(first <= BEST_WITHIN_S * FPS for first in firsts) / len(shown), 3),
        "found": round(len(firsts) / len(shown), 3),
        "median_s": round(float(np.median(firsts)) / FPS, 2) if firsts else None,
        "kept": round(float(np.mean(kept)), 3) if kept else None,
        "wrong_frames": sum(each["wrong"] for each in shown),
        "apart_percent": round(float(np.median(apart)), 2) if apart else None,
        "shake_percent": round(float(np.median(shakes)), 2) if shakes else None,
    }


def without_faces(
    tracker: EngineTracker, rooms: Mapping[str, Any], width: int, height: int, frames: int
) -> dict[str, Any]:
    """False faces a minute, and milliseconds a frame: wall, and processor time of all threads."""
    false, starts, wall, busy = 0, 0, [], 0
    for number, room in enumerate(rooms.values()):
        tracker.reset()
        scene, before = Scene(None, room, width, height, 0.0, (0.5, 0.5), seed=number), False
        for seq in range(frames):
            rgb, _ = scene.frame(seq)
            frame = Frame.from_rgb(rgb, pts=seq * 10**9 // FPS, seq=seq)
            start, spent = perf_counter_ns(), process_time_ns()
            there = tracker.track(frame) is not None
            wall.append((perf_counter_ns() - start) * 1e-6)
            busy += process_time_ns() - spent
            false, starts, before = false + there, starts + (there and not before), there
    total = frames * len(rooms)
    return {
        "minutes": round(total / FPS / 60, 2),
        "false_frames": false,
        "false_faces": starts,
        "ms": common.percentiles(wall),
        "processor_ms": round(busy * 1e-6 / total, 2),
    }


def far_markdown(document: Mapping[str, Any]) -> str:
    """A table by size of the picture and of the face, one of false faces, and where it was measured."""
    rows, empty = [], []
    for size, measured in document["sizes"].items():
        for share, each in measured["faces"].items():
            after = "-" if each["median_s"] is None else f"{each['median_s']:.2f} s"
            shares = [_percent(each[of]) for of in ("at_once", "within_a_round", "found")]
            calm = [_percent(each[of], 0.01, 2) for of in ("apart_percent", "shake_percent")]
            face = (size, f"{100 * float(share):.0f} %", each["width_px"])
            rows.append((*face, *shares, after, _percent(each["kept"]), *calm))
        none = measured["empty"]
        times = [
            f"{value:.2f} ms" for value in (none["ms"]["p50_ms"], none["ms"]["p95_ms"], none["processor_ms"])
        ]
        empty.append((size, none["minutes"], none["false_faces"], none["false_frames"], *times))
    head = ("picture", "face", "px", "at once", f"in {BEST_WITHIN_S} s", "in 1.2 s", "median", "kept")
    none_head = (
        "picture without faces",
        "minutes",
        "false faces",
        "frames with one",
        "median",
        "p95",
        "processor",
    )
    lines = [*common.table((*head, "apart", "shake"), *rows), "", *common.table(none_head, *empty)]
    return "\n".join([*lines, "", common.provenance_line(document)])


def _percent(share: float | None, unit: float = 1.0, digits: int = 0) -> str:
    return "-" if share is None else f"{100 * unit * share:.{digits}f} %"


if __name__ == "__main__":
    common.run_as_program(main)
