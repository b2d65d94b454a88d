"""The boundaries inside one process: the model alone, and picture in -> picture out, without any network."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Any

import numpy as np

from rtfilter.bench.webrtc_camera import RTP_HZ, demo_pictures
from rtfilter.bench.webrtc_figures import percentiles
from rtfilter.controls import Controls
from rtfilter.filter import FaceFilter
from rtfilter.gpu.choose import AUTO, LaneChoice
from rtfilter.serve.rtc.pictures import copy_of, frame_of, picture_of
from rtfilter.system.clock import NS_PER_MS

MODEL, PICTURE = "model", "picture"
TITLES = {
    MODEL: "model only: FaceFilter.step",
    PICTURE: "picture in -> picture out: decoded planes, step, planes to encode",
}
# The tracker's first frames run its detector, and Numba loads its kernels in the first edit.
WARM_UP = 15
DISTINCT = 30


def inside(
    width: int,
    height: int,
    controls: Controls,
    count: int,
    fps: int = 30,
    lane: str | LaneChoice = AUTO,
) -> dict[str, Any]:
    """Percentiles of both boundaries over `count` pictures, as fast as they go."""
    pictures = demo_pictures(width, height, DISTINCT)
    period = [*pictures, *pictures[-2:0:-1]]
    took_ms: dict[str, list[float]] = {MODEL: [], PICTURE: []}
    face_filter = FaceFilter(lane=lane)
    try:
        for number in range(WARM_UP + count):
            # As a decoder gives it: planes that no cache holds any more.
            picture = copy_of(period[number % len(period)])
            picture.pts = number * RTP_HZ // fps
            picture.time_base = Fraction(1, RTP_HZ)
            start = time.perf_counter_ns()
            frame = frame_of(picture, start, number)
            decoded = time.perf_counter_ns()
            result = face_filter.step(frame, controls).frame
            stepped = time.perf_counter_ns()
            picture_of(result)
            done = time.perf_counter_ns()
            if number >= WARM_UP:
                took_ms[MODEL].append((stepped - decoded) / NS_PER_MS)
                took_ms[PICTURE].append((done - start) / NS_PER_MS)
    finally:
        face_filter.close()
    return {name: percentiles(np.array(values)) for name, values in took_ms.items()}
