"""What no program can beat on this machine: bytes over the bus, and the networks' arithmetic."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from rtfilter.bench.gpu_machine import CUDA, Machine
from rtfilter.engines.prepare.files import NETWORKS, prepared
from rtfilter.engines.spec import NetworkSpec
from rtfilter.engines.trt.builder import at_batch, parse_onnx

COPY_BYTES = 64 << 20
COPIES = 10


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
            for way, before, after in (("up", 0, 1), ("down", 1, 2)):
                spent_ms = max(marks[after].since_ms(marks[before]), 1e-6)
                best[way] = max(best[way], COPY_BYTES / spent_ms / 1e6)
        return {way: round(speed, 2) for way, speed in best.items()}
    finally:
        device.close()


@cache
def tera_flop_s() -> float | None:
    """Half-precision matrix products by PyTorch; None without it or a GPU."""
    try:
        torch: Any = import_module("torch")
        return _torch_tera_flop_s(torch) if torch.cuda.is_available() else None
    except (ImportError, OSError, RuntimeError):  # what it lacks, or its CUDA says, is not what is measured
        return None


def _torch_tera_flop_s(torch: Any) -> float:
    side, rounds = 8192, 10
    a = torch.randn(side, side, dtype=torch.half, device="cuda")
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    for _ in range(3):
        a @ a
    start.record()
    for _ in range(rounds):
        a @ a
    end.record()
    torch.cuda.synchronize()
    return round(2 * side**3 * rounds / float(start.elapsed_time(end)) / 1e9, 1)


def network_flops() -> dict[str, int]:
    """Operations of one run, by network: two for each product of convolutions and matrix products."""
    return {spec.name: flops(prepared(spec).read_bytes(), spec) for spec in NETWORKS}


def flops(onnx_bytes: bytes, spec: NetworkSpec) -> int:
    """Of one run with a batch of one."""
    import onnx

    model = onnx.shape_inference.infer_shapes(at_batch(parse_onnx(onnx_bytes, spec, spec.name), 1))
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.value_info, *model.graph.input, *model.graph.output)
    }
    shapes.update({tensor.name: list(tensor.dims) for tensor in model.graph.initializer})
    total = 0
    for node in model.graph.node:
        out = shapes.get(node.output[0], [])
        if node.op_type == "Conv":
            total += 2 * int(np.prod(out)) * int(np.prod(shapes[node.input[1]][1:]))
        elif node.op_type in ("MatMul", "Gemm"):
            inner = shapes.get(node.input[0], [0])
            total += 2 * int(np.prod(out)) * (inner[-1] if inner else 0)
    return total


def floor_ms(moved: tuple[int, int], bus: dict[str, float], operations: int) -> dict[str, Any]:
    """Milliseconds that a frame's bytes and operations take at the measured rates, one after another."""
    up, down = (size / (bus[way] * 1e6) for size, way in zip(moved, ("up", "down"), strict=True))
    rate = tera_flop_s()
    arithmetic = operations / (rate * 1e9) if rate else 0.0
    return {
        "up_ms": round(up, 4),
        "down_ms": round(down, 4),
        "arithmetic_ms": round(arithmetic, 4),
        "total_ms": round(up + down + arithmetic, 4),
    }


def measure(machine: Machine) -> dict[str, Any]:
    """Rates of the machine, and what the networks cost."""
    return {
        "bus_gb_s": bus_gb_s(machine),
        "half_tera_flop_s": tera_flop_s() if machine.device == CUDA else None,
        "network_flops": network_flops(),
    }
