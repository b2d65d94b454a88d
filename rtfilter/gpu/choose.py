"""Which lane: decided once, at the start. Called by `cli`, `filter` and `aiortc`; loads no lane."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtfilter.engines.driver import Gpu, NoGpuError, find_gpus
from rtfilter.errors import GpuError, UsageError, nearest

if TYPE_CHECKING:
    from rtfilter.engines.prepare.choose import EngineChoice

AUTO, CPU, CUDA = "auto", "cpu", "cuda"
LANES = (AUTO, CPU, CUDA)
LANE_SYNONYMS = {"gpu": CUDA, "nvidia": CUDA}

FindGpus = Callable[[], list[Gpu]]

_log = logging.getLogger("rtfilter.lane")


@dataclass(frozen=True, slots=True)
class LaneChoice:
    """The lane of a filter, and why it is this one.

    lane: `cpu` or `cuda`. why: in a few words. loud: a GPU is used, or is there and is not used.
    fall_back: the CPU lane may take over, with a message, when the device fails.
    engine: how networks run, of a CUDA lane.
    streams: how many of this process's filters share the device; 1: each has its own.
    """

    lane: str
    why: str
    loud: bool = False
    fall_back: bool = False
    engine: EngineChoice | None = None
    streams: int = 1

    @property
    def line(self) -> str:
        """One line for people."""
        return f"lane: {self.lane} ({self.why})"


def choose_lane(name: str, *, fall_back: bool = False, gpus: FindGpus | None = None) -> LaneChoice:
    """The lane that `name`, one of LANES, means on this machine. Loads no network and takes no memory.

    fall_back: a CUDA lane that cannot be had, or fails later, may become the CPU lane; `auto` implies it.
    gpus: default the driver's. Raises UsageError for another name, GpuError for a CUDA lane that cannot be
    had.
    """
    name = lane_name(name)
    if name == CPU:
        return LaneChoice(CPU, "as asked for")
    try:
        engine = usable_engine((gpus or find_gpus)())
        return LaneChoice(CUDA, engine.why, True, fall_back or name == AUTO, engine)
    except NoGpuError as error:
        if name == AUTO:
            return LaneChoice(CPU, "no NVIDIA GPU")
        missing: GpuError = error
    except GpuError as error:
        missing = error
    if name == CUDA and not fall_back:
        raise GpuError(f"the CUDA lane cannot be had: {missing}") from missing
    return LaneChoice(CPU, f"the CUDA lane cannot be had: {missing}", True)


def lane_of_filter(lane: str | LaneChoice, own_tracker: bool, fall_back: bool) -> LaneChoice:
    """The lane of a filter, and a line of it in the log. own_tracker: a caller's, which means the CPU lane.

    Raises UsageError for a tracker in the CUDA lane, and as `choose_lane`.
    """
    if isinstance(lane, LaneChoice):
        return lane
    if own_tracker:
        if lane_name(lane) not in (AUTO, CPU):
            raise UsageError(
                f"a tracker of your own works in the CPU lane: expected lane='cpu', got {lane!r}"
            )
        return LaneChoice(CPU, "a tracker of your own")
    choice = choose_lane(lane, fall_back=fall_back)
    log_choice(choice)
    return choice


def lane_name(text: str) -> str:
    """One of LANES; taken in any case, and `gpu` for `cuda`. Raises UsageError for another."""
    name = str(text).strip().lower()
    name = LANE_SYNONYMS.get(name, name)
    if name not in LANES:
        raise UsageError(f"unknown lane {str(text)[:40]!r}:{nearest(str(text)[:40], LANES)}")
    return name


def usable_engine(gpus: list[Gpu]) -> EngineChoice:
    """The first GPU that will do, and what runs networks on it.

    Raises GpuError, of the first GPU, with what is missing and the command that installs it.
    """
    from rtfilter.engines.prepare.choose import choose_engine

    first: GpuError | None = None
    for gpu in gpus:
        try:
            return choose_engine(gpu)
        except GpuError as error:
            first = first or error
    raise first or NoGpuError("there is no NVIDIA GPU")


def log_choice(choice: LaneChoice) -> None:
    """Write the choice to the log, for a program that embeds the filter."""
    _log.log(logging.WARNING if choice.loud and choice.lane == CPU else logging.INFO, choice.line)
