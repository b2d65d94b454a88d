"""The settings of `[unwrap]` and `[texture]`: where maps come from, network, losses and training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rtfilter.errors import UsageError
from rtfilter.learn.texture.network import LEAST_PX, Shape

SIZES = (32, 64, 128, 256)
_EVERY = ("log_every", "save_every", "r1_every", "path_every", "adversarial_every")

PATHS = ("output", "maps", "start", "people")


def check_size(size: int) -> None:
    """Raise UsageError for a side that no map may have."""
    if size not in SIZES:
        raise UsageError(f"size: expected one of {', '.join(map(str, SIZES))}, got {size}")


@dataclass(frozen=True, slots=True)
class UnwrapSettings:
    """`[unwrap]`.

    people: videos with the name of who is in them, as `anna:/data/anna.mp4`, or a folder of videos of one
    person; several of one name are put together. synthetic: how many people who do not exist, drawn with
    folds of which the truth is known. size: side of the maps. every: of the frames, how many from one map to
    the next. most: maps of a person; more are thinned out evenly.
    """

    people: tuple[str, ...] = ()
    synthetic: int = 0
    size: int = 128
    every: int = 2
    most: int = 600

    def __post_init__(self) -> None:
        check_size(self.size)
        if not self.people and self.synthetic < 1:
            raise UsageError('people: expected some, such as people = ["anna:/data/anna.mp4"], or synthetic')
        for name in ("every", "most"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected 1 or more, got {getattr(self, name)}")
        for text in self.people:
            parse_person(text)


def parse_person(text: str) -> tuple[str, Path]:
    """Name and place of `NAME:PATH`. Raises UsageError."""
    name, colon, place = text.partition(":")
    if not (colon and name.strip() and place.strip()) or any(mark in name for mark in '/\\."'):
        raise UsageError(f"people: expected NAME:VIDEO or NAME:FOLDER, got {text!r}")
    return name.strip(), Path(place.strip()).expanduser()


@dataclass(frozen=True, slots=True)
class TextureSettings:
    """`[texture]`.

    maps: folder of `rtfilter learn unwrap`. people: only these; default all. held_out: share at the end of
    each person's maps that training does not see. start: a checkpoint to begin from, of other people's maps.
    latent, width, least, mapping: of `network.Shape`.

    Weights of the losses, 0 leaves one out: reconstruct (a map through encoder and generator), edit (a map
    moved to another's expression by the directions), adversarial (every `adversarial_every` steps), near (W+
    stays near the average), r1 and path_length (every `r1_every` and `path_every` adversarial steps).
    mixing: share of made maps of two latents. average: of the weights, the half-life in steps. half:
    bfloat16 on a GPU. profile: of `rtfilter enroll`, whose skin maps the export replaces. regress: whether
    directions are regressed after training, in place of those learned; ridge: of that regression.
    """

    maps: Path = Path("{output}/unwrap")
    people: tuple[str, ...] = ()
    held_out: float = 0.0
    start: Path | None = None
    latent: int = 64
    width: int = 32
    least: int = 8
    mapping: int = 3
    reconstruct: float = 1.0
    edit: float = 1.0
    adversarial: float = 0.02
    adversarial_every: int = 2
    near: float = 0.002
    r1: float = 1.0
    r1_every: int = 8
    path_length: float = 0.2
    path_every: int = 4
    mixing: float = 0.5
    average: int = 100
    half: bool = True
    profile: str = ""
    regress: bool = False
    ridge: float = 1.0
    batch: int = 8
    steps: int = 1000
    rate: float = 5e-3
    log_every: int = 25
    save_every: int = 250

    def __post_init__(self) -> None:
        for name in (*_EVERY, "batch", "average", "mapping"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected 1 or more, got {getattr(self, name)}")
        for name in ("latent", "width", "least"):
            if getattr(self, name) < LEAST_PX:
                raise UsageError(f"{name}: expected {LEAST_PX} or more, got {getattr(self, name)}")
        for name in ("steps", "edit", "adversarial", "near", "r1", "path_length", "ridge"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name}: expected 0 or more, got {getattr(self, name):g}")
        for name in ("rate", "reconstruct"):
            if getattr(self, name) <= 0.0:
                raise UsageError(f"{name}: expected more than 0, got {getattr(self, name):g}")
        if not 0.0 <= self.held_out < 1.0:
            raise UsageError(f"held_out: expected a share, 0 or more and below 1, got {self.held_out:g}")
        if not 0.0 <= self.mixing <= 1.0:
            raise UsageError(f"mixing: expected a share 0..1, got {self.mixing:g}")

    def shape(self, size: int) -> Shape:
        """The network for maps of that side."""
        return Shape(size, self.latent, self.width, self.least, self.mapping)
