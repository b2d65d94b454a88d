"""Everything that needs a GPU, in one go: parity first, then timings. `bench/gpu_session.sh` prepares for it.

Each step is a process of its own with a time limit, so that one that crashes costs only itself, and the
results are written after each.

    python -m bench.gpu_session [--device host] [--output FOLDER] [--step NAME ...]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bench import gpu_floor, gpu_machine, gpu_parity, gpu_streams, gpu_timing
from bench.gpu_machine import BEST, CUDA, HOST, ORT, Machine
from rtfilter.errors import RtfilterError

Step = Callable[[Machine], dict[str, Any]]
# In order of what is most wanted, should time run out; seconds that each may take.
STEPS: dict[str, tuple[Step, int]] = {
    "facts": (gpu_machine.facts, 60),
    "lanes": (gpu_parity.lanes, 200),
    "latency": (gpu_timing.latency, 200),
    "engines": (gpu_parity.engines, 120),
    "kernels": (gpu_parity.kernels, 420),
    "streams": (gpu_streams.streams, 240),
    "floor": (gpu_floor.measure, 60),
    "networks": (gpu_timing.networks, 240),
    "memory": (gpu_streams.memory, 120),
}
# What is measured with the other runtime where the best one fails.
AGAIN = ("lanes", "latency", "engines")
RESULTS = Path(__file__).resolve().parent / "results"


def main() -> int:
    """Run all steps, or the one that a child process is told; 0 when all went well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", choices=(CUDA, HOST), default=CUDA)
    parser.add_argument("--runtime", choices=(BEST, ORT), default=BEST, help="ort: ONNX Runtime on CUDA")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--step", action="append", choices=tuple(STEPS), help="only these")
    parser.add_argument("--limit", type=float, default=560.0, metavar="S", help="of all steps together")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    machine = Machine(arguments.device, arguments.runtime)
    if arguments.child:
        return _child(machine, arguments.child)
    return run_all(machine, arguments.output, arguments.step or list(STEPS), arguments.limit)


def run_all(machine: Machine, folder: Path, names: list[str], limit_s: float) -> int:
    """Each step in a process; the results in one JSON file, and what came of them on the terminal."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"gpu-{'session' if machine.device == CUDA else 'host-device'}.json"
    document: dict[str, Any] = {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "steps": {},
    }
    begin = time.monotonic()
    todo = [(name, machine) for name in names]
    while todo:
        name, on = todo.pop(0)
        title = name if on.runtime == machine.runtime else f"{name}, {on.runtime}"
        left_s = limit_s - (time.monotonic() - begin)
        print(f"{title} ...", file=sys.stderr, flush=True)
        started = time.monotonic()
        result = _step(on, name, min(float(STEPS[name][1]), left_s))
        result["took_s"] = round(time.monotonic() - started, 1)
        document["steps"][title] = result
        for target in (path, *_out_folder(path.name)):
            target.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        print(f"{title}: {result.get('error') or 'done'} ({result['took_s']} s)", flush=True)
        if name == "lanes" and "error" in result and on.runtime == BEST and _other_runtime(machine):
            # TensorRT does not run here: the lane is measured all the same.
            todo = [(again, replace(machine, runtime=ORT)) for again in AGAIN] + todo
    failed = [name for name, result in document["steps"].items() if "error" in result]
    done = len(document["steps"]) - len(failed)
    print(f"{done} of {len(document['steps'])} steps done: {path}")
    return 1 if failed else 0


def _other_runtime(machine: Machine) -> bool:
    """Whether there is an ONNX Runtime for CUDA to be tried."""
    from rtfilter.engines.ort_cuda import has_cuda

    return machine.device == CUDA and has_cuda()


def _step(machine: Machine, name: str, limit_s: float) -> dict[str, Any]:
    if limit_s < 5.0:
        return {"error": "no time was left for it"}
    words = [sys.executable, "-m", "bench.gpu_session", "--device", machine.device]
    words += ["--runtime", machine.runtime, "--child", name]
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return {"error": f"it took longer than {limit_s:.0f} s"}
    try:
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {"error": f"it ended with exit code {done.returncode} and said nothing"}
    return found


def _child(machine: Machine, name: str) -> int:
    """One step; its result as the last line of stdout."""
    try:
        result = STEPS[name][0](machine)
    except RtfilterError as error:
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(result))
    return 0


def _out_folder(name: str) -> list[Path]:
    """Where $OUT is set, the results go there too."""
    out = os.environ.get("OUT")
    return [Path(out) / name] if out else []


if __name__ == "__main__":
    sys.exit(main())
