"""The WebRTC benchmark's promises, Markdown tables and plot. Called by `bench.webrtc`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rtfilter.bench import common
from rtfilter.bench.webrtc_turns import CONTENDERS, FILTERED, STOCK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INSIDE_TITLES = {
    "model": "model only: FaceFilter.step",
    "picture": "picture in -> picture out: decoded planes, step, planes to encode",
}
RATIO_LIMIT = 0.6
CHANGE_LIMIT_PICTURES = 2
# A slope is nought within noise when it lies within two standard errors of it, or when all the minutes
# together changed the age by less than can be measured twice.
SLOPE_ERRORS, DRIFT_MS = 2.0, 1.0
COLOURS = dict(zip(CONTENDERS, ("#9aa5b1", "#ffca3a", "#8ac926", "#1982c4", "#6a4c93"), strict=True))
PARTS = {"idle": "#1982c4", "load": "#6a4c93"}


def limits(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The promises and their outcome."""
    found = []
    for name in PARTS:
        part = document[name]
        stock, filtered = part["contenders"][STOCK]["age"], part["contenders"][FILTERED]["age"]
        if stock and filtered:
            ratio = filtered["p50_ms"] / stock["p50_ms"]
            what = f"{name}: filtered / stock without"
            found.append(common.limit(what, f"{ratio:.2f}", f"{RATIO_LIMIT}", ratio <= RATIO_LIMIT))
        if (slope := part["long"]["slope"]) is not None:
            rise, error = slope["ms_per_min"], slope["standard_error"]
            met = abs(rise) <= SLOPE_ERRORS * error or abs(slope["drift_ms"]) < DRIFT_MS
            value = f"{rise:+.3f} ± {error:.3f} ms/min over {slope['minutes']:.1f} min"
            found.append(common.limit(f"{name}: the age does not grow", value, "0 within noise", met))
        if (seen := part["changes"]["pictures_seen"]) is not None:
            met = seen["max"] <= CHANGE_LIMIT_PICTURES and part["changes"]["unanswered"] == 0
            value = f"{seen['median']:g}, at most {seen['max']:g}"
            what = f"{name}: pictures until a change is seen"
            found.append(common.limit(what, value, f"{CHANGE_LIMIT_PICTURES}", met))
    interval_ms = 1000.0 / document["fps"]
    for key, case in document["bounded"].items():
        if STOCK not in key:
            growth = _growth_ms(case)
            met = growth is not None and growth < interval_ms
            value = "no picture" if growth is None else f"{growth:+.0f} ms"
            found.append(common.limit(f"bounded: {case['title']}", value, f"{interval_ms:.0f} ms", met))
    return found


def webrtc_markdown(document: Mapping[str, Any]) -> str:
    """Tables of all boundaries idle and loaded, of bounded cases and promises, and where it was measured."""
    rows: list[tuple[object, ...]] = [
        (INSIDE_TITLES[key], *_ages(age), "", "", "") for key, age in document["inside"].items()
    ]
    for name in PARTS:
        contenders = document[name]["contenders"]
        beside = ", under load" if document[name]["busy"] else ""
        stock = contenders[STOCK]["age"]
        for one in contenders.values():
            age = one["age"]
            ratio = f"{age['p50_ms'] / stock['p50_ms']:.2f}" if age and stock else "-"
            lost = f"{one['dropped']} of {one['given']}"
            rows.append((f"{one['title']}{beside}", *_ages(age), lost, one["repeated"], ratio))
    slow = [
        (
            case["title"],
            f"{case['age']['p50_ms']:.0f} ms",
            f"{case['age']['p99_ms']:.0f} ms",
            f"{growth:+.0f} ms",
        )
        for case in document["bounded"].values()
        if case["age"] and (growth := _growth_ms(case)) is not None
    ]
    lines = [
        *common.table(
            ("glass to glass, ms", "median", "p95", "p99", "dropped", "repeated", "/ stock"), *rows
        ),
        "",
        *common.table(("slower than the input", "median", "p99", "the last third is later by"), *slow),
        *common.limits_table(document["limits"]),
    ]
    return "\n".join([*lines, "", common.provenance_line(document)])


def webrtc_plot(document: Mapping[str, Any]) -> Figure:
    """Medians with p95 and p99 by contender, idle and loaded, and the age over the long runs."""
    # Imported here: `rtfilter bench` needs no plotting library.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6.2), dpi=100, layout="constrained")
    bars, times = figure.subplots(2, 1, height_ratios=(3, 2))
    labels: list[str] = []
    for name, colour in PARTS.items():
        for key, one in document[name]["contenders"].items():
            row = len(labels)
            labels.append(f"{CONTENDERS[key].title}{', loaded' if document[name]['busy'] else ''}")
            if (age := one["age"]) is not None:
                bars.barh(row, age["p50_ms"], color=COLOURS[key], height=0.7)
                bars.plot([age["p50_ms"], age["p99_ms"]], [row, row], color="black", linewidth=0.8)
                for tick in (age["p95_ms"], age["p99_ms"]):
                    bars.plot([tick, tick], [row - 0.25, row + 0.25], color="black", linewidth=1.2)
        course = document[name]["long"]["course"]
        minutes = [point[0] / 60 for point in course]
        times.plot(minutes, [point[1] for point in course], color=colour, label=f"{name}, median")
        times.plot(minutes, [point[2] for point in course], color=colour, linewidth=0.6, alpha=0.6)
    bars.set_yticks(range(len(labels)), labels)
    bars.invert_yaxis()
    bars.set_xlabel("ms, there and back: median; p95, p99 in black")
    times.set(xlabel="minutes", ylabel="age, ms (thin: p99)")
    times.set_ylim(bottom=0)
    times.legend(frameon=False)
    return figure


def _growth_ms(case: Mapping[str, Any]) -> float | None:
    """How much later the pictures of the last third are than those of the first; medians of medians."""
    medians = [point[1] for point in case["course"]]
    third = len(medians) // 3
    if not third:
        return None
    first, last = sorted(medians[:third]), sorted(medians[-third:])
    return float(last[third // 2] - first[third // 2])


def _ages(age: Mapping[str, float] | None) -> list[str]:
    return [f"{age[share]:.1f}" if age else "-" for share in ("p50_ms", "p95_ms", "p99_ms")]
