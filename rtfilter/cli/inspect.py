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
from rtfilter.filter import FaceFilter, PersonReport, StepReport
from rtfilter.frame import Frame
from rtfilter.gpu.choose import LaneChoice
from rtfilter.sources.file import FileSource


def inspect(arguments: argparse.Namespace) -> int:
    """Write every frame as JSON, or a summary for people."""
    if arguments.output is not None:
        refuse_same(Path(arguments.output), "output", Path(arguments.file), "input")
        refuse_existing(Path(arguments.output), arguments.force)
    values = settings_for(arguments).values
    lane, faces = chosen_lane(arguments, values), values.get("faces", 1)
    source = FileSource(arguments.file)
    announce(lane, quiet=arguments.json)
    try:
        info = source.info
        head = {"input": info.name, "width": info.width, "height": info.height, "fps": float(info.fps)}
        if arguments.json or arguments.output is not None:
            with text_output(arguments.output) as out:
                out.write(json.dumps({**head, "blendshapes": BLENDSHAPES})[:-1] + ', "frames": [')
                for number, described in enumerate(_frames(source, lane, faces)):
                    out.write(("," if number else "") + "\n" + json.dumps(described))
                out.write("\n]}\n")
        else:
            _summarise(head, list(_frames(source, lane, faces)))
    finally:
        source.close()
    return 0


def _frames(source: FileSource, lane: LaneChoice, faces: int) -> Iterator[dict[str, Any]]:
    face_filter = FaceFilter(lane=lane, notify=notify, faces=faces)
    try:
        controls = Controls()
        while (frame := source.read()) is not None:
            yield describe(frame, face_filter.step(frame, controls).report)
    finally:
        face_filter.close()


def describe(frame: Frame, report: StepReport) -> dict[str, Any]:
    """One frame as JSON values; `face` is the longest followed one's, None where there is none.

    `people` has every face. Angles in degrees, lengths in pixels, coefficients 0..1 by blendshape name,
    residual in inter-ocular distances.
    """
    people = [_described(one) for one in report.people]
    time_s = round(frame.pts_ns / 1e9, 6)
    return {"seq": frame.seq, "time_s": time_s, "face": people[0] if people else None, "people": people}


def _described(one: PersonReport) -> dict[str, Any]:
    state = one.state
    yaw, pitch, roll = state.pose.yaw_pitch_roll_deg
    return {
        "person": one.person,
        "score": round(one.landmarks.score, 4),
        "yaw_deg": round(yaw, 3),
        "pitch_deg": round(pitch, 3),
        "roll_deg": round(roll, 3),
        "rotation": np.round(state.pose.rotation, 6).tolist(),
        "translation_px": np.round(state.pose.translation_px, 3).tolist(),
        "scale_px_per_iod": round(state.pose.scale_px_per_iod, 4),
        "expression": {n: round(float(v), 4) for n, v in zip(BLENDSHAPES, state.expression, strict=True)},
        "residual_iod": round(float(state.residual), 6),
    }


def _summarise(head: dict[str, Any], frames: list[dict[str, Any]]) -> None:
    print(f"{head['input']}: {head['width']}x{head['height']} at {head['fps']:g} fps, {len(frames)} frames")
    people: dict[int, list[dict[str, Any]]] = {}
    for frame in frames:
        for face in frame["people"]:
            people.setdefault(face["person"], []).append(face)
    for number, faces in people.items():
        named = "face" if len(people) == 1 else f"person {number}:"
        print(f"{named} in {len(faces)} of {len(frames)} frames")
        _summarise_face(faces)
    if not people:
        print(f"face in 0 of {len(frames)} frames")
        return
    print("every frame: rtfilter inspect FILE --json", file=sys.stderr)


def _summarise_face(faces: list[dict[str, Any]]) -> None:
    residuals = [face["residual_iod"] for face in faces]
    print(f"residual {np.median(residuals):.4f} IOD median, {np.max(residuals):.4f} worst")
    for angle in ("yaw_deg", "pitch_deg", "roll_deg"):
        values = [face[angle] for face in faces]
        print(f"{angle.removesuffix('_deg'):<6}{np.min(values):>7.1f} .. {np.max(values):.1f} degrees")
    means = {name: float(np.mean([face["expression"][name] for face in faces])) for name in BLENDSHAPES}
    for name in sorted(means, key=lambda name: -means[name])[:8]:
        print(f"{name:<22}{means[name]:.2f} mean, {max(face['expression'][name] for face in faces):.2f} most")
