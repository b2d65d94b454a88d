"""`python -m bench.latency`: frame in to frame out, against FaceMesh alone and FaceMesh with a smile warp.

`rtfilter bench` calls `measure_filter`, which times the product alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from rtfilter.bench import common
from rtfilter.bench.common import PROCESSOR
from rtfilter.bench.contenders import FACEMESH, MLS, RTFILTER, TITLES, Rtfilter, all_contenders
from rtfilter.controls import Controls
from rtfilter.errors import Notify
from rtfilter.frame import Frame
from rtfilter.gpu.choose import LaneChoice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FRAMES, REPEATS = 200, 3
CONTROLS = Controls(emotions={"happy": 1.0})
MAX_FRAMES = 20_000  # of a measurement by time
# The largest ratios that were promised, by size and what is compared.
FLOOR, SPREAD = "median / FaceMesh median", "p99 / median"
PROMISED = (("720p", FLOOR, 1.5), ("720p", SPREAD, 2.0), ("1080p", FLOOR, 1.8))
STAGE_COLOURS = {
    "track": "#9aa5b1", "fit": "#6a4c93", "edit": "#1982c4", "render": "#8ac926", "warp": "#ffca3a",
}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write latency.json and latency.png, and print the tables."""
    parser = common.argument_parser("latency", "Latency of every size, against the floor.")
    parser.add_argument("--size", action="append", choices=common.SIZES, help="default: all")
    parser.add_argument("--frames", type=common.count, default=FRAMES, help=f"per repeat (default {FRAMES})")
    parser.add_argument(
        "--repeats", type=common.count, default=REPEATS, help=f"with fresh networks (default {REPEATS})"
    )
    return common.publish(parser.parse_args(argv), "latency", measure, latency_markdown, latency_plot)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Percentiles by size, contender and stage, and the promises."""
    frames, repeats = arguments.frames, arguments.repeats
    sizes: dict[str, Any] = {}
    for size in dict.fromkeys(arguments.size or common.SIZES):
        common.notify(f"{size}: {repeats} x {frames} frames")
        width, height = common.SIZES[size]
        pictures = common.demo_frames(width, height)
        contenders, medians = common.compare(lambda: all_contenders(CONTROLS), pictures, frames, repeats)
        measured = {"width": width, "height": height, "contenders": contenders}
        sizes[size] = {**measured, "repeat_medians_ms": medians}
    how = {"controls": CONTROLS.as_dict(), "frames": frames, "repeats": repeats}
    return {**how, "sizes": sizes, "limits": limits(sizes)}


def measure_filter(
    width: int, height: int, controls: Controls, seconds: float, lane: LaneChoice, notify: Notify
) -> dict[str, Any]:
    """Milliseconds to the first filtered frame, and percentiles of every stage over `seconds`."""
    pictures = common.demo_frames(width, height)
    started_s = time.perf_counter()
    contender = Rtfilter(controls, lane, notify)
    try:
        contender.step(pictures[0])
        start_up_ms = 1e3 * (time.perf_counter() - started_s)
        steps = common.interleaved(
            {RTFILTER: contender}, _for_seconds(common.forth_and_back(pictures), seconds)
        )
    finally:
        contender.close()
    stages = common.by_stage(steps[RTFILTER])
    return {"width": width, "height": height, "start_up_ms": round(start_up_ms, 1), "stages": stages}


def _for_seconds(frames: Iterable[Frame], seconds: float) -> Iterator[Frame]:
    """The first frames, and then those of `seconds`; at least one."""
    end_s = 0.0
    for number, frame in enumerate(islice(frames, MAX_FRAMES)):
        if number == common.WARM_UP_FRAMES:
            end_s = time.perf_counter() + seconds
        elif number > common.WARM_UP_FRAMES and time.perf_counter() >= end_s:
            return
        yield frame


def limits(sizes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The promises about the sizes that were measured, and their outcome."""
    found = []
    for size, what, most in PROMISED:
        if size in sizes:
            contenders = sizes[size]["contenders"]
            ours, floor = contenders[RTFILTER]["total"], contenders[FACEMESH]["total"]
            ratio = ours["p50_ms"] / floor["p50_ms"] if what == FLOOR else ours["p99_ms"] / ours["p50_ms"]
            found.append(common.limit(f"{size}: {what}", f"{ratio:.2f}", f"{most:.2f}", ratio <= most))
    return found


def latency_markdown(document: Mapping[str, Any]) -> str:
    """Tables of all contenders, the product's stages and the promises, and where it was measured."""
    totals, stages = [], []
    for size, measured in document["sizes"].items():
        floor = measured["contenders"][FACEMESH]["total"]["p50_ms"]
        for name in (FACEMESH, RTFILTER, MLS):
            total = measured["contenders"][name]["total"]
            used = measured["contenders"][name].get(PROCESSOR)
            title = f"**{TITLES[name]}**" if name == RTFILTER else TITLES[name]
            processor = f"{used['p50_ms']:.1f} ms" if used else ""
            totals.append((size, title, *_ms(total), f"{total['p50_ms'] / floor:.2f}", processor))
        ours = measured["contenders"][RTFILTER]
        stages += [(size, stage, *_ms(times)) for stage, times in ours.items() if stage != PROCESSOR]
    lines = [
        *common.table(("size", "", "median", "p95", "p99", "median / floor", "processor time"), *totals),
        "",
        *common.table(("size", "stage of rtfilter", "median", "p95", "p99"), *stages),
        *common.limits_table(document["limits"]),
    ]
    return "\n".join([*lines, "", common.provenance_line(document)])


def latency_plot(document: Mapping[str, Any]) -> Figure:
    """Medians as stacked stages and p99 as a tick, a bar a contender and size."""
    # Imported here: `rtfilter bench` needs no plotting library.
    from matplotlib.figure import Figure

    rows = [(size, name) for size in document["sizes"] for name in (FACEMESH, RTFILTER, MLS)]
    figure = Figure(figsize=(8, 0.7 + 0.34 * len(rows)), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    named: set[str] = set()
    for row, (size, name) in enumerate(rows):
        stages = dict(document["sizes"][size]["contenders"][name])
        total = stages.pop("total")
        stages.pop(PROCESSOR, None)
        start_ms = 0.0
        for stage, times in stages.items():
            label = None if stage in named else stage
            named.add(stage)
            colour = STAGE_COLOURS.get(stage, "#444444")
            axes.barh(row, times["p50_ms"], left=start_ms, color=colour, height=0.7, label=label)
            start_ms += times["p50_ms"]
        axes.plot([total["p99_ms"]] * 2, [row - 0.35, row + 0.35], color="black", linewidth=1.5)
    axes.set_yticks(range(len(rows)), [f"{size}  {TITLES[name]}" for size, name in rows])
    axes.invert_yaxis()
    axes.set_xlabel("ms, frame in to frame out: median by stage; black: p99")
    above = (0.4, 1.0 + 1.0 / len(rows))
    axes.legend(ncols=len(named), loc="upper center", bbox_to_anchor=above, frameon=False)
    return figure


def _ms(times: Mapping[str, float]) -> list[str]:
    return [f"{times[name]:.1f} ms" for name in ("p50_ms", "p95_ms", "p99_ms")]


if __name__ == "__main__":
    common.run_as_program(main)
