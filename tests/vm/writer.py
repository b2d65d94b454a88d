"""Writes frame stamps to the virtual camera, through the very job that `rtfilter cam` runs.

Without the networks: the filter changes nothing.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from fractions import Fraction

import numpy as np

from rtfilter.cam.camera import CameraChoice
from rtfilter.cam.job import CamJob
from rtfilter.cam.watchers import watched
from rtfilter.cam.writer import SteadyWriter
from rtfilter.controls import Controls
from rtfilter.frame import Frame
from rtfilter.gpu.lane import StepReport, StepResult
from rtfilter.media.info import SourceInfo
from rtfilter.sinks.virtualcam import VirtualCameraSink
from rtfilter.system.threads import stop_on_signals
from tests.vm import stamps


class StampSource:
    """A grey picture with the number of the frame, endless; not live, so that the job paces it."""

    def __init__(self, width: int, height: int, fps: int) -> None:
        self.info = SourceInfo("stamps", width, height, Fraction(fps), live=False)
        ramp = np.linspace(40, 200, width).astype(np.uint8)
        self._ground = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (height, width, 3)))
        self._number = -1
        self._closed = False

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        if self._closed:
            return None
        self._number += 1
        rgb = self._ground.copy()
        stamps.draw(rgb, self._number)
        return Frame(rgb, self._number, 1 / self.info.fps, time.monotonic_ns(), self._number)

    def close(self) -> None:
        self._closed = True


class NoFilter:
    """Hands every frame through."""

    def step(self, frame: Frame, controls: Controls) -> StepResult:
        return StepResult(replace(frame, original=frame), StepReport())

    def reset(self) -> None:
        pass


class StatePrinter(logging.Handler):
    """Prints every state of the job, with the time."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"{time.monotonic():.2f} {record.getMessage()}", flush=True)


def write_stamps(said: str, device: str, width: int, height: int, fps: int, idle: bool) -> None:
    """Write until SIGINT, as the main thread of a process; its words go to the file `said`."""
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    virtual = VirtualCameraSink(width, height, fps, device)
    job = CamJob(
        StampSource(width, height, fps),
        SteadyWriter(virtual, fps),
        NoFilter(),
        Controls,
        size=(width, height),
        camera=CameraChoice("stamps", width, height, fps),
        watched=watched(device) if idle else None,
        open_camera=lambda _, *wanted: StampSource(wanted[0], wanted[1], round(wanted[2])),
    )
    states = logging.getLogger("rtfilter.cam.job")
    states.setLevel(logging.INFO)
    states.addHandler(StatePrinter())
    with stop_on_signals(job.stop):
        report = job.run()
    print(f"wrote {report.written} of {report.captured}, {report.timings}", flush=True)
