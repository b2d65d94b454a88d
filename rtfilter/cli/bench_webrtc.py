"""`rtfilter bench webrtc`: how old a picture is when it comes back, read in its pixels."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from rtfilter.cli.bench import SIZES
from rtfilter.cli.serve import require_serve_extra
from rtfilter.cli.settings import chosen_lane, controls_for, settings_for
from rtfilter.cli.terminal import announce
from rtfilter.controls import Controls
from rtfilter.gpu.choose import LaneChoice
from rtfilter.system.machine import machine_facts, versions

# Two turns: enough to see whether the machine was quiet, and short.
ROUNDS = 2
EMOTION = {"happy": 0.8}
# As many pictures as the boundaries inside the process are timed over.
INSIDE_PICTURES = 200


def bench_webrtc(arguments: argparse.Namespace) -> int:
    """Measure and print tables, or JSON with machine and commit."""
    require_serve_extra()
    settings = settings_for(arguments)
    controls = controls_for(settings)
    if not controls.has_target:
        controls = controls.with_(emotions=EMOTION)
    lane = chosen_lane(arguments, settings.values)
    announce(lane, quiet=arguments.json)
    results = {}
    for size in dict.fromkeys(arguments.size or ("720p",)):
        results[size] = bench_size(
            *SIZES[size], controls=controls, seconds=arguments.seconds, minutes=arguments.minutes, lane=lane
        )
        if not arguments.json:
            print(f"{size}, glass to glass, ms\n{table(results[size])}", flush=True)
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
    width: int, height: int, *, controls: Controls, seconds: float, minutes: float | None, lane: LaneChoice
) -> dict[str, Any]:
    """All boundaries at one size; the long run only where `minutes` are given. Raises DeviceError."""
    # Here, not above: they need the extra, whose absence is told in one line.
    from rtfilter.bench.webrtc_contenders import ECHO, FILTER, USUAL, Ring
    from rtfilter.bench.webrtc_inside import inside
    from rtfilter.bench.webrtc_measure import compare, endure, wish
    from rtfilter.bench.webrtc_processes import echo_server, filter_server
    from rtfilter.bench.webrtc_record import ClientSpec

    base = ClientSpec("", width=width, height=height, seconds=seconds, controls=controls.as_dict())
    with Ring({ECHO: echo_server(), FILTER: filter_server("--lane", lane.lane)}) as ring:
        result: dict[str, Any] = {
            "inside": inside(width, height, controls, INSIDE_PICTURES, lane=lane),
            "webrtc": compare(ring, USUAL, base, ROUNDS, tell),
            "wishes": wish(ring, base, tell, times=1),
        }
        if minutes is not None:
            result["long"] = endure(ring, base, minutes, tell)
    return result


def table(result: Mapping[str, Any]) -> str:
    """The figures of one size as lines of text, in milliseconds."""
    lines = [f"  {'':<52}{'median':>8}{'p95':>8}{'p99':>8}{'dropped':>9}{'repeated':>9}"]
    for title, age in (
        ("model only", result["inside"]["model"]),
        ("picture in, picture out", result["inside"]["picture"]),
    ):
        lines.append(f"  {title:<52}{_ages(age)}")
    rows = [*result["webrtc"].values(), *([result["long"]] if "long" in result else [])]
    for figures in rows:
        lost = f"{figures['dropped']:>9}{figures['repeated']:>9}"
        lines.append(f"  {figures['title']:<52}{_ages(figures['age'])}{lost}")
    stock, filtered = (result["webrtc"][name]["age"] for name in ("stock", "filtered"))
    if stock and filtered:
        lines.append(f"  with the filter / stock aiortc without: {filtered['p50_ms'] / stock['p50_ms']:.2f}")
    seen = result["wishes"]["pictures_seen"]
    if seen:
        lines.append(f"  a wish is seen after {seen['median']:g} pictures, at most {seen['max']:g}")
    if "long" in result and (slope := result["long"]["slope"]) is not None:
        growth = f"{slope['ms_per_min']:+.3f} ms a minute (standard error {slope['standard_error']:.3f})"
        lines.append(f"  the age changes by {growth} over {slope['minutes']:g} min")
    return "\n".join(lines)


def tell(line: str) -> None:
    """Progress, beside the result."""
    print(line, file=sys.stderr, flush=True)


def _ages(age: Mapping[str, float] | None) -> str:
    if age is None:
        return f"{'-':>8}" * 3
    return f"{age['p50_ms']:>8.1f}{age['p95_ms']:>8.1f}{age['p99_ms']:>8.1f}"
