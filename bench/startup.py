"""`python -m bench.startup`: from nothing to the first filtered frame, and how much memory it takes.

Every figure is of a fresh process, the interpreter's own start included. Cold: Numba compiles the kernels,
as after an installation. Warm: it finds them in its cache, as in every later start. Files are in the
system's cache both times: what a disk adds after a reboot is not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from rtfilter.bench.contenders import FACEMESH, RTFILTER, TITLES
from rtfilter.bench.latency import RESULTS, make_folder, provenance_now
from rtfilter.bench.report import startup_markdown
from rtfilter.cli.bench import SIZES, demo_frames
from rtfilter.cli.output import write_json
from rtfilter.cli.parser import Parser, count, one_of
from rtfilter.cli.terminal import EXIT_INTERRUPTED, interrupt_on_hangup_and_term, report_interruption
from rtfilter.errors import RtfilterError
from rtfilter.system.tied import run_tied

ROOT = Path(__file__).resolve().parents[1]
RUNS = 5
TIMEOUT_S = 180.0
# From a warm start to the first frame.
PROMISED_S = 3.0


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write startup.json, and print the table. 1 on a failure, 2 on usage."""
    parser = Parser(prog="python -m bench.startup", description="Time to the first frame, and memory.")
    parser.add_argument("--size", default="720p", type=one_of("size", tuple(SIZES)), help="default 720p")
    parser.add_argument("--runs", type=count, default=RUNS, help=f"warm starts (default {RUNS})")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder (default bench/results)")
    try:
        document = run(parser.parse_args(argv))
    except RtfilterError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as error:
        report_interruption(error, "nothing was written", "bench")
        return EXIT_INTERRUPTED
    print(startup_markdown(document))
    return 0


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Start the processes and write the results. Raises OutputError, or RtfilterError when one fails."""
    make_folder(arguments.output)
    provenance = provenance_now()
    with tempfile.TemporaryDirectory() as folder:
        picture, cache = Path(folder) / "picture.npy", Path(folder) / "numba"
        np.save(picture, demo_frames(*SIZES[arguments.size], count=1)[0].rgb)
        cold = [first_frame(picture, RTFILTER, cache)]
        warm = [first_frame(picture, RTFILTER, cache) for _ in range(arguments.runs)]
        floor = [first_frame(picture, FACEMESH, cache) for _ in range(arguments.runs)]
    starts = {
        "warm": summary(f"{TITLES[RTFILTER]}, warm", warm),
        "cold": summary(f"{TITLES[RTFILTER]}, cold (the first start compiles)", cold),
        "facemesh": summary(TITLES[FACEMESH], floor),
    }
    value_s = starts["warm"]["first_frame_s"]["median"]
    promise = {
        "what": "the first frame after a warm start",
        "value_s": value_s,
        "limit_s": PROMISED_S,
        "met": value_s <= PROMISED_S,
    }
    document = {**provenance, "size": arguments.size, "starts": starts, "limits": [promise]}
    write_json(arguments.output / "startup.json", document)
    return document


def first_frame(picture: Path, contender: str, numba_cache: Path) -> dict[str, float | None]:
    """One fresh process of `bench.first_frame`; its seconds and MiB. Raises RtfilterError when it fails."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(numba_cache), "GLOG_minloglevel": "2"}
    program = ["-m", "bench.first_frame", str(picture), contender, str(time.monotonic_ns())]
    try:
        done = run_tied(program, TIMEOUT_S, cwd=ROOT, env=environment)
    except subprocess.TimeoutExpired as error:
        raise RtfilterError(
            f"{contender}: no first frame within {TIMEOUT_S:.0f} s: is the machine busy?"
        ) from error
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise RtfilterError(f"{contender} failed to start ({said}): try rtfilter doctor")
    found: dict[str, float | None] = json.loads(done.stdout.splitlines()[-1])
    return found


def summary(title: str, runs: Sequence[dict[str, float | None]]) -> dict[str, Any]:
    """Median, least and most of every figure; None where a contender has none."""
    found: dict[str, Any] = {"title": title, "runs": len(runs)}
    for key in runs[0]:
        values = [value for one in runs if (value := one[key]) is not None]
        spread = {"median": median(values), "min": min(values), "max": max(values)} if values else None
        found[key] = {name: round(value, 3) for name, value in spread.items()} if spread else None
    return found


if __name__ == "__main__":
    interrupt_on_hangup_and_term()
    sys.exit(main())
