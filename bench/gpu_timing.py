"""How long a frame takes, where, and how far that is from what the machine allows."""

from __future__ import annotations

import gc
from time import perf_counter_ns
from typing import Any

import numpy as np

from rtfilter.bench.common import forth_and_back
from rtfilter.bench.gpu_floor import bus_gb_s, floor_ms, network_flops
from rtfilter.bench.gpu_machine import CUDA, I420, RGB, SIZES, Machine, demo_frames, in_planes, so_far
from rtfilter.controls import Controls
from rtfilter.engines.expression.layout import EXPRESSION
from rtfilter.engines.networks import FACE_MESH
from rtfilter.engines.prepare.files import NETWORKS
from rtfilter.gpu.cuda_lane import CudaLane
from rtfilter.gpu.seat import Seat

HAPPY = Controls({"happy": 1.0})
WARM_UP = 30
STAGE_RUNS = 50
DISTINCT = 30
# Files and calls give planes, cameras either. With ONNX Runtime each takes 11 s to open, so no more than tell
# something: copied instead of mapped was the same within the scatter on an H100.
VARIANTS: dict[str, tuple[str, dict[str, bool]]] = {
    "4:2:0, graph, mapped": (I420, {"mapped": True, "graphs": True}),
    "RGB, graph, mapped": (RGB, {"mapped": True, "graphs": True}),
    "4:2:0, no graph, mapped": (I420, {"mapped": True, "graphs": False}),
}


def latency(machine: Machine) -> dict[str, Any]:
    """Host frame in, host frame out, by size and variant; device time by stage; bytes; the floor."""
    bus, operations = bus_gb_s(machine), network_flops()
    arithmetic = operations[FACE_MESH.name] + operations[EXPRESSION.name]
    found: dict[str, Any] = {}
    for size in machine.effort.sizes:
        distinct = DISTINCT if machine.device == CUDA else 3
        drawn = demo_frames(*SIZES[size], distinct)
        frames = {RGB: drawn, I420: [in_planes(frame) for frame in drawn]}
        found[size] = {}
        for name, (pixels, how) in VARIANTS.items():
            lane = machine.open_lane(**how)
            try:
                measured = found[size][name] = _measured(machine, lane, frames[pixels])
                moved = own_seat(lane).bytes_moved()
                measured["bytes_up"], measured["bytes_down"] = moved
                measured["floor"] = floor_ms(moved, bus, arithmetic)
            finally:
                lane.close()
            so_far({"bus_gb_s": bus, "sizes": found})
    return {"bus_gb_s": bus, "sizes": found}


def _measured(machine: Machine, lane: CudaLane, frames: list[Any]) -> dict[str, Any]:
    warm_up = WARM_UP if machine.device == CUDA else 2
    total_ms, stages_ms = [], []
    gc.collect()
    gc.disable()
    try:
        for number, frame in enumerate(forth_and_back(frames)):
            start = perf_counter_ns()
            _, report = lane.step(frame, HAPPY)
            spent = perf_counter_ns() - start
            if number >= warm_up:
                total_ms.append(spent / 1e6)
                stages_ms.append({name: ns / 1e6 for name, ns in report.stage_ns.items()})
            if number >= warm_up + machine.effort.frames:
                break
        runs = STAGE_RUNS if machine.device == CUDA else 2
        timed = [own_seat(lane).timed_ms() for _ in range(runs)]
    finally:
        gc.enable()
    return {
        "host_ms": percentiles(total_ms),
        "host_stages_p50_ms": _medians(stages_ms),
        "device_stages_p50_ms": _medians(timed),
        "device_graph_ms": percentiles([one["graph"] for one in timed]),
        "frames": len(total_ms),
    }


def networks(machine: Machine) -> dict[str, Any]:
    """Each network alone, captured: device milliseconds a run, by batch."""
    batches = (1, 4, 16, 64) if machine.device == CUDA else (1,)
    found: dict[str, dict[str, Any]] = {}
    for spec in NETWORKS:
        for batch in batches:
            found.setdefault(spec.name, {})[str(batch)] = _network(machine, spec, batch)
            so_far(found)
    return found


def _network(machine: Machine, spec: Any, batch: int) -> dict[str, float]:
    device = machine.open_device()
    try:
        runner = machine.runner(spec, batch, device)
        stream = device.stream()
        runner.bind({tensor.name: device.empty(tensor.at(batch), np.float32) for tensor in spec.tensors()})
        runner.enqueue(stream)
        stream.wait()
        run = stream.capture(lambda: runner.enqueue(stream)).launch if runner.capturable else None
        spent = []
        for _ in range(100 if machine.device == CUDA else 2):
            before = stream.mark()
            if run is not None:
                run()
            else:
                runner.enqueue(stream)
            after = stream.mark()
            stream.wait()
            spent.append(after.since_ms(before))
        runner.close()
        return percentiles(spent)
    finally:
        device.close()


def own_seat(lane: CudaLane) -> Seat:
    """The lane's place on a device that it has for itself."""
    assert isinstance(lane.seat, Seat)
    return lane.seat


def percentiles(values_ms: list[float]) -> dict[str, float]:
    """p50, p95 and p99, in milliseconds."""
    return {f"p{share}": round(float(np.percentile(values_ms, share)), 4) for share in (50, 95, 99)}


def _medians(rows: list[dict[str, float]]) -> dict[str, float]:
    names = rows[-1] if rows else {}
    return {name: round(float(np.median([row[name] for row in rows if name in row])), 4) for name in names}
