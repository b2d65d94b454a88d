"""Opens the chosen lane, and goes on in the CPU lane when a GPU fails. Called by `filter`."""

from __future__ import annotations

import logging
from collections.abc import Callable

from rtfilter.controls import Controls
from rtfilter.errors import GpuError, InputError, Notify
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.gpu.choose import CPU, LaneChoice
from rtfilter.gpu.lane import Lane, People, StepResult

# The CPU lane, and why it is this one.
OnCpu = Callable[[str], Lane]

_log = logging.getLogger("rtfilter.lane")


def open_lane(
    choice: LaneChoice,
    on_cpu: OnCpu,
    model: MorphableModel,
    fade_s: float,
    notify: Notify | None = None,
    faces: int = 1,
) -> Lane:
    """The chosen lane, loaded.

    notify: called with one line for what takes a while and for a move to another lane; default: the log.

    Raises GpuError or InputError where the CUDA lane cannot be loaded and the CPU lane was not allowed.
    """
    warn = notify or _log.warning
    if choice.lane == CPU or choice.engine is None:
        return on_cpu(choice.why)
    from rtfilter.gpu.open import open_cuda

    inform = notify or _log.info
    try:
        lane = open_cuda(choice.engine, model, fade_s, inform, choice.streams, faces)
    except (GpuError, InputError) as error:
        if not choice.fall_back:
            raise
        reason = " ".join(str(error).split())
        warn(f"the CUDA lane cannot be loaded ({reason}): the CPU lane is used")
        return on_cpu(f"the CUDA lane cannot be loaded: {reason}")
    return FallingBack(lane, on_cpu, warn) if choice.fall_back else lane


class FallingBack:
    """`first` until it raises GpuError; then the CPU lane, without a lost frame.

    on_cpu: makes the lane that takes over, from the reason. notify: called once, with one line.
    """

    def __init__(self, first: Lane, on_cpu: OnCpu, notify: Notify) -> None:
        self._lane = first
        self._on_cpu: OnCpu | None = on_cpu
        self._notify = notify
        self._skin: SkinMaps | None = None

    @property
    def name(self) -> str:
        """See `Lane.name`."""
        return self._lane.name

    @property
    def why(self) -> str:
        """See `Lane.why`."""
        return self._lane.why

    def step(self, frame: Frame, controls: Controls, people: People | None = None) -> StepResult:
        """See `Lane.step`. The frame at which the device failed is filtered by the CPU lane."""
        try:
            return self._lane.step(frame, controls, people)
        except GpuError as error:
            if self._on_cpu is None:
                raise
            self._fall_back(self._on_cpu, error)
        return self._lane.step(frame, controls, people)

    def choose(self, x: float, y: float) -> None:
        """See `Lane.choose`."""
        self._lane.choose(x, y)

    def use_skin(self, skin: SkinMaps, person: int | None = None) -> None:
        """See `Lane.use_skin`; the lane that takes over paints those of everybody too."""
        if person is None:
            self._skin = skin
        self._lane.use_skin(skin, person)

    def reset(self) -> None:
        """See `Lane.reset`."""
        self._lane.reset()

    def close(self) -> None:
        """See `Lane.close`."""
        self._lane.close()

    def _fall_back(self, on_cpu: OnCpu, error: GpuError) -> None:
        self._on_cpu = None
        failed, reason = self._lane, " ".join(str(error).split())
        self._notify(f"the {failed.name} lane failed ({reason}): going on in the CPU lane")
        self._lane = on_cpu(f"the {failed.name} lane failed: {reason}")
        if self._skin is not None:
            self._lane.use_skin(self._skin)
        try:
            failed.close()
        except GpuError as closing_error:
            # Its device is in trouble already.
            _log.info("closing the %s lane: %s", failed.name, closing_error)
