"""All benchmarks that need a GPU: parity first, then timings. Called by `bench/gpu_session.sh`.

Each step is a process of its own with a time limit, so that one that crashes costs only itself, and the
results are written after each.

    python -m bench.gpu_session [--device MODULE] [--output FOLDER] [--step NAME ...]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rtfilter.bench import gpu_machine, gpu_parity, gpu_streams, gpu_texture, gpu_timing
from rtfilter.bench.gpu_machine import BEST, CUDA, ORT, PROCESSOR, RUNTIMES, SO_FAR, Machine
from rtfilter.engines.driver import NoGpuError
from rtfilter.errors import RtfilterError
from rtfilter.system.tied import TiedProcess

Step = Callable[[Machine], dict[str, Any]]
# By importance, should time run out; seconds that each may take.
STEPS: dict[str, tuple[Step, int]] = {
    "facts": (gpu_machine.facts, 60),
    "lanes": (gpu_parity.lanes, 200),
    "latency": (gpu_timing.latency, 200),
    "engines": (gpu_parity.engines, 120),
    "kernels": (gpu_parity.kernels, 300),
    "streams": (gpu_streams.streams, 240),
    "networks": (gpu_timing.networks, 240),
    "memory": (gpu_streams.memory, 120),
    "texture": (gpu_texture.texture, 300),
}
# What is measured with another runtime where the best one fails, or there is none.
AGAIN = {ORT: ("lanes", "latency", "engines"), PROCESSOR: ("lanes", "latency")}
RESULTS = Path(__file__).resolve().parent / "results"


def main() -> int:
    """Run all steps, or the one of a child process; 0 when all went well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--device", default=CUDA, metavar="MODULE", help="what stands in for a GPU: tests.host_gpu.on_host"
    )
    parser.add_argument(
        "--runtime",
        choices=RUNTIMES,
        default=BEST,
        help="ort: ONNX Runtime on CUDA; processor: networks there, all else on the GPU",
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--step", action="append", choices=tuple(STEPS), help="only these")
    parser.add_argument("--limit", type=float, default=540.0, metavar="S", help="of all steps together")
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
        if name == "lanes" and "error" in result and (other := _other_runtime(on)) is not None:
            # The lane is measured all the same.
            todo = [(again, replace(machine, runtime=other)) for again in AGAIN[other]] + todo
    failed = [name for name, result in document["steps"].items() if "error" in result]
    done = len(document["steps"]) - len(failed)
    print(f"{done} of {len(document['steps'])} steps done: {path}")
    return 1 if failed else 0


def _other_runtime(machine: Machine) -> str | None:
    """The runtime to try after that machine's; None where none is left, or there is no GPU."""
    if machine.device != CUDA or machine.runtime == PROCESSOR:
        return None
    try:
        gpu = machine.gpu
        by_ort = machine.engine.flavour is None
    except NoGpuError:
        return None
    except RtfilterError:
        return PROCESSOR  # there is a GPU, and nothing that runs networks on it
    from rtfilter.engines.ort.cuda import has_cuda

    return ORT if has_cuda() and not by_ort and not gpu.problem else PROCESSOR


def _step(machine: Machine, name: str, limit_s: float) -> dict[str, Any]:
    if limit_s < 5.0:
        return {"error": "no time was left for it"}
    words = ["-m", "bench.gpu_session", "--device", machine.device]
    words += ["--runtime", machine.runtime, "--child", name]
    # With all that it starts itself, which would otherwise go on beside the next step.
    child = TiedProcess(words, stdout=subprocess.PIPE, start_new_session=True)
    try:
        output, _ = child.communicate(timeout=limit_s)
        ended = f"it ended with exit code {child.returncode}"
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        output, _ = child.communicate()
        ended = f"it took longer than {limit_s:.0f} s"
    return _result(output, ended)


def _result(output: str, ended: str) -> dict[str, Any]:
    """The result of a step: its last line; where that is an error or missing, with what came before."""
    result: dict[str, Any] = {}
    for line in output.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and SO_FAR in found:
            result = {"error": ended, **found[SO_FAR]}
        elif isinstance(found, dict):
            return {**result, **found} if "error" in found else found
    return result or {"error": f"{ended} without a result"}


def _child(machine: Machine, name: str) -> int:
    """One step; its result as the last line of stdout."""
    try:
        result = STEPS[name][0](machine)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the step found
        result = {"error": f"{type(error).__name__}: {error}"}
        if not isinstance(error, RtfilterError):
            traceback.print_exc()
            result["traceback"] = traceback.format_exc().splitlines()[-12:]
    print(json.dumps(result), flush=True)
    return 0


def _out_folder(name: str) -> list[Path]:
    """Where $OUT is set, the results go there too."""
    out = os.environ.get("OUT")
    return [Path(out) / name] if out else []


if __name__ == "__main__":
    sys.exit(main())
