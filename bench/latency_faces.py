"""`python -m bench.latency_faces`: what a frame costs by the size of its face, and by the number of faces.

Beside MediaPipe's FaceMesh alone in the same run, in time and in processor time.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rtfilter.bench import common
from rtfilter.bench.common import PROCESSOR, Contender
from rtfilter.bench.contenders import FACEMESH, RTFILTER, TITLES, FaceMesh, Rtfilter
from rtfilter.bench.latency import CONTROLS
from rtfilter.frame import Frame
from rtfilter.system.arrays import U8

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FRAMES, REPEATS = 100, 2
SHARES = (0.08, 0.15, 0.3, 0.6, 0.9)  # width of the face over the picture's
CROWD, CROWD_SHARE = (1, 2, 4), 0.15
DISTINCT_FRAMES = 12
SIZES = {**common.SIZES, "2160p": (3840, 2160)}
DEFAULT_SIZES = ("720p", "1080p")
# Of the demo at zoom 1, whose picture is as wide as the portrait; a smaller face stands in a plain picture.
DEMO_SHARE = 0.2
# Frames between what one person of a crowd does, and the next.
APART = 40
COLOURS = {RTFILTER: "#1982c4", FACEMESH: "#9aa5b1"}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write latency-faces.json and .png, and print the tables."""
    parser = common.argument_parser(
        "latency_faces", "Latency by size and number of faces, against the floor."
    )
    parser.add_argument("--size", action="append", choices=SIZES, help="default: 720p and 1080p")
    parser.add_argument("--frames", type=common.count, default=FRAMES, help=f"per repeat (default {FRAMES})")
    parser.add_argument(
        "--repeats", type=common.count, default=REPEATS, help=f"with fresh networks (default {REPEATS})"
    )
    return common.publish(parser.parse_args(argv), "latency-faces", measure, faces_markdown, faces_plot)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Percentiles by picture, contender and stage, of every case."""
    cases = [(share, 1) for share in SHARES] + [(CROWD_SHARE, count) for count in CROWD if count > 1]
    rows: list[dict[str, Any]] = []
    for size in dict.fromkeys(arguments.size or DEFAULT_SIZES):
        for share, faces in cases:
            common.notify(f"{size}: {faces} of {100 * share:g} % of the width")
            pictures = faces_of(*SIZES[size], share, faces)
            make = partial(contenders_for, faces)
            found, _ = common.compare(make, pictures, arguments.frames, arguments.repeats)
            rows.append({"size": size, "share": share, "faces": faces, "contenders": found})
    how = {"controls": CONTROLS.as_dict(), "frames": arguments.frames, "repeats": arguments.repeats}
    return {**how, "rows": rows}


def contenders_for(faces: int) -> dict[str, Contender]:
    """Both, made for so many faces."""
    return {RTFILTER: Rtfilter(CONTROLS, faces=faces), FACEMESH: FaceMesh(faces)}


def faces_of(width: int, height: int, share: float, faces: int) -> list[Frame]:
    """Frames with so many talking faces, each with a `share` of the picture's width, in a row or in two."""
    across = 1 if faces == 1 else 2
    tile_width, tile_height = width // across, height // -(-faces // across)
    # A demo no larger than shows the portrait once; around it the picture is plain.
    zoom = max(share * width / (DEMO_SHARE * tile_width), 1.0)
    wide = min(tile_width, round(share * width / DEMO_SHARE)) & ~1
    tall = min(tile_height, wide * tile_height // tile_width) & ~1
    shown = demo_pictures(max(wide, 16), max(tall, 16), zoom, DISTINCT_FRAMES + APART * (faces - 1), faces)
    frames = []
    for number in range(DISTINCT_FRAMES):
        rgb = np.full((height, width, 3), 96, np.uint8)
        for person in range(faces):
            picture = shown[person * APART + number]
            y = person // across * tile_height + (tile_height - picture.shape[0]) // 2
            x = person % across * tile_width + (tile_width - picture.shape[1]) // 2
            rgb[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
        frames.append(replace(Frame.from_rgb(rgb, pts=0), seq=number))
    return frames


def demo_pictures(width: int, height: int, zoom: float, count: int, faces: int) -> dict[int, U8]:
    """The demo's pictures that `faces_of` shows, by number."""
    from rtfilter.sources.demo import DemoSource

    source = DemoSource(width, height, zoom=zoom)
    wanted = [person * APART + number for person in range(faces) for number in range(DISTINCT_FRAMES)]
    try:
        return {number: source.frame(number).rgb for number in wanted if number < count}
    finally:
        source.close()


def faces_markdown(document: Mapping[str, Any]) -> str:
    """One table: time and processor time of both, by size of picture and face, and by number of faces."""
    rows = []
    for row in document["rows"]:
        ours, floor = (row["contenders"][name] for name in (RTFILTER, FACEMESH))
        total, least = ours["total"], floor["total"]
        face = (
            f"{100 * row['share']:g} %"
            if row["faces"] == 1
            else f"{row['faces']} of {100 * row['share']:g} %"
        )
        times = [f"{total[name]:.1f}" for name in ("p50_ms", "p95_ms", "p99_ms")]
        used = [f"{one[PROCESSOR]['p50_ms']:.1f}" for one in (ours, floor)]
        ratio = f"{total['p50_ms'] / least['p50_ms']:.2f}"
        rows.append((row["size"], face, *times, f"{least['p50_ms']:.1f}", ratio, *used))
    head = (
        "picture",
        "face, of its width",
        "median ms",
        "p95",
        "p99",
        "FaceMesh",
        "ratio",
        "processor ms",
        "its",
    )
    return "\n".join([*common.table(head, *rows), "", common.provenance_line(document)])


def faces_plot(document: Mapping[str, Any]) -> Figure:
    """Medians by size of the face, and by number of faces; a line a picture's size, dashed for FaceMesh."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for style, size in zip(
        ("o", "s", "^", "v"), dict.fromkeys(row["size"] for row in document["rows"]), strict=False
    ):
        rows = [row for row in document["rows"] if row["size"] == size]
        single = [row for row in rows if row["faces"] == 1]
        crowd = [row for row in rows if row["share"] == CROWD_SHARE]
        for axes, chosen, key in ((left, single, "share"), (right, crowd, "faces")):
            for name, dash in ((RTFILTER, "-"), (FACEMESH, "--")):
                x = [100 * row[key] if key == "share" else row[key] for row in chosen]
                y = [row["contenders"][name]["total"]["p50_ms"] for row in chosen]
                axes.plot(x, y, style + dash, color=COLOURS[name], label=f"{TITLES[name]}, {size}")
    left.set_xlabel("width of the face, % of the picture's")
    right.set_xlabel(f"faces, each {100 * CROWD_SHARE:g} % of the width")
    right.set_xticks(CROWD)
    left.set_ylabel("median ms, frame in to frame out")
    left.set_ylim(bottom=0)
    left.legend(frameon=False, fontsize=8)
    return figure


if __name__ == "__main__":
    common.run_as_program(main)
