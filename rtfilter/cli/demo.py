"""`rtfilter demo`: the built-in talking portrait, original beside result, one emotion after another."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

from rtfilter.cli.endpoints import DEMO, VIRTUAL_CAMERA
from rtfilter.cli.job import job_for
from rtfilter.cli.run import filter_video
from rtfilter.cli.settings import controls_for, settings_for
from rtfilter.controls import EMOTIONS, Controls
from rtfilter.frame import Frame

SECONDS_EACH = 2.5
TOUR = tuple(name for name in EMOTIONS if name != "neutral")


def demo(arguments: argparse.Namespace) -> int:
    """Show a tour of all emotions, or the mix of the options."""
    settings = settings_for(arguments)
    controls = controls_for(settings)
    values = {**settings.values, "input": DEMO, "output": arguments.output}
    job = job_for(arguments, values, controls)
    duration_s = job.duration_s
    if duration_s is None and not controls.has_target and job.output != VIRTUAL_CAMERA:
        duration_s = SECONDS_EACH * len(TOUR)
    job = replace(job, compare=True, duration_s=duration_s)
    if not controls.has_target:
        described = {**job.described, "emotions": f"a tour: {', '.join(TOUR)}"}
        job = replace(job, controls_at=tour(controls), described=described)
    return filter_video(job)


def tour(controls: Controls) -> Callable[[Frame], Controls]:
    """One emotion after another, each for 2.5 s of presentation time, over and over."""
    stops = [controls.with_(emotions={name: 1.0}) for name in TOUR]
    return lambda frame: stops[int(frame.pts_ns / 1e9 / SECONDS_EACH) % len(stops)]
