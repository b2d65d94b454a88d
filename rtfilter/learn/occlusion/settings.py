"""The settings of `[squares]` and `[occlusion]`: footage, drawn occluders, network and training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rtfilter.errors import UsageError
from rtfilter.learn.texture.settings import parse_person

PATHS = ("output", "squares", "start", "people")


@dataclass(frozen=True, slots=True)
class SquareSettings:
    """`[squares]`.

    people: videos or pictures with the name of who is in them, as `anna:/data/anna.mp4`, or a folder of one
    person's; several of one name are put together. every: of the frames, how many from one square to the
    next. most: squares of a person; more are thinned out evenly.
    """

    people: tuple[str, ...] = ()
    every: int = 6
    most: int = 120

    def __post_init__(self) -> None:
        if not self.people:
            raise UsageError('people: expected some, such as people = ["anna:/data/anna.mp4"]')
        for name in ("every", "most"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected 1 or more, got {getattr(self, name)}")
        for text in self.people:
            parse_person(text)


@dataclass(frozen=True, slots=True)
class OcclusionSettings:
    """`[occlusion]`.

    squares: folder of `rtfilter learn squares`. held_out: people who are measured on, not trained on.
    spectacled: people who wear glasses of their own, whose rims no mask tells; around their eyes nothing is
    asked of `rims`. unseen: kinds of occluders that are measured on, not trained on. pool: how many composed
    pictures; they are made once and kept, below the run's folder. measured: how many more of people and kinds
    held out.

    bare: share of pictures with nothing over the face. false: weight of what is covered falsely.
    lean: added to the logits of occluder and rims at export, so that more is held, or less.
    start: a checkpoint to begin from. width: channels at 48 px; deeper ones are multiples. unknown: share of
    pictures without a learned appearance. average: of the weights, the half-life in steps.
    """

    squares: Path = Path("{output}/squares")
    held_out: tuple[str, ...] = ()
    spectacled: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    pool: int = 8000
    measured: int = 600
    bare: float = 0.3
    false: float = 4.0
    lean: float = 0.0
    start: Path | None = None
    width: int = 16
    unknown: float = 0.35
    average: int = 100
    batch: int = 16
    steps: int = 2000
    rate: float = 3e-3
    log_every: int = 50
    save_every: int = 250

    def __post_init__(self) -> None:
        for name in ("pool", "measured", "average", "batch", "log_every", "save_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected 1 or more, got {getattr(self, name)}")
        if self.width < 8 or self.width % 8:
            raise UsageError(f"width: expected a multiple of 8, got {self.width}")
        if self.steps < 0 or self.rate <= 0.0:
            raise UsageError(f"steps, rate: expected 0 or more, above 0, got {self.steps}, {self.rate:g}")
        for name in ("unknown", "bare"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UsageError(f"{name}: expected a share 0..1, got {getattr(self, name):g}")
        if self.false < 0.0:
            raise UsageError(f"false: expected 0 or more, got {self.false:g}")
