"""`rtfilter inspect`: pose, expression coefficients and residual of every frame of a video."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rtfilter.cli.output import refuse_existing, refuse_same, text_output
from rtfilter.cli.settings import chosen_lane, settings_for
from rtfilter.cli.terminal import announce, notify
from rtfilter.controls import BLENDSHAPES, Controls
from rtfilter.filter import FaceFilter, StepReport
from rtfilter.frame import Frame
from rtfilter.gpu.choose import LaneChoice
from rtfilter.sources.file import FileSource


def inspect(arguments: argparse.Namespace) -> int:
    """Write every frame as JSON, or a summary for people."""
    if arguments.output is not None:
        refuse_same(Path(arguments.output), "output", Path(arguments.file), "input")
        refuse_existing(Path(arguments.output), arguments.force)
    lane = chosen_lane(arguments, settings_for(arguments).values)
    source = FileSource(arguments.file)
    announce(lane, quiet=arguments.json)
    try:
        info = source.info
        head = {"input": info.name, "width": info.width, "height": info.height, "fps": float(info.fps)}
        if arguments.json or arguments.output is not None:
            with text_output(arguments.output) as out:
                out.write(json.dumps({**head, "blendshapes": BLENDSHAPES})[:-1] + ', "frames": [')
                for number, described in enumerate(_frames(source, lane)):
                    out.write(("," if number else "") + "\n" + json.dumps(described))
                out.write("\n]}\n")
        else:
            _summarise(head, list(_frames(source, lane)))
    finally:
        source.close()
    return 0


def _frames(source: FileSource, lane: LaneChoice) -> Iterator[dict[str, Any]]:
    face_filter = FaceFilter(lane=lane, notify=notify)
    try:
        controls = Controls()
        while (frame := source.read()) is not None:
            yield describe(frame, face_filter.step(frame, controls).report)
    finally:
        face_filter.close()


def describe(frame: Frame, report: StepReport) -> dict[str, Any]:
    """One frame as JSON values; `face` is None where there is none.

    Angles in degrees, lengths in pixels, coefficients 0..1 by blendshape name, residual in
    inter-ocular distances.
    """
    described: dict[str, Any] = {"seq": frame.seq, "time_s": round(frame.pts_ns / 1e9, 6), "face": None}
    state = report.state
    if state is None:
        return described
    yaw, pitch, roll = state.pose.yaw_pitch_roll_deg
    described["face"] = {
        "score": round(report.landmarks.score, 4) if report.landmarks is not None else None,
        "yaw_deg": round(yaw, 3),
        "pitch_deg": round(pitch, 3),
        "roll_deg": round(roll, 3),
        "rotation": np.round(state.pose.rotation, 6).tolist(),
        "translation_px": np.round(state.pose.translation_px, 3).tolist(),
        "scale_px_per_iod": round(state.pose.scale_px_per_iod, 4),
        "expression": {n: round(float(v), 4) for n, v in zip(BLENDSHAPES, state.expression, strict=True)},
        "residual_iod": round(float(state.residual), 6),
    }
    return described


def _summarise(head: dict[str, Any], frames: list[dict[str, Any]]) -> None:
    faces = [frame["face"] for frame in frames if frame["face"] is not None]
    print(f"{head['input']}: {head['width']}x{head['height']} at {head['fps']:g} fps, {len(frames)} frames")
    print(f"face in {len(faces)} of {len(frames)} frames")
    if not faces:
        return
    residuals = [face["residual_iod"] for face in faces]
    print(f"residual {np.median(residuals):.4f} IOD median, {np.max(residuals):.4f} worst")
    for angle in ("yaw_deg", "pitch_deg", "roll_deg"):
        values = [face[angle] for face in faces]
        print(f"{angle.removesuffix('_deg'):<6}{np.min(values):>7.1f} .. {np.max(values):.1f} degrees")
    means = {name: float(np.mean([face["expression"][name] for face in faces])) for name in BLENDSHAPES}
    for name in sorted(means, key=lambda name: -means[name])[:8]:
        print(f"{name:<22}{means[name]:.2f} mean, {max(face['expression'][name] for face in faces):.2f} most")
    print("every frame: rtfilter inspect FILE --json", file=sys.stderr)
