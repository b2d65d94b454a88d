"""Results of the camera's job as a session delivers them. Called by `cam_panel`."""

from __future__ import annotations

import av

from rtfilter.filter import StepResult
from rtfilter.frame import Frame
from rtfilter.serve.app.pipeline import Filtered, face_box, people_of


def filtered(result: StepResult, done_ns: int, applied_seq: int | None, pictures: bool) -> Filtered:
    """`result` as a session delivers it; without `pictures`, which no one watches, they are blank."""
    frame, report = result
    shown = original = _picture(frame, pictures)
    if frame.original is not None and frame.changed is not None:
        original = _picture(frame.original, pictures)
    stages_ms = {name: round(ns / 1e6, 2) for name, ns in report.stage_ns.items() if name != "total"}
    stages_ms["total"] = round((done_ns - frame.captured_ns) / 1e6, 2)
    return Filtered(
        picture=shown,
        original=original,
        arrived_ns=frame.captured_ns,
        done_ns=done_ns,
        stages_ms=stages_ms,
        face_box=face_box(report.landmarks, frame.width, frame.height),
        people=people_of(report, frame.width, frame.height),
        strength=report.strength,
        applied_seq=applied_seq,
        dropped=0,
    )


def _picture(frame: Frame, filled: bool) -> av.VideoFrame:
    """`frame` as 4:2:0; blank, of its size and time, unless `filled`."""
    picture = av.VideoFrame(frame.width, frame.height, "yuv420p")
    if filled:
        picture = av.VideoFrame.from_ndarray(frame.rgb, format="rgb24").reformat(format="yuv420p")
    picture.pts, picture.time_base = frame.pts, frame.time_base
    return picture
