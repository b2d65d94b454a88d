"""`rtfilter bench`: frame in, filtered frame out, stage by stage, on the built-in demo picture."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from rtfilter.cli.settings import chosen_lane, controls_for, settings_for
from rtfilter.cli.terminal import announce, notify
from rtfilter.controls import Controls
from rtfilter.errors import UsageError, nearest
from rtfilter.frame import NANOSECONDS, Frame
from rtfilter.gpu.choose import LaneChoice
from rtfilter.gpu.lane import StepResult
from rtfilter.system.clock import NS_PER_S, StageSummary, StageTimings
from rtfilter.system.machine import machine_facts, versions

SIZES = {"480p": (854, 480), "720p": (1280, 720), "1080p": (1920, 1080)}
# The tracker's first frames run its detector, and Numba loads its kernels in the first edit.
WARM_UP_FRAMES = 15
MAX_FRAMES = 20_000
# The demo's frames are rendered before the clock starts, so few are kept and shown again and again.
DISTINCT_FRAMES = 30


class TimedFilter(Protocol):
    """The part of `FaceFilter` that is measured."""

    def step(self, frame: Frame, controls: Controls) -> StepResult: ...


def bench(arguments: argparse.Namespace) -> int:
    """Measure the chosen sizes and print a table, or JSON with machine and commit."""
    # Here and not by the parser, which would miss that a mistyped option's value has landed in it.
    if arguments.what not in (None, "webrtc"):
        raise UsageError(f"unknown benchmark {arguments.what!r}:{nearest(arguments.what, ['webrtc'])}")
    if arguments.what == "webrtc":
        from rtfilter.cli.bench_webrtc import bench_webrtc

        return bench_webrtc(arguments)
    if arguments.minutes is not None:
        raise UsageError("--minutes goes with `rtfilter bench webrtc`; here it is --seconds")
    settings = settings_for(arguments)
    controls = controls_for(settings)
    if not controls.has_target:
        controls = controls.with_(emotions={"happy": 1.0})
    lane = chosen_lane(arguments, settings.values)
    announce(lane, quiet=arguments.json)
    results = {}
    for size in dict.fromkeys(arguments.size or ("720p",)):
        results[size] = bench_size(*SIZES[size], controls, arguments.seconds, lane)
        if not arguments.json:
            print(f"{size}\n{stage_table(results[size]['stages'])}", flush=True)
    if arguments.json:
        document = {
            "machine": machine_facts(),
            "versions": versions(),
            "lane": {"name": lane.lane, "why": lane.why},
            "controls": controls.as_dict(),
            "sizes": results,
        }
        print(json.dumps(document, indent=2))
    return 0


def bench_size(
    width: int, height: int, controls: Controls, seconds: float, lane: LaneChoice
) -> dict[str, Any]:
    """Latency on demo frames of one size: start-up to the first filtered frame, and every stage."""
    frames = demo_frames(width, height)
    started_ns = time.perf_counter_ns()
    from rtfilter.filter import FaceFilter

    face_filter = FaceFilter(lane=lane, say=notify)
    try:
        face_filter.step(frames[0], controls)
        start_up_ms = (time.perf_counter_ns() - started_ns) / 1e6
        stages = measure(face_filter, frames, controls, seconds)
    finally:
        face_filter.close()
    return {"width": width, "height": height, "start_up_ms": round(start_up_ms, 1), "stages": stages}


def demo_frames(width: int, height: int, count: int = DISTINCT_FRAMES) -> list[Frame]:
    """The demo's first frames at that size, drawn now and not while a clock runs."""
    from rtfilter.sources.demo import DemoSource

    source = DemoSource(width=width, height=height, frame_count=count)
    try:
        return [source.frame(number) for number in range(count)]
    finally:
        source.close()


def measure(
    face_filter: TimedFilter, frames: list[Frame], controls: Controls, seconds: float
) -> dict[str, StageSummary]:
    """Show `frames` forth and back for `seconds`, as steps of one running clip; percentiles by stage.

    `total` is measured around the call; the stages are the filter's own.
    """
    timings = StageTimings(capacity=MAX_FRAMES)
    deadline_ns = 0
    for number, frame in enumerate(forth_and_back(frames)):
        started_ns = time.perf_counter_ns()
        report = face_filter.step(frame, controls).report
        ended_ns = time.perf_counter_ns()
        if number < WARM_UP_FRAMES:
            deadline_ns = ended_ns + int(seconds * NS_PER_S)
            continue
        timings.record_all({**report.stage_ns, "total": ended_ns - started_ns})
        if ended_ns >= deadline_ns or number >= MAX_FRAMES:
            break
    return timings.summary()


def stage_table(stages: Mapping[str, StageSummary]) -> str:
    """The summary as lines of text, a stage a line, in milliseconds."""
    lines = [f"  {'stage':<12}{'median':>9}{'p95':>9}{'p99':>9} ms"]
    lines += [
        f"  {stage:<12}{t['p50_ms']:>9.2f}{t['p95_ms']:>9.2f}{t['p99_ms']:>9.2f}"
        for stage, t in stages.items()
    ]
    return "\n".join(lines)


def forth_and_back(frames: list[Frame]) -> Iterable[Frame]:
    """`frames` as an endless clip without a cut, pts running on at 30 frames a second."""
    period = [*frames, *frames[-2:0:-1]]
    number = 0
    while True:
        picture = period[number % len(period)]
        due_ns = number * NS_PER_S // 30
        yield replace(picture, pts=due_ns, time_base=NANOSECONDS, captured_ns=due_ns, seq=number)
        number += 1
