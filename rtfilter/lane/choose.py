"""Which lane: decided once, at the start, and said out loud. Light: lanes are loaded when they are opened."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtfilter.engines.driver import Gpu, NoGpuError, find_gpus
from rtfilter.errors import GpuError, UsageError, nearest

if TYPE_CHECKING:
    from rtfilter.face.model import MorphableModel
    from rtfilter.lane.base import Lane
    from rtfilter.tracking.base import Tracker

AUTO, CPU, CUDA = "auto", "cpu", "cuda"
LANES = (AUTO, CPU, CUDA)
GPU_FIX = 'install it with: pip install "rtfilter[gpu]"'

Say = Callable[[str], None]
FindGpus = Callable[[], list[Gpu]]

_log = logging.getLogger("rtfilter.lane")


@dataclass(frozen=True, slots=True)
class LaneChoice:
    """lane: `cpu` or `cuda`. why: in a few words. loud: a GPU is used, or is there and is not used.

    fall_back: the CPU lane may take over, with a word about it, when the device fails.
    """

    lane: str
    why: str
    loud: bool = False
    fall_back: bool = False

    @property
    def line(self) -> str:
        """One line for people."""
        return f"lane: {self.lane} ({self.why})"


def choose_lane(wish: str, *, fall_back: bool = False, gpus: FindGpus | None = None) -> LaneChoice:
    """The lane that `wish`, one of LANES, means on this machine. Loads no network and takes no memory.

    fall_back: a CUDA lane that cannot be had, or fails later, may become the CPU lane; `auto` implies it.
    Raises UsageError for another wish, GpuError for a CUDA lane that cannot be had.
    """
    if wish not in LANES:
        raise UsageError(f"unknown lane {str(wish)[:40]!r}:{nearest(str(wish)[:40], LANES)}")
    if wish == CPU:
        return LaneChoice(CPU, "as asked for")
    try:
        return LaneChoice(CUDA, usable_gpu(gpus), True, fall_back or wish == AUTO)
    except NoGpuError as error:
        if wish == AUTO:
            return LaneChoice(CPU, "no NVIDIA GPU")
        missing: GpuError = error
    except GpuError as error:
        missing = error
    if wish == CUDA and not fall_back:
        raise GpuError(
            f"the CUDA lane cannot be had: {missing}; or take --lane cpu, or auto, which takes what there is"
        ) from missing
    return LaneChoice(CPU, f"the CUDA lane cannot be had: {missing}", True)


def usable_gpu(gpus: FindGpus | None = None) -> str:
    """The GPU that the CUDA lane would use, in a few words.

    Raises GpuError naming the first thing that is missing, and what to do.
    """
    gpu = (gpus or find_gpus)()[0]
    if gpu.problem:
        raise GpuError(f"{gpu.name}: {gpu.problem}")
    if importlib.util.find_spec("cupy") is None:
        raise GpuError(f"{gpu.name} is there, CuPy is missing: {GPU_FIX}")
    raise GpuError(f"{gpu.name} is there, and this version has no CUDA lane yet")


def open_lane(
    choice: LaneChoice,
    tracker: Tracker | None,
    model: MorphableModel,
    fade_s: float,
    say: Say | None = None,
) -> Lane:
    """The chosen lane, loaded. say: told of a move to another lane; the log by default.

    Raises GpuError when the device cannot be used and the CPU lane was not allowed.
    """
    from rtfilter.lane.cpu import CpuLane

    return CpuLane(tracker, model, fade_s, choice.why)


def log_choice(choice: LaneChoice) -> None:
    """How a program that embeds the filter is told."""
    _log.log(logging.WARNING if choice.loud and choice.lane == CPU else logging.INFO, choice.line)
