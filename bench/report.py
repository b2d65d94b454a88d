"""What the figures mean: ratios, the limits that were promised, tables for the README, and a plot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rtfilter.bench.contenders import FACEMESH, MLS, RTFILTER, TITLES
from rtfilter.errors import OutputError

STAGE_COLOURS = {
    "track": "#9aa5b1", "fit": "#6a4c93", "edit": "#1982c4", "render": "#8ac926", "warp": "#ffca3a",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limit:
    """A promise and what came of it. value and limit are ratios; met: value <= limit."""

    size: str
    what: str
    value: float
    limit: float
    met: bool


# Size, what is compared, and the largest ratio that was promised.
FLOOR, SPREAD = "median / FaceMesh median", "p99 / median"
PROMISED = (("720p", FLOOR, 1.5), ("720p", SPREAD, 2.0), ("1080p", FLOOR, 1.8))


def limits(sizes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every promise about the sizes that were measured."""
    found = []
    for size, what, limit in PROMISED:
        if size not in sizes:
            continue
        contenders = sizes[size]["contenders"]
        ours = contenders[RTFILTER]["total"]
        below = contenders[FACEMESH]["total"]["p50_ms"] if what == FLOOR else ours["p50_ms"]
        value = (ours["p50_ms"] if what == FLOOR else ours["p99_ms"]) / max(below, 1e-9)
        found.append(asdict(Limit(size, what, round(value, 3), limit, value <= limit)))
    return found


def latency_markdown(document: Mapping[str, Any]) -> str:
    """Tables for the README: all contenders, our stages, the promises, and where it was measured."""
    lines = ["| size | | median | p95 | p99 | median / floor |", "|---|---|---|---|---|---|"]
    for size, measured in document["sizes"].items():
        floor = measured["contenders"][FACEMESH]["total"]["p50_ms"]
        for name in (FACEMESH, RTFILTER, MLS):
            total = measured["contenders"][name]["total"]
            title = f"**{TITLES[name]}**" if name == RTFILTER else TITLES[name]
            lines.append(f"| {size} | {title} | {_ms(total)} | {total['p50_ms'] / floor:.2f} |")
    lines += ["", "| size | stage of rtfilter | median | p95 | p99 |", "|---|---|---|---|---|"]
    for size, measured in document["sizes"].items():
        stages = measured["contenders"][RTFILTER]
        lines += [f"| {size} | {stage} | {_ms(times)} |" for stage, times in stages.items()]
    if document["limits"]:
        lines += ["", "| size | promised | limit | measured | |", "|---|---|---|---|---|"]
        for limit in document["limits"]:
            verdict = "met" if limit["met"] else "**missed**"
            ratios = f"{limit['limit']:.2f} | {limit['value']:.2f}"
            lines.append(f"| {limit['size']} | {limit['what']} | {ratios} | {verdict} |")
    return "\n".join([*lines, "", provenance_line(document)])


def startup_markdown(document: Mapping[str, Any]) -> str:
    """A table for the README: time to the first frame and memory, in fresh processes."""
    lines = [
        "| | first frame | first changed frame | memory | runs |",
        "|---|---|---|---|---|",
    ]
    for run in document["starts"].values():
        changed = run["first_changed_s"]
        lines.append(
            f"| {run['title']} | {_seconds(run['first_frame_s'])} | "
            f"{_seconds(changed) if changed else '-'} | {run['rss_mib']['median']:.0f} MiB | {run['runs']} |"
        )
    for limit in document["limits"]:
        verdict = "met" if limit["met"] else "**missed**"
        lines += [
            "",
            f"Promised: {limit['what']} in {limit['limit_s']:.0f} s. {limit['value_s']:.2f} s: {verdict}.",
        ]
    return "\n".join([*lines, "", provenance_line(document)])


def provenance_line(document: Mapping[str, Any]) -> str:
    """One sentence: machine, load, versions, commit, date."""
    machine, versions = document["machine"], document["versions"]
    load = document["load_average"]
    busy = f", load average {load[0]:.2f} at the start" if load else ""
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB{busy}; Python "
        f"{versions['python']}, MediaPipe {versions['mediapipe']}, commit {versions['commit'] or 'unknown'}, "
        f"{document['date'][:10]}."
    )


def plot_latency(document: Mapping[str, Any], path: Path) -> None:
    """Medians as stacked stages and p99 as a tick, a bar a contender and size, as a PNG.

    Raises OutputError when it cannot be written.
    """
    # Imported here: the figures matter more than the picture, and tables need no plotting library.
    from matplotlib.figure import Figure

    rows = [(size, name) for size in document["sizes"] for name in (FACEMESH, RTFILTER, MLS)]
    figure = Figure(figsize=(8, 0.7 + 0.34 * len(rows)), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    named: set[str] = set()
    for row, (size, name) in enumerate(rows):
        stages = document["sizes"][size]["contenders"][name]
        start_ms = 0.0
        for stage, times in stages.items():
            if stage == "total":
                continue
            label = None if stage in named else stage
            named.add(stage)
            colour = STAGE_COLOURS.get(stage, "#444444")
            axes.barh(row, times["p50_ms"], left=start_ms, color=colour, height=0.7, label=label)
            start_ms += times["p50_ms"]
        axes.plot([stages["total"]["p99_ms"]] * 2, [row - 0.35, row + 0.35], color="black", linewidth=1.5)
    axes.set_yticks(range(len(rows)), [f"{size}  {TITLES[name]}" for size, name in rows])
    axes.invert_yaxis()
    axes.set_xlabel("ms, frame in to frame out: median by stage; black: p99")
    axes.legend(
        ncols=len(named), loc="upper center", bbox_to_anchor=(0.4, 1.0 + 1.0 / len(rows)), frameon=False
    )
    axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(path, format="png")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}): name another folder") from error


def _ms(times: Mapping[str, float]) -> str:
    return f"{times['p50_ms']:.1f} ms | {times['p95_ms']:.1f} ms | {times['p99_ms']:.1f} ms"


def _seconds(spread: Mapping[str, float]) -> str:
    return f"{spread['median']:.2f} s ({spread['min']:.2f} to {spread['max']:.2f})"
