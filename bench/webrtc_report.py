"""What the glass-to-glass figures mean: the promises, tables for the README, and a plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtfilter.bench.report import provenance_line
from rtfilter.bench.webrtc_contenders import CONTENDERS, FILTERED, STOCK
from rtfilter.bench.webrtc_inside import TITLES
from rtfilter.errors import OutputError

RATIO_LIMIT = 0.6
WISH_LIMIT_PICTURES = 2
# A slope is nought within noise when it lies within two standard errors of it, or when all the minutes
# together changed the age by less than anybody could measure twice.
SLOPE_ERRORS, DRIFT_MS = 2.0, 1.0
COLOURS = {
    "stock": "#9aa5b1", "stock_tuned_client": "#ffca3a", "bypass": "#8ac926", "filtered": "#1982c4",
    "filtered_stock_client": "#6a4c93",
}  # fmt: skip
PARTS = ("idle", "load")


def limits(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every promise and what came of it: what, value, limit (both as text), met."""
    found = []
    for name in PARTS:
        part = document[name]
        ages = {key: one["age"] for key, one in part["contenders"].items()}
        if ages[STOCK] and ages[FILTERED]:
            ratio = ages[FILTERED]["p50_ms"] / ages[STOCK]["p50_ms"]
            met = ratio <= RATIO_LIMIT
            found.append(_limit(f"{name}: filtered / stock without", f"{ratio:.2f}", f"{RATIO_LIMIT}", met))
        slope = part["long"]["slope"]
        if slope is not None:
            rise, error, drift = slope["ms_per_min"], slope["standard_error"], slope["drift_ms"]
            met = abs(rise) <= SLOPE_ERRORS * error or abs(drift) < DRIFT_MS
            value = f"{rise:+.3f} ± {error:.3f} ms/min over {slope['minutes']:.1f} min"
            found.append(_limit(f"{name}: the age does not grow", value, "0 within noise", met))
        seen = part["wishes"]["pictures_seen"]
        if seen is not None:
            met = seen["max"] <= WISH_LIMIT_PICTURES and part["wishes"]["unanswered"] == 0
            value = f"{seen['median']:g}, at most {seen['max']:g}"
            found.append(
                _limit(f"{name}: pictures until a wish is seen", value, f"{WISH_LIMIT_PICTURES}", met)
            )
    interval_ms = 1000.0 / document["fps"]
    for key, case in document["bounded"].items():
        if STOCK not in key:
            growth = _growth_ms(case)
            met = growth is not None and growth < interval_ms
            value = "no picture" if growth is None else f"{growth:+.0f} ms"
            found.append(_limit(f"bounded: {case['title']}", value, f"{interval_ms:.0f} ms", met))
    return found


def webrtc_markdown(document: Mapping[str, Any]) -> str:
    """Tables for the README: all boundaries idle and loaded, the long runs, the promises, the machine."""
    lines = ["| glass to glass, ms | median | p95 | p99 | dropped | repeated | / stock |", "|" + "---|" * 7]
    for key, age in document["inside"].items():
        lines.append(f"| {TITLES[key]} | {_ages(age)} | | | |")
    for name in PARTS:
        contenders = document[name]["contenders"]
        beside = ", under load" if document[name]["busy"] else ""
        stock = contenders[STOCK]["age"]
        for one in contenders.values():
            age = one["age"]
            ratio = f"{age['p50_ms'] / stock['p50_ms']:.2f}" if age and stock else "-"
            lost = f"{one['dropped']} of {one['given']} | {one['repeated']}"
            lines.append(f"| {one['title']}{beside} | {_ages(age)} | {lost} | {ratio} |")
    lines += [
        "",
        "| slower than the input | median | p99 | the last third is later by |",
        "|---|---|---|---|",
    ]
    for case in document["bounded"].values():
        age, growth = case["age"], _growth_ms(case)
        if age and growth is not None:
            ages = f"{age['p50_ms']:.0f} ms | {age['p99_ms']:.0f} ms"
            lines.append(f"| {case['title']} | {ages} | {growth:+.0f} ms |")
    lines += ["", "| promised | limit | measured | |", "|---|---|---|---|"]
    for limit in document["limits"]:
        verdict = "met" if limit["met"] else "**missed**"
        lines.append(f"| {limit['what']} | {limit['limit']} | {limit['value']} | {verdict} |")
    return "\n".join([*lines, "", provenance_line(document)])


def plot_webrtc(document: Mapping[str, Any], path: Path) -> None:
    """Medians with p95 and p99 by contender, idle and loaded, and the age over the long runs, as a PNG.

    Raises OutputError when it cannot be written.
    """
    # Imported here: the figures matter more than the picture, and tables need no plotting library.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6.2), dpi=100, layout="constrained")
    bars, times = figure.subplots(2, 1, height_ratios=(3, 2))
    row, labels = 0, []
    for name in PARTS:
        for key, one in document[name]["contenders"].items():
            labels.append(f"{CONTENDERS[key].title}{', loaded' if document[name]['busy'] else ''}")
            if (age := one["age"]) is not None:
                bars.barh(row, age["p50_ms"], color=COLOURS[key], height=0.7)
                bars.plot([age["p50_ms"], age["p99_ms"]], [row, row], color="black", linewidth=0.8)
                for tick in (age["p95_ms"], age["p99_ms"]):
                    bars.plot([tick, tick], [row - 0.25, row + 0.25], color="black", linewidth=1.2)
            row += 1
    bars.set_yticks(range(row), labels)
    bars.invert_yaxis()
    bars.set_xlabel("ms, there and back: median; p95, p99 in black")
    for name, colour in zip(PARTS, ("#1982c4", "#6a4c93"), strict=True):
        points = document[name]["long"]["course"]
        minutes = [point[0] / 60 for point in points]
        times.plot(minutes, [point[1] for point in points], color=colour, label=f"{name}, median")
        times.plot(minutes, [point[2] for point in points], color=colour, linewidth=0.6, alpha=0.6)
    times.set_xlabel("minutes")
    times.set_ylabel("age, ms (thin: p99)")
    times.set_ylim(bottom=0)
    times.legend(frameon=False)
    for axes in (bars, times):
        axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(path, format="png")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}): name another folder") from error


def _growth_ms(case: Mapping[str, Any]) -> float | None:
    """How much later the pictures of the last third are than those of the first; medians of medians."""
    medians = [point[1] for point in case["course"]]
    third = len(medians) // 3
    if not third:
        return None
    first, last = sorted(medians[:third]), sorted(medians[-third:])
    return float(last[third // 2] - first[third // 2])


def _limit(what: str, value: str, limit: str, met: bool) -> dict[str, Any]:
    return {"what": what, "value": value, "limit": limit, "met": met}


def _ages(age: Mapping[str, float] | None) -> str:
    if age is None:
        return "- | - | -"
    return f"{age['p50_ms']:.1f} | {age['p95_ms']:.1f} | {age['p99_ms']:.1f}"
