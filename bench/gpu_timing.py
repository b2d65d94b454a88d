"""The time of a frame on a GPU, by stage, beside what the bus allows. A step of `bench.gpu_session`."""

from __future__ import annotations

import gc
from itertools import islice, pairwise
from time import perf_counter_ns
from typing import Any

import numpy as np

from rtfilter.bench.common import by_stage, forth_and_back, percentiles
from rtfilter.bench.gpu_machine import CUDA, FORMATS, RGB, SIZES, Machine, demo_frames, in_planes, so_far
from rtfilter.controls import Controls
from rtfilter.engines.prepare.files import NETWORKS
from rtfilter.engines.spec import NetworkSpec
from rtfilter.gpu.cuda_lane import CudaLane
from rtfilter.kernels.device import Device

HAPPY = Controls({"happy": 1.0})
WARM_UP = 30
STAGE_RUNS = 50
DISTINCT = 30
COPY_BYTES = 64 << 20
COPIES = 10


def latency(machine: Machine) -> dict[str, Any]:
    """Host frame in, host frame out, by size and format; device time by stage; bytes, and their time."""
    bus = bus_gb_s(machine)
    found: dict[str, Any] = {}
    for size in machine.effort.sizes:
        drawn = demo_frames(*SIZES[size], DISTINCT if machine.device == CUDA else 3)
        found[size] = {}
        for pixels in FORMATS:
            frames = drawn if pixels == RGB else [in_planes(frame) for frame in drawn]
            lane = machine.open_lane()
            try:
                found[size][pixels] = _measured(machine, lane, frames, bus)
            finally:
                lane.close()
            so_far({"bus_gb_s": bus, "sizes": found})
    return {"bus_gb_s": bus, "sizes": found}


def _measured(machine: Machine, lane: CudaLane, frames: list[Any], bus: dict[str, float]) -> dict[str, Any]:
    warm_up, runs = (WARM_UP, STAGE_RUNS) if machine.device == CUDA else (2, 2)
    steps: list[dict[str, int]] = []
    gc.collect()
    gc.disable()
    try:
        for frame in islice(forth_and_back(frames), warm_up + machine.effort.frames):
            start = perf_counter_ns()
            _, report = lane.step(frame, HAPPY)
            steps.append({**report.stage_ns, "total": perf_counter_ns() - start})
        timed = [_device_ns(lane) for _ in range(runs)]
    finally:
        gc.enable()
    assert lane.batcher.device.launched is not None
    graph, _, slot_bytes = lane.batcher.device.launched
    up, down = graph.bytes_moved(slot_bytes, sum(part.size for part in lane.last.changed))
    return {
        "host": by_stage(steps[warm_up:]),
        "device": by_stage(timed),
        "bytes_up": up,
        "bytes_down": down,
        "bus_ms": round(up / bus["up"] / 1e6 + down / bus["down"] / 1e6, 4),
    }


def _device_ns(lane: CudaLane) -> dict[str, int]:
    """The last launch again, part by part: device time by stage; as `graph`, all of it as it is launched."""
    device = lane.batcher.device
    assert device.launched is not None
    graph, kind, slot_bytes = device.launched
    stream = device.stream
    marks = [("", stream.mark())]
    for part in graph.parts(kind, slot_bytes):
        part.queue()
        marks.append((part.stage, stream.mark()))
    stream.wait()
    spent: dict[str, int] = {}
    for (_, before), (stage, here) in pairwise(marks):
        spent[stage] = spent.get(stage, 0) + round(here.since_ms(before) * 1e6)
    first = stream.mark()
    graph.launch(kind, slot_bytes)
    last = stream.mark()
    stream.wait()
    return {**spent, "graph": round(last.since_ms(first) * 1e6)}


def bus_gb_s(machine: Machine) -> dict[str, float]:
    """Pinned copies of 64 MiB, up and down, in GB/s: the best of ten."""
    device = machine.open_device()
    try:
        stream = device.stream()
        host, there = device.pinned(COPY_BYTES, np.uint8), device.empty(COPY_BYTES, np.uint8)
        best = {"up": 0.0, "down": 0.0}
        for _ in range(COPIES):
            marks = [stream.mark()]
            stream.upload(there, host)
            marks.append(stream.mark())
            stream.download(host, there)
            marks.append(stream.mark())
            stream.wait()
            for way, (before, after) in zip(best, pairwise(marks), strict=True):
                best[way] = max(best[way], COPY_BYTES / max(after.since_ms(before), 1e-6) / 1e6)
        return {way: round(speed, 2) for way, speed in best.items()}
    finally:
        device.close()


def networks(machine: Machine) -> dict[str, Any]:
    """Each network alone, captured: device milliseconds a run, by batch."""
    batches = (1, 4, 16, 64) if machine.device == CUDA else (1,)
    found: dict[str, dict[str, Any]] = {}
    for spec in NETWORKS:
        for batch in batches:
            device = machine.open_device()
            try:
                found.setdefault(spec.name, {})[str(batch)] = _network(machine, spec, batch, device)
            finally:
                device.close()
            so_far(found)
    return found


def _network(machine: Machine, spec: NetworkSpec, batch: int, device: Device) -> dict[str, float] | None:
    runner = machine.runner(spec, batch, device)
    stream = device.stream()
    runner.bind({tensor.name: device.empty(tensor.at(batch), np.float32) for tensor in spec.tensors()})
    runner.enqueue(stream)
    stream.wait()
    graph = stream.capture(lambda: runner.enqueue(stream)) if runner.capturable else None
    spent = []
    for _ in range(100 if machine.device == CUDA else 2):
        before = stream.mark()
        if graph is not None:
            graph.launch()
        else:
            runner.enqueue(stream)
        after = stream.mark()
        stream.wait()
        spent.append(after.since_ms(before))
    runner.close()
    return percentiles(spent)
