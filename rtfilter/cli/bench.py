"""`rtfilter bench`: latency stage by stage, or glass to glass over WebRTC, on the built-in demo; re-enactment
of clips; hands, glasses, walls and neighbours in them.

The measuring is in `rtfilter.bench`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rtfilter.bench.common import SIZES
from rtfilter.cli.serve import require_serve_extra
from rtfilter.cli.settings import chosen_lane, controls_for, settings_for
from rtfilter.cli.terminal import announce, notify
from rtfilter.errors import UsageError, nearest
from rtfilter.system.machine import machine_facts, versions

BENCHMARKS = ("webrtc", "reenact", "occlusion")
# Options by the benchmarks that they go with.
_OPTIONS = {
    "clips": ("reenact", "occlusion"),
    "sheets": ("reenact", "occlusion"),
    **dict.fromkeys(("pairs", "maps", "texture", "count"), ("reenact",)),
    **dict.fromkeys(("glasses", "test", "feeling", "occluder"), ("occlusion",)),
}
SHARES = ("p50_ms", "p95_ms", "p99_ms")


def bench(arguments: argparse.Namespace) -> int:
    """Measure the chosen sizes and print a table each, or JSON with machine and commit."""
    # Here and not by the parser, which would miss that a mistyped option's value has landed in it.
    if arguments.what not in (None, *BENCHMARKS):
        raise UsageError(f"unknown benchmark {arguments.what!r}:{nearest(arguments.what, BENCHMARKS)}")
    _refuse_options_of_others(arguments)
    if arguments.what in ("reenact", "occlusion"):
        return _reenact(arguments) if arguments.what == "reenact" else _occlusion(arguments)
    webrtc = arguments.what == "webrtc"
    if webrtc:
        require_serve_extra()
    elif arguments.minutes is not None:
        raise UsageError("--minutes goes with `rtfilter bench webrtc`; here it is --seconds")
    settings = settings_for(arguments)
    controls = controls_for(settings)
    if not controls.has_target:
        controls = controls.with_(emotions={"happy": 0.8 if webrtc else 1.0})
    lane = chosen_lane(arguments, settings.values)
    announce(lane, quiet=arguments.json)
    measure: Callable[..., dict[str, Any]]
    if webrtc:
        from rtfilter.bench.webrtc import quick_look

        measure, text = partial(quick_look, minutes=arguments.minutes), webrtc_table
    else:
        from rtfilter.bench.latency import measure_filter

        measure, text = partial(measure_filter, notify=notify), stage_table
    results = {}
    for size in dict.fromkeys(arguments.size or ("720p",)):
        results[size] = measure(*SIZES[size], controls, seconds=arguments.seconds, lane=lane)
        if not arguments.json:
            print(f"{size}{', glass to glass, ms' if webrtc else ''}\n{text(results[size])}", flush=True)
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


def _reenact(arguments: argparse.Namespace) -> int:
    """Compare edits of frames with the real ones, and print tables or JSON."""
    from rtfilter.bench.reenact import PAIRS, reenact
    from rtfilter.bench.reenact_figures import text_of

    document = reenact(
        arguments.clips,
        [(neutral, feeling) for neutral, feeling in arguments.pairs or ()],
        notify,
        count=arguments.count or PAIRS,
        maps=None if arguments.maps is None else Path(arguments.maps),
        texture=None if arguments.texture is None else Path(arguments.texture),
        sheets=None if arguments.sheets is None else Path(arguments.sheets),
    )
    print(json.dumps(document, indent=2) if arguments.json else text_of(document))
    return 0


def _occlusion(arguments: argparse.Namespace) -> int:
    """Measure what an edit leaves alone, and print tables or JSON."""
    from rtfilter.bench.occlusion import FELT, TESTS, occlusion
    from rtfilter.bench.occlusion_figures import text_of
    from rtfilter.bench.occlusion_scenes import OCCLUDERS

    lane = chosen_lane(arguments, settings_for(arguments).values)
    announce(lane, quiet=arguments.json)
    document = occlusion(
        arguments.clips,
        notify,
        glasses=arguments.glasses or (),
        tests=arguments.test or TESTS,
        emotions=arguments.feeling or FELT,
        occluders=arguments.occluder or tuple(OCCLUDERS),
        lane=lane,
        sheets=None if arguments.sheets is None else Path(arguments.sheets),
    )
    print(json.dumps(document, indent=1) if arguments.json else text_of(document))
    return 0


def _refuse_options_of_others(arguments: argparse.Namespace) -> None:
    for name, benchmarks in _OPTIONS.items():
        if getattr(arguments, name) and arguments.what not in benchmarks:
            what = f"the clip {arguments.clips[0]!r}" if name == "clips" else f"--{name}"
            raise UsageError(f"{what} goes with `rtfilter bench {'` or `rtfilter bench '.join(benchmarks)}`")


def stage_table(result: Mapping[str, Any]) -> str:
    """The percentiles of every stage as lines of text, in milliseconds."""
    lines = [f"  {'stage':<12}{'median':>9}{'p95':>9}{'p99':>9} ms"]
    for stage, times in result["stages"].items():
        lines.append(f"  {stage:<12}" + "".join(f"{times[share]:>9.2f}" for share in SHARES))
    return "\n".join(lines)


def webrtc_table(result: Mapping[str, Any]) -> str:
    """The figures of one size over WebRTC as lines of text, in milliseconds."""
    lines = [f"  {'':<52}{'median':>8}{'p95':>8}{'p99':>8}{'dropped':>9}{'repeated':>9}"]
    lines.append(f"  {'model only':<52}{_ages(result['inside']['model'])}")
    lines.append(f"  {'picture in, picture out':<52}{_ages(result['inside']['picture'])}")
    for figures in [*result["webrtc"].values(), *([result["long"]] if "long" in result else [])]:
        lost = f"{figures['dropped']:>9}{figures['repeated']:>9}"
        lines.append(f"  {figures['title']:<52}{_ages(figures['age'])}{lost}")
    stock, filtered = (result["webrtc"][name]["age"] for name in ("stock", "filtered"))
    if stock and filtered:
        lines.append(f"  with the filter / stock aiortc without: {filtered['p50_ms'] / stock['p50_ms']:.2f}")
    if seen := result["changes"]["pictures_seen"]:
        lines.append(f"  a change is seen after {seen['median']:g} pictures, at most {seen['max']:g}")
    if "long" in result and (slope := result["long"]["slope"]) is not None:
        growth = f"{slope['ms_per_min']:+.3f} ms a minute (standard error {slope['standard_error']:.3f})"
        lines.append(f"  the age changes by {growth} over {slope['minutes']:g} min")
    return "\n".join(lines)


def _ages(age: Mapping[str, float] | None) -> str:
    return "".join(f"{age[share]:>8.1f}" if age else f"{'-':>8}" for share in SHARES)
