"""`SharedSeat`: one stream's place among several on a device (`Together`)."""

from __future__ import annotations

from time import perf_counter_ns

import numpy as np
import numpy.typing as npt

from rtfilter.engines.expression.layout import WISH
from rtfilter.engines.spec import F32
from rtfilter.gpu.asked import FacesAsked, FrameAsked
from rtfilter.gpu.picture import Step
from rtfilter.gpu.together import Together
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8, Box
from rtfilter.tracking.detect import Detection
from rtfilter.tracking.roi import Roi


class SharedSeat:
    """See `cuda.Place`. together: stays open when the seat is closed."""

    def __init__(self, together: Together) -> None:
        self._together = together
        self._first_row: int | None = together.take_rows()
        self._wish = WISH.zeros()
        self._frame: FrameAsked | None = None
        self.detector = SharedDetector(together)

    def fit(self, step: Step, region: Box) -> None:
        """Nothing to do: room is made when it is launched."""

    @property
    def wish_row(self) -> F32:
        return self._wish

    def launch(self, step: Step, roi: Roi | None, region: Box, read: int, written: int) -> int:
        first = self._first_row
        assert first is not None, "this seat is closed"
        row = read if read < 0 else first + read
        started = perf_counter_ns()
        self._frame = FrameAsked(step.upload(region), roi, row, first + written, self._wish)
        self._together.ask(self._frame)
        return started

    def wait(self) -> None:
        if self._frame is not None:
            self._frame.wait()
        self.detector.wait()

    @property
    def results(self) -> dict[str, F32]:
        assert self._frame is not None
        return self._frame.results

    @property
    def box(self) -> npt.NDArray[np.void]:
        assert self._frame is not None
        return self._frame.report

    def paste(self, out: U8 | Planes, box: Box) -> None:
        assert self._frame is not None
        assert self._frame.changed is not None
        self._frame.upload.paste(out, box, self._frame.changed)

    def close(self) -> None:
        """Leave the seat to another stream. May be called twice."""
        first, self._first_row = self._first_row, None
        if first is not None:
            self._together.give_rows(first)


class SharedDetector:
    def __init__(self, together: Together) -> None:
        self._together = together
        self._faces: FacesAsked | None = None

    def start(self, pixels: U8 | Planes) -> None:
        self._faces = FacesAsked(pixels)
        self._together.ask(self._faces)

    def wait(self) -> None:
        if self._faces is not None:
            self._faces.wait()

    def found(self) -> list[Detection]:
        assert self._faces is not None, "start() comes first"
        return self._faces.found
