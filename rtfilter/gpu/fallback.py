"""A lane that may fail, and the CPU lane that then takes over: announced, and without a lost frame."""

from __future__ import annotations

import logging
from collections.abc import Callable

from rtfilter.controls import Controls
from rtfilter.errors import GpuError
from rtfilter.frame import Frame
from rtfilter.gpu.lane import Lane, StepResult

Say = Callable[[str], None]

_log = logging.getLogger("rtfilter.lane")


class FallingBack:
    """`first` until it raises GpuError; then `second`, which is made at that moment.

    say: told once, in one line; the log by default.
    """

    def __init__(self, first: Lane, second: Callable[[str], Lane], say: Say | None = None) -> None:
        """second: makes the lane that takes over, from the reason."""
        self._lane = first
        self._second: Callable[[str], Lane] | None = second
        self._say = say or _log.warning

    @property
    def name(self) -> str:
        return self._lane.name

    @property
    def why(self) -> str:
        return self._lane.why

    def step(self, frame: Frame, controls: Controls) -> StepResult:
        """See `Lane.step`. The frame at which the device failed is filtered by the second lane."""
        try:
            return self._lane.step(frame, controls)
        except GpuError as error:
            if self._second is None:
                raise
            self._move(error)
        return self._lane.step(frame, controls)

    def reset(self) -> None:
        self._lane.reset()

    def close(self) -> None:
        self._lane.close()

    def _move(self, error: GpuError) -> None:
        assert self._second is not None
        make, self._second = self._second, None
        reason = " ".join(str(error).split())
        failed = self._lane
        self._say(f"the {failed.name} lane failed ({reason}): going on in the CPU lane")
        self._lane = make(f"the {failed.name} lane failed: {reason}")
        close_quietly(failed)


def close_quietly(lane: Lane) -> None:
    """Close a lane whose device is in trouble already: what that says is no news."""
    try:
        lane.close()
    except GpuError as error:
        _log.info("closing the %s lane: %s", lane.name, error)
