"""Parity of device and processor: kernels, networks, whole lanes. Steps of `bench.gpu_session`."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rtfilter.bench.gpu_machine import CUDA, FORMATS, RGB, SIZES, Machine, demo_frames, in_planes, so_far
from rtfilter.controls import Controls
from rtfilter.cpu.lane import CpuLane
from rtfilter.engines.expression.layout import EXPRESSION, TARGET
from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.engines.prepare.files import NETWORKS, network_bytes
from rtfilter.engines.spec import F32, NetworkSpec
from rtfilter.frame import Frame
from rtfilter.system.arrays import U8
from rtfilter.system.tied import run_tied
from rtfilter.tracking.detect import INPUT_PX, letterbox
from rtfilter.tracking.engine import EngineTracker
from rtfilter.tracking.roi import CROP_PX, Roi, crop

ROOT = Path(__file__).resolve().parents[1]
TARGETS = {
    "happy": Controls({"happy": 1.0}),
    "surprised and angry": Controls({"surprised": 1.2, "angry": 0.3}, mouth=0.3, smoothing=0.0),
}
RUNS = 8


def kernels(machine: Machine) -> dict[str, Any]:
    """The kernels' own tests, on this device: each kernel against its twin."""
    words = ["-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", "tests/kernels"]
    # One after another they did not end within 105 s on an H100: each opens the GPU anew.
    if machine.device == CUDA and importlib.util.find_spec("xdist"):
        words += ["-n", str(min(8, os.cpu_count() or 1))]
    on = "cuda" if machine.device == CUDA else "host"
    environment = {**os.environ, "KERNELS_ON": on, "COLUMNS": "240"}
    done = run_tied(words, cwd=ROOT, env=environment)
    lines = done.stdout.splitlines()
    counts = {what: int(number) for number, what in re.findall(r"(\d+) (\w+)", lines[-1] if lines else "")}
    failures = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    found: dict[str, Any] = {"exit_code": done.returncode, "counts": counts, "failures": failures[:40]}
    if not done.returncode:
        return found
    # All of the first: on a lost GPU, the others only follow from it.
    found["first"] = [line for line in lines if line.startswith("E  ")][:40] or done.stderr.splitlines()[-12:]
    failed = counts.get("failed", 0) + counts.get("errors", 0)
    return {"error": f"{failed} of the kernels' tests failed", **found}


def engines(machine: Machine) -> dict[str, Any]:
    """Each network on the device against ONNX Runtime on the processor, on the demo's face."""
    device = machine.open_device()
    try:
        return {spec.name: _engine(machine, spec, device) for spec in NETWORKS}
    finally:
        device.close()


def _engine(machine: Machine, spec: NetworkSpec, device: Any) -> dict[str, Any]:
    reference = OnnxRunner(network_bytes(spec), spec)
    runner = machine.runner(spec, 1, device)
    apart: dict[str, float] = {}
    largest: dict[str, float] = {}
    stream, tensors = device.stream(), spec.tensors()
    host = {tensor.name: device.pinned(tensor.at(1), tensor.dtype) for tensor in tensors}
    there = {tensor.name: device.empty(tensor.at(1), tensor.dtype) for tensor in tensors}
    try:
        runner.bind(there)
        for inputs in _inputs(spec):
            wanted = {name: values.copy() for name, values in reference.run(**inputs).items()}
            for name, array in inputs.items():
                np.copyto(host[name], array)
                stream.upload(there[name], host[name])
            runner.enqueue(stream)
            for name in wanted:
                stream.download(host[name], there[name])
            stream.wait()
            for name in wanted:
                values = host[name]
                off = float(np.abs(values - wanted[name]).max())
                apart[name] = max(apart.get(name, 0.0), off)
                largest[name] = max(largest.get(name, 0.0), float(np.abs(wanted[name]).max()))
    finally:
        runner.close()
        reference.close()
    return {
        name: {"largest_difference": apart[name], "largest_value": largest[name]} for name in sorted(apart)
    }


def _inputs(spec: NetworkSpec) -> list[dict[str, F32]]:
    """What the network sees of the demo, frame by frame."""
    frames = demo_frames(640, 480, RUNS)
    if spec is FACE_DETECTOR:
        return [{"pixels": _seen(INPUT_PX, partial(letterbox, frame.rgb))} for frame in frames]
    squares = [Roi(320.0, 220.0, 260.0, 0.02 * number) for number in range(RUNS)]
    pairs = list(zip(frames, squares, strict=True))
    seen = [_seen(CROP_PX, partial(crop, frame.rgb, square)) for frame, square in pairs]
    if spec is FACE_MESH:
        return [{"pixels": pixels} for pixels in seen]
    assert spec is EXPRESSION
    mesh = OnnxRunner(network_bytes(FACE_MESH), FACE_MESH)
    rows: list[dict[str, F32]] = []
    for pixels, (_, square) in zip(seen, pairs, strict=True):
        target = TARGET.zeros(1)
        TARGET.of(target, "rising")[:] = 0.3
        TARGET.of(target, "direct")[:] = 0.1
        for name, value in (
            ("offset_cutoff_hz", 1.0),
            ("skin", 1.0),
            ("parts", 1.0),
            ("width_px", 640.0),
            ("height_px", 480.0),
        ):
            TARGET.of(target, name)[:] = value
        TARGET.of(target, "seeding")[:] = 1.0 if not rows else 0.0
        points = square.project(mesh.run(pixels=pixels)["landmarks"][0])[None]
        state = np.zeros(EXPRESSION.inputs[3].at(1), np.float32)
        rows.append(
            {"points_px": points, "present": np.ones(1, np.float32), "target": target, "state": state}
        )
    mesh.close()
    return rows


def _seen(side_px: int, write: Callable[[F32], object]) -> F32:
    pixels = np.empty((1, 3, side_px, side_px), np.float32)
    write(pixels[0])
    return pixels


def lanes(machine: Machine) -> dict[str, Any]:
    """Whole frames of the demo through the device's lane and the CPU lane, each with its own tracking."""
    found: dict[str, Any] = {}
    for size in machine.effort.sizes:
        count = min(machine.effort.compared, 60 if size != "2160p" else 12)
        drawn = demo_frames(*SIZES[size], count)
        for pixels in FORMATS:
            frames = drawn if pixels == RGB else [in_planes(frame) for frame in drawn]
            for target, controls in TARGETS.items():
                found[f"{size}, {pixels}, {target}"] = _compared(machine, frames, controls)
                so_far(found)
    return found


def _compared(machine: Machine, frames: list[Frame], controls: Controls) -> dict[str, Any]:
    lane = machine.open_lane(0.2)
    cpu = CpuLane(EngineTracker(), machine.model, 0.2)
    levels, worst, landmarks_iod, background = np.zeros(256, np.int64), 0.0, 0.0, True
    changed = 0
    try:
        for frame in frames:
            ours, report = lane.step(frame, controls)
            theirs, expected = cpu.step(frame, controls)
            counts = np.zeros(256, np.int64)
            for one, other in zip(_samples(ours), _samples(theirs), strict=True):
                counts += np.bincount(_apart(one, other).ravel(), minlength=256)
            levels += counts
            worst = max(worst, float(counts[3:].sum() / counts.sum()))
            changed += ours.changed is not None
            background &= _is_untouched_outside(ours, frame)
            if report.landmarks is not None and expected.landmarks is not None and expected.state is not None:
                off = np.abs(report.landmarks.points_px - expected.landmarks.points_px)[:, :2].max()
                landmarks_iod = max(landmarks_iod, float(off) / expected.state.pose.scale_px_per_iod)
        lane.reset()
        untouched = all(lane.step(frame, Controls())[0].pixels is frame.pixels for frame in frames[:5])
    finally:
        lane.close()
        cpu.close()
    return {
        "frames": len(frames),
        "frames_changed": changed,
        "share_over_2_levels": round(float(levels[3:].sum() / levels.sum()), 7),
        "worst_frame_share_over_2_levels": round(worst, 6),
        "share_over_0_levels": round(float(levels[1:].sum() / levels.sum()), 5),
        "largest_difference": int(np.flatnonzero(levels).max()),
        "landmarks_largest_difference_iod": round(landmarks_iod, 5),
        "background_bit_exact": background,
        "without_edit_bit_exact": untouched,
    }


def _samples(frame: Frame) -> list[U8]:
    """RGB [H, W, 3], or the planes."""
    return [frame.rgb] if frame.planes is None else frame.planes.all


def _apart(one: U8, other: U8) -> Any:
    """Levels by which pixels or samples differ; of a pixel the most."""
    apart = np.abs(one.astype(np.int16) - other)
    return apart.max(2) if apart.ndim == 3 else apart


def _is_untouched_outside(ours: Frame, given: Frame) -> bool:
    """Whether all samples outside the changed box are the source's."""
    for one, other in zip(_samples(ours), _samples(given), strict=True):
        outside = np.ones(one.shape[:2], bool)
        if ours.changed is not None:
            half = one.shape[0] < given.height  # chroma; the box is even
            x0, y0, x1, y1 = (-(-side // 2) if half else side for side in ours.changed)
            outside[y0:y1, x0:x1] = False
        if not np.array_equal(one[outside], other[outside]):
            return False
    return True
