"""`python -m bench.startup`: from nothing to the first filtered frame, and how much memory it takes.

Every figure is of a fresh process, the interpreter's own start included. Cold: Numba compiles the kernels,
as after an installation. Warm: it finds them in its cache, as in every later start. Files are in the
system's cache both times: what a disk adds after a reboot is not measured. `bench.tracker` calls `starts`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from rtfilter.bench import common
from rtfilter.bench.contenders import FACEMESH, RTFILTER, TITLES
from rtfilter.errors import RtfilterError
from rtfilter.system.tied import run_tied

RUNS = 5
TIMEOUT_S = 180.0
PROMISED_S = 3.0  # from a warm start to the first frame

Start = dict[str, float | None]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write startup.json, and print the table."""
    parser = common.argument_parser("startup", "Time to the first frame, and memory.")
    parser.add_argument("--size", default="720p", choices=common.SIZES, help="default 720p")
    parser.add_argument("--runs", type=common.count, default=RUNS, help=f"warm starts (default {RUNS})")
    return common.publish(parser.parse_args(argv), "startup", measure, startup_markdown)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Starts of the product and of FaceMesh, and the promise. Raises RtfilterError when one fails."""
    titles = ("rtfilter, warm", "rtfilter, cold (the first start compiles)", TITLES[FACEMESH])
    contenders, size = (RTFILTER, FACEMESH), common.SIZES[arguments.size]
    found = starts(size, contenders, titles, "NUMBA_CACHE_DIR", arguments.runs)
    value_s = found["warm"]["first_frame_s"]["median"]
    what = "the first frame after a warm start"
    limits = [common.limit(what, f"{value_s:.2f} s", f"{PROMISED_S:.0f} s", value_s <= PROMISED_S)]
    return {"size": arguments.size, "starts": found, "limits": limits}


def starts(
    size: tuple[int, int],
    contenders: tuple[str, str],
    titles: tuple[str, str, str],
    cache_variable: str,
    runs: int,
) -> dict[str, dict[str, Any]]:
    """Starts of the first contender with a full cache and with an empty one, and of the second.

    titles: of `warm`, `cold` and `other`. cache_variable: the environment variable that names the cache's
    folder. Raises RtfilterError when a process fails.
    """
    ours, other = contenders
    with tempfile.TemporaryDirectory() as folder:
        picture, cache = Path(folder) / "picture.npy", {cache_variable: str(Path(folder) / "cache")}
        np.save(picture, common.demo_frames(*size, count=1)[0].rgb)
        cold = [first_frame(picture, ours, cache)]
        warm = [first_frame(picture, ours, cache) for _ in range(runs)]
        others = [first_frame(picture, other, cache) for _ in range(runs)]
    kinds = zip(("warm", "cold", "other"), titles, (warm, cold, others), strict=True)
    return {kind: _summary(title, found) for kind, title, found in kinds}


def first_frame(picture: Path, contender: str, environment: Mapping[str, str]) -> Start:
    """Seconds and MiB of one fresh process of `bench.first_frame`. Raises RtfilterError when it fails."""
    program = ["-m", "rtfilter.bench.first_frame", str(picture), contender, str(time.monotonic_ns())]
    variables = {**os.environ, **environment, "GLOG_minloglevel": "2"}
    try:
        done = run_tied(program, TIMEOUT_S, env=variables)
    except subprocess.TimeoutExpired as error:
        raise RtfilterError(
            f"{contender}: no first frame within {TIMEOUT_S:.0f} s: is the machine busy?"
        ) from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RtfilterError(f"{contender} failed to start ({last}): try rtfilter doctor")
    found: Start = json.loads(done.stdout.splitlines()[-1])
    return found


def startup_markdown(document: Mapping[str, Any]) -> str:
    """The starts and the promise as tables, and where they were measured."""
    lines = [*starts_table(document["starts"]), *common.limits_table(document["limits"])]
    return "\n".join([*lines, "", common.provenance_line(document)])


def starts_table(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Time to the first frame, to the first changed one, and memory, a row a kind of start."""
    rows = [
        (
            start["title"],
            _seconds(start["first_frame_s"]),
            _seconds(start["first_changed_s"]),
            f"{start['rss_mib']['median']:.0f} MiB",
            start["runs"],
        )
        for start in found.values()
    ]
    return common.table(("", "first frame", "first changed frame", "memory", "runs"), *rows)


def _summary(title: str, runs: Sequence[Start]) -> dict[str, Any]:
    """Median, least and most of every figure; None where a contender has none."""
    found: dict[str, Any] = {"title": title, "runs": len(runs)}
    for key in runs[0]:
        values = [value for one in runs if (value := one[key]) is not None]
        spread = {"median": median(values), "min": min(values), "max": max(values)} if values else None
        found[key] = {name: round(value, 3) for name, value in spread.items()} if spread else None
    return found


def _seconds(spread: Mapping[str, float] | None) -> str:
    return f"{spread['median']:.2f} s ({spread['min']:.2f} to {spread['max']:.2f})" if spread else "-"


if __name__ == "__main__":
    common.run_as_program(main)
