"""Which lane: decided once, at the start, and said out loud. Light: lanes are loaded when they are opened."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtfilter.engines.driver import Gpu, NoGpuError, find_gpus
from rtfilter.errors import GpuError, InputError, UsageError, nearest

if TYPE_CHECKING:
    from rtfilter.engines.prepare.choose import EngineChoice
    from rtfilter.face.model import MorphableModel
    from rtfilter.gpu.lane import Lane
    from rtfilter.tracking.base import Tracker

AUTO, CPU, CUDA = "auto", "cpu", "cuda"
LANES = (AUTO, CPU, CUDA)
LANE_SYNONYMS = {"gpu": CUDA, "nvidia": CUDA}

Say = Callable[[str], None]
FindGpus = Callable[[], list[Gpu]]

_log = logging.getLogger("rtfilter.lane")


@dataclass(frozen=True, slots=True)
class LaneChoice:
    """lane: `cpu` or `cuda`. why: in a few words. loud: a GPU is used, or is there and is not used.

    fall_back: the CPU lane may take over, with a word about it, when the device fails. engine: how networks
    run, of a CUDA lane. streams: how many of this process's filters share the device; 1: each has its own.
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


def choose_lane(wish: str, *, fall_back: bool = False, gpus: FindGpus | None = None) -> LaneChoice:
    """The lane that `wish`, one of LANES, means on this machine. Loads no network and takes no memory.

    fall_back: a CUDA lane that cannot be had, or fails later, may become the CPU lane; `auto` implies it.
    gpus: default the driver's. Raises UsageError for another wish, GpuError for a CUDA lane that cannot be
    had.
    """
    wish = lane_name(wish)
    if wish == CPU:
        return LaneChoice(CPU, "as asked for")
    try:
        engine = usable_engine((gpus or find_gpus)())
        return LaneChoice(CUDA, engine.why, True, fall_back or wish == AUTO, engine)
    except NoGpuError as error:
        if wish == AUTO:
            return LaneChoice(CPU, "no NVIDIA GPU")
        missing: GpuError = error
    except GpuError as error:
        missing = error
    if wish == CUDA and not fall_back:
        raise GpuError(f"the CUDA lane cannot be had: {missing}") from missing
    return LaneChoice(CPU, f"the CUDA lane cannot be had: {missing}", True)


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


def open_lane(
    choice: LaneChoice,
    tracker: Tracker | None,
    model: MorphableModel,
    fade_s: float,
    say: Say | None = None,
) -> Lane:
    """The chosen lane, loaded. say: told of what takes a while, and of a move to another lane; the log by
    default.

    Raises GpuError or InputError where the CUDA lane cannot be loaded and the CPU lane was not allowed.
    """
    from rtfilter.gpu.fallback import FallingBack
    from rtfilter.render.lane import CpuLane

    tell = say or _log.warning

    def on_cpu(why: str) -> Lane:
        return CpuLane(tracker, model, fade_s, why)

    if choice.lane == CPU or choice.engine is None:
        return on_cpu(choice.why)
    from rtfilter.gpu.open import open_cuda

    inform = say or _log.info
    try:
        lane = open_cuda(choice.engine, model, fade_s, inform, choice.streams)
    except (GpuError, InputError) as error:
        if not choice.fall_back:
            raise
        reason = " ".join(str(error).split())
        tell(f"the CUDA lane cannot be loaded ({reason}): the CPU lane is used")
        return on_cpu(f"the CUDA lane cannot be loaded: {reason}")
    return FallingBack(lane, on_cpu, tell) if choice.fall_back else lane


def log_choice(choice: LaneChoice) -> None:
    """How a program that embeds the filter is told."""
    _log.log(logging.WARNING if choice.loud and choice.lane == CPU else logging.INFO, choice.line)
