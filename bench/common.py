"""What the benchmarks share: sizes, demo frames, interleaved contenders, percentiles, results and tables.

Used by every module of `bench` and by the verb `rtfilter bench`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from itertools import islice, permutations
from pathlib import Path
from statistics import median
from time import perf_counter_ns, process_time_ns
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import numpy as np
import numpy.typing as npt

from rtfilter.errors import RtfilterError
from rtfilter.frame import NANOSECONDS, Frame
from rtfilter.system.clock import NS_PER_MS, NS_PER_S
from rtfilter.system.files import write_text_atomically
from rtfilter.system.interrupts import interrupt_on_signals
from rtfilter.system.machine import machine_facts, versions
from rtfilter.system.native_logs import silence_native_logs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES = {"480p": (854, 480), "720p": (1280, 720), "1080p": (1920, 1080)}
RESULTS = Path(__file__).resolve().parent / "results"
FPS = 30
PROCESSOR = "processor"  # beside the stages of a step: time of the processor
# The tracker's first frames run its detector, and Numba loads its kernels in the first edit.
WARM_UP_FRAMES = 15
# The demo's frames are drawn before the clock starts, so few are kept and shown again and again.
DISTINCT_FRAMES = 30


class Contender(Protocol):
    """A way to process a stream, frame by frame."""

    def step(self, frame: Frame) -> Mapping[str, int]:
        """Process one frame; nanoseconds by stage."""
        ...

    def close(self) -> None:
        """Release networks, memory and threads."""
        ...


def demo_frames(width: int, height: int, count: int = DISTINCT_FRAMES) -> list[Frame]:
    """The demo's first frames at that size."""
    from rtfilter.sources.demo import DemoSource

    source = DemoSource(width=width, height=height, frame_count=count)
    try:
        return [source.frame(number) for number in range(count)]
    finally:
        source.close()


def forth_and_back(frames: Sequence[Frame]) -> Iterator[Frame]:
    """`frames` as an endless clip without a cut, pts running on at 30 frames a second."""
    period = [*frames, *frames[-2:0:-1]]
    number = 0
    while True:
        picture = period[number % len(period)]
        due_ns = number * NS_PER_S // FPS
        yield replace(picture, pts=due_ns, time_base=NANOSECONDS, captured_ns=due_ns, seq=number)
        number += 1


def interleaved(
    contenders: Mapping[str, Contender], frames: Iterable[Frame]
) -> dict[str, list[dict[str, int]]]:
    """Nanoseconds by stage of every frame after the first WARM_UP_FRAMES, by contender; `total` is the call,
    and PROCESSOR what all threads of this process computed meanwhile.

    All contenders get every frame. Their order changes with each frame and runs through all permutations, so
    that each follows each other one equally often: caches and threads left behind burden all alike.
    """
    kept: dict[str, list[dict[str, int]]] = {name: [] for name in contenders}
    orders = list(permutations(contenders))
    for number, frame in enumerate(frames):
        for name in orders[number % len(orders)]:
            used, start = process_time_ns(), perf_counter_ns()
            stages = contenders[name].step(frame)
            total, used = perf_counter_ns() - start, process_time_ns() - used
            if number >= WARM_UP_FRAMES:
                kept[name].append({**stages, "total": total, PROCESSOR: used})
    return kept


def compare(
    make: Callable[[], Mapping[str, Contender]], pictures: Sequence[Frame], frames: int, repeats: int
) -> tuple[dict[str, dict[str, Any]], dict[str, list[float]]]:
    """Percentiles by contender and stage over all repeats, and every repeat's own median total in ms.

    Each repeat makes its contenders anew: a thread that the scheduler placed badly stays there as long as
    it lives.
    """
    pooled: dict[str, list[dict[str, int]]] = {}
    medians: dict[str, list[float]] = {}
    for _ in range(repeats):
        contenders = make()
        try:
            clip = islice(forth_and_back(pictures), WARM_UP_FRAMES + frames)
            for name, steps in interleaved(contenders, clip).items():
                pooled.setdefault(name, []).extend(steps)
                total_ms = median(step["total"] for step in steps) / NS_PER_MS
                medians.setdefault(name, []).append(round(total_ms, 3))
        finally:
            for contender in contenders.values():
                contender.close()
    return {name: by_stage(steps) for name, steps in pooled.items()}, medians


def by_stage(steps: Sequence[Mapping[str, int]]) -> dict[str, Any]:
    """Percentiles by stage of the nanoseconds of many steps; a stage may be missing in some of them."""
    stages = dict.fromkeys(stage for step in steps for stage in step)
    return {
        stage: percentiles([step[stage] / NS_PER_MS for step in steps if stage in step]) for stage in stages
    }


def percentiles(values_ms: Sequence[float] | npt.NDArray[np.float64]) -> dict[str, float] | None:
    """Median, p95, p99, maximum and count of durations in milliseconds; None without any."""
    if not len(values_ms):
        return None
    p50, p95, p99, most = np.percentile(values_ms, (50, 95, 99, 100))
    named = {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "max_ms": most}
    return {name: round(float(value), 3) for name, value in named.items()} | {"count": len(values_ms)}


def provenance() -> dict[str, Any]:
    """Date, machine, versions with the commit, and load average: the head of every result."""
    load = [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine_facts(),
        "versions": versions(),
        "load_average": load,
    }


def provenance_line(document: Mapping[str, Any]) -> str:
    """One sentence: machine, load, versions, commit, date."""
    machine, packages = document["machine"], document["versions"]
    load = document["load_average"]
    busy = f", load average {load[0]:.2f} at the start" if load else ""
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB{busy}; Python "
        f"{packages['python']}, MediaPipe {packages['mediapipe']}, commit {packages['commit'] or 'unknown'}, "
        f"{document['date'][:10]}."
    )


def limit(what: str, value: str, most: str, met: bool) -> dict[str, Any]:
    """A published limit and the measured value, both as text."""
    return {"what": what, "value": value, "limit": most, "met": met}


def limits_table(limits: Sequence[Mapping[str, Any]]) -> list[str]:
    """The published limits as a Markdown table; empty without any."""
    rows = [
        (one["what"], one["limit"], one["value"], "met" if one["met"] else "**missed**") for one in limits
    ]
    return ["", *table(("promised", "limit", "measured", ""), *rows)] if rows else []


def table(*rows: Sequence[object]) -> list[str]:
    """A Markdown table, a string a line; the first row is its head."""
    head, *rest = ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return [head, "|" + "---|" * len(rows[0]), *rest]


def argument_parser(name: str, what: str) -> argparse.ArgumentParser:
    """The parser of `python -m bench.NAME`, with `--output`."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}", description=what)
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder (default bench/results)")
    return parser


def count(text: str) -> int:
    """An argparse type: a whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def save_plot(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="png")


def notify(line: str) -> None:
    """Progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


def publish(
    arguments: argparse.Namespace,
    name: str,
    measure: Callable[[argparse.Namespace], dict[str, Any]],
    markdown: Callable[[Mapping[str, Any]], str],
    plot: Callable[[Mapping[str, Any]], Figure] | None = None,
) -> int:
    """Measure, write NAME.json and NAME.png into `--output`, and print the tables; the exit code.

    When it fails or is interrupted, nothing is written and one line on standard error gives the reason.
    """
    folder: Path = arguments.output
    try:
        folder.mkdir(parents=True, exist_ok=True)
        document = {**provenance(), **measure(arguments)}
        write_text_atomically(folder / f"{name}.json", json.dumps(document, indent=2) + "\n")
        if plot is not None:
            save_plot(plot(document), folder / f"{name}.png")
    except (RtfilterError, OSError) as error:
        notify(f"bench: {error}")
        return 1
    except KeyboardInterrupt:
        notify("bench: interrupted, nothing was written")
        return 128 + signal.SIGINT
    print(markdown(document))
    return 0


def run_as_program(main: Callable[[], int]) -> NoReturn:
    """Run `main` as a process of its own: native logs off; SIGTERM and SIGHUP end it as Ctrl-C does."""
    silence_native_logs()
    interrupt_on_signals()
    sys.exit(main())
