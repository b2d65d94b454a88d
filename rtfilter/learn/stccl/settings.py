"""The settings of `[stccl]`: what is compared, how large the network is, and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rtfilter.errors import UsageError, nearest

SIGNALS: Final = ("mesh", "crop", "uv")
VARIANTS: Final = ("vd", "cm")
LEVELS: Final = 4
# Frames on each side of a window's middle, as the paper has it.
HALF_WINDOW: Final = 4
WINDOW: Final = 2 * HALF_WINDOW + 1
# Of a window, the first, middle and last frame are compared in space: those between are alike.
FRAMES_APART: Final = HALF_WINDOW
_FEWEST_REGIONS = 9  # a region and its 8 neighbours


@dataclass(frozen=True, slots=True)
class StcclSettings:
    """`[stccl]`. Paths may be relative to the working folder.

    tracks: folder of tracks; two of one speaker and one sentence, one of them neutral and one with emotion,
    make a pair. alignments: folder of `rtfilter learn align`, for tracks without exact truth. signal: mesh
    (landmarks' motion), crop (the face cut out) or uv (the skin, pulled onto a fixed mesh). sets: as in
    `[track]`, to find the tracks' videos. pictures: where their pictures are kept. variant: vd (visual
    disparity) or cm (correlation matrix). held_out: share of the speakers that training does not see.

    regions, channels, centres: by level, finest first; regions of a mesh only. position: whether a region
    knows where it lies. moments: weight of alternatives from other moments. adaptive, temporal: whether hard
    elements count more, and whether time counts. pairs, windows: a batch has pairs x windows windows of 9
    frames. noise_iod, gain, offset, tilt: of augmentation: landmarks' noise; how far a motion's size may be
    off; coefficients of an expression added to a whole window; what a pose that is a little off leaves, as a
    share (the last two on meshes only).
    """

    tracks: Path = Path("{output}/track")
    alignments: Path = Path("{output}/align")
    sets: tuple[str, ...] = ()
    pictures: Path = Path("{output}/pictures")
    signal: str = "mesh"
    variant: str = "vd"
    held_out: float = 0.25
    regions: tuple[int, ...] = (128, 64, 32, 16)
    channels: tuple[int, ...] = (24, 32, 48, 64)
    centres: tuple[int, ...] = (32, 16, 8, 4)
    head: int = 32
    tau: float = 0.07
    position: bool = True
    moments: float = 1.0
    adaptive: bool = True
    temporal: bool = True
    pairs: int = 8
    windows: int = 4
    steps: int = 1500
    rate: float = 2e-3
    weight_decay: float = 1e-4
    noise_iod: float = 0.002
    gain: float = 0.2
    offset: float = 0.1
    tilt: float = 0.015
    log_every: int = 25
    save_every: int = 250

    def __post_init__(self) -> None:
        for name, known in (("signal", SIGNALS), ("variant", VARIANTS)):
            if getattr(self, name) not in known:
                raise UsageError(
                    f"{name}: unknown {getattr(self, name)!r}:{nearest(getattr(self, name), known)}"
                )
        for name in ("regions", "channels", "centres"):
            sizes = getattr(self, name)
            if len(sizes) != LEVELS or min(sizes) < 1:
                raise UsageError(f"{name}: expected {LEVELS} numbers above 0, got {list(sizes)}")
        if sorted(self.regions, reverse=True) != list(self.regions) or self.regions[-1] < _FEWEST_REGIONS:
            least = f"falling numbers, the last at least {_FEWEST_REGIONS}"
            raise UsageError(f"regions: expected {least}, got {list(self.regions)}")
        if self.signal == "mesh" and any(c > r for c, r in zip(self.centres, self.regions, strict=True)):
            raise UsageError(f"centres: {list(self.centres)}: more than regions, {list(self.regions)}")
        for name in ("head", "pairs", "steps", "log_every", "save_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected 1 or more, got {getattr(self, name)}")
        if self.windows < 2:
            raise UsageError(f"windows: expected 2 or more moments of a pair, got {self.windows}")
        for name in ("tau", "rate"):
            if getattr(self, name) <= 0.0:
                raise UsageError(f"{name}: expected more than 0, got {getattr(self, name):g}")
        for name in ("moments", "weight_decay", "noise_iod", "gain", "offset", "tilt"):
            if getattr(self, name) < 0.0:
                raise UsageError(f"{name}: expected 0 or more, got {getattr(self, name):g}")
        if not 0.0 < self.held_out < 1.0:
            raise UsageError(f"held_out: expected a share between 0 and 1, got {self.held_out:g}")
