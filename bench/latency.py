"""`python -m bench.latency`: frame in -> frame out, against the floor and against a day's work.

All contenders see the same frames in the same run, frame by frame in turn, so that whatever else the
machine does hits all of them alike.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from itertools import islice, permutations
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any

from rtfilter.bench.contenders import TITLES, Contender, all_contenders
from rtfilter.bench.report import latency_markdown, limits, plot_latency
from rtfilter.cli.bench import SIZES, WARM_UP_FRAMES, demo_frames, forth_and_back
from rtfilter.cli.output import write_json
from rtfilter.cli.parser import Parser, count, one_of
from rtfilter.controls import Controls
from rtfilter.errors import OutputError, RtfilterError
from rtfilter.frame import Frame
from rtfilter.system.clock import NS_PER_MS, StageTimings
from rtfilter.system.machine import machine_facts, versions
from rtfilter.system.native_logs import silence_native_logs

RESULTS = Path(__file__).resolve().parent / "results"
FRAMES = 200
# Each with fresh contenders: threads that the scheduler placed badly stay there as long as they live.
REPEATS = 3
CONTROLS = Controls(emotions={"happy": 1.0})


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write latency.json and latency.png, and print the table. 1 on a failure, 2 on usage."""
    parser = Parser(prog="python -m bench.latency", description="Latency of every size, against the floor.")
    parser.add_argument("--size", action="append", type=one_of("size", tuple(SIZES)), help="default: all")
    parser.add_argument("--frames", type=count, default=FRAMES, help=f"per repeat (default {FRAMES})")
    parser.add_argument(
        "--repeats", type=count, default=REPEATS, help=f"with fresh networks (default {REPEATS})"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder (default bench/results)")
    try:
        arguments = parser.parse_args(argv)
        document = run(arguments)
    except RtfilterError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    print(latency_markdown(document))
    return 0


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure what the arguments say and write the results. Raises OutputError."""
    make_folder(arguments.output)
    provenance = provenance_now()
    sizes: dict[str, Any] = {}
    for size in dict.fromkeys(arguments.size or SIZES):
        print(f"{size}: {arguments.repeats} x {arguments.frames} frames", file=sys.stderr, flush=True)
        sizes[size] = measure_size(*SIZES[size], arguments.frames, arguments.repeats)
    document = {
        **provenance,
        "controls": CONTROLS.as_dict(),
        "frames": arguments.frames,
        "repeats": arguments.repeats,
        "sizes": sizes,
        "limits": limits(sizes),
    }
    write_json(arguments.output / "latency.json", document)
    plot_latency(document, arguments.output / "latency.png")
    return document


def measure_size(width: int, height: int, frames: int, repeats: int) -> dict[str, Any]:
    """Percentiles by contender and stage on demo frames of that size, and every repeat's own medians."""
    pictures = demo_frames(width, height)
    timings = {name: StageTimings(frames * repeats) for name in TITLES}
    medians: dict[str, list[float]] = {name: [] for name in TITLES}
    for _ in range(repeats):
        contenders = all_contenders(CONTROLS)
        try:
            clip = islice(forth_and_back(pictures), WARM_UP_FRAMES + frames)
            for name, stages in measure(contenders, clip).items():
                for durations_ns in stages:
                    timings[name].record_all(durations_ns)
                total_ms = median(durations_ns["total"] for durations_ns in stages) / NS_PER_MS
                medians[name].append(round(total_ms, 3))
        finally:
            for contender in contenders.values():
                contender.close()
    summaries = {name: timing.summary() for name, timing in timings.items()}
    return {"width": width, "height": height, "contenders": summaries, "repeat_medians_ms": medians}


def measure(contenders: Mapping[str, Contender], frames: Iterable[Frame]) -> dict[str, list[dict[str, int]]]:
    """Show every frame to all contenders in turn; nanoseconds by stage of all but the first frames.

    The order changes with every frame and runs through all there are, so that each contender comes after
    each other one equally often: caches and threads that another left behind are shared out fairly.
    """
    kept: dict[str, list[dict[str, int]]] = {name: [] for name in contenders}
    orders = list(permutations(contenders))
    for number, frame in enumerate(frames):
        for name in orders[number % len(orders)]:
            start = perf_counter_ns()
            stages = contenders[name].step(frame)
            total = perf_counter_ns() - start
            if number >= WARM_UP_FRAMES:
                kept[name].append({**stages, "total": total})
    return kept


def provenance_now() -> dict[str, Any]:
    """When, on what, with what, and how busy it was."""
    load = [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine_facts(),
        "versions": versions(),
        "load_average": load,
    }


def make_folder(path: Path) -> None:
    """Raises OutputError when there is no such folder and none can be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be made a folder ({error.strerror}): name another") from error


if __name__ == "__main__":
    silence_native_logs()
    sys.exit(main())
