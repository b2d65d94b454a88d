"""The figures of `bench.tracker` as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtfilter.bench.report import provenance_line

TITLES = {"engine": "ours", "mediapipe": "MediaPipe's"}


def tracker_markdown(document: Mapping[str, Any]) -> str:
    """Speed, steadiness, clips, starts, and where it was measured."""
    lines = [
        "| size | tracker | median | p95 | p99 | processor time | ours / MediaPipe's |",
        "|---|---|---|---|---|---|---|",
    ]
    for size, measured in document["sizes"].items():
        for name, stages in measured["trackers"].items():
            total = stages["total"]
            ratio = f"{measured['ratio']['total']:.2f}" if name == "engine" else ""
            lines.append(
                f"| {size} | {TITLES[name]} | {total['p50_ms']:.2f} | {total['p95_ms']:.2f} | "
                f"{total['p99_ms']:.2f} | {stages['cpu']['p50_ms']:.2f} | {ratio} |"
            )
    lines += ["", "| picture | shake of ours | of MediaPipe's | ratio |", "|---|---|---|---|"]
    for what, found in document["still"].items():
        lines.append(f"| {what} | {_shakes(found)} |")
    if document["clips"]:
        lines += [
            "",
            "| clip | frames | found, ours and MediaPipe's | median apart | p99 of frames | shake of ours | "
            "of MediaPipe's | ratio |",
            "|---|---|---|---|---|---|---|---|",
        ]
    for name, clip in document["clips"].items():
        near = clip["agreement"]
        apart = f"{near['median_percent']:.2f} % | {near['p99_frame_percent']:.2f} %" if near else "- | -"
        found = ", ".join(str(count) for count in clip["found"].values())
        lines.append(f"| {name} | {clip['frames']} | {found} | {apart} | {_shakes(clip)} |")
    lines += ["", "| start | ready | first landmarks | memory | runs |", "|---|---|---|---|---|"]
    for start in document["starts"].values():
        ready, first = start["ready_s"]["median"], start["first_landmarks_s"]["median"]
        memory = f"{start['rss_mib']['median']:.0f} MiB"
        lines.append(f"| {start['title']} | {ready:.2f} s | {first:.2f} s | {memory} | {start['runs']} |")
    return "\n".join([*lines, "", provenance_line(document)])


def _shakes(found: Mapping[str, Any]) -> str:
    shown = [f"{value:.3f} %" if value is not None else "-" for value in found["shake_percent"].values()]
    ratio = f"{found['ratio']:.2f}" if found["ratio"] is not None else "-"
    return " | ".join([*shown, ratio])
