"""The settings of `[editor]`: data, network, losses and training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rtfilter.errors import UsageError


@dataclass(frozen=True, slots=True)
class EditorSettings:
    """`[editor]`. Paths may be relative to the working folder.

    tracks: folder of tracks; two of one speaker and one sentence, one of them neutral and one with emotion,
    make a pair. alignments: folder of `rtfilter learn align`, for tracks without exact truth. others: folder
    of tracks of other people, on which `editor.ablation` measures too. metric: a file of `rtfilter learn
    stccl`, or `builtin` or `builtin-cm`. held_out: share of the speakers that training does not see. memory,
    hidden: of `network.Sizes`. guard: whether the mouth guard stands behind the network while it learns, as
    in the product. noise: of the tracker, added to coefficients.

    Weights of the losses, 0 leaves one out: pair (the twin's change), mouth (gap and width: value, variation,
    closure, rounding), spatial and temporal (STCCL), steady. adaptive: whether hard elements count more in
    STCCL. A batch has `batch` windows of `frames` frames. STCCL, which takes much longer than all else, looks
    at `compared` of them in every `compare_every`-th step.
    """

    tracks: Path = Path("{output}/track")
    alignments: Path = Path("{output}/align")
    others: Path | None = None
    metric: str = "builtin"
    held_out: float = 0.25
    memory: int = 24
    hidden: int = 64
    guard: bool = True
    noise: float = 0.03
    pair: float = 1.0
    mouth: float = 1.0
    spatial: float = 0.02
    temporal: float = 0.1
    steady: float = 0.5
    adaptive: bool = True
    frames: int = 25
    batch: int = 24
    compared: int = 2
    compare_every: int = 3
    steps: int = 1000
    rate: float = 2e-3
    weight_decay: float = 1e-4
    log_every: int = 25
    save_every: int = 250

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise UsageError(f"steps: expected 0 or more, got {self.steps}")
        for name in ("batch", "compared", "compare_every", "log_every", "save_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected 1 or more, got {getattr(self, name)}")
        if self.frames < 9:
            raise UsageError(f"frames: expected 9 or more, the window of STCCL, got {self.frames}")
        for name in ("noise", "pair", "mouth", "spatial", "temporal", "steady", "weight_decay"):
            if getattr(self, name) < 0.0:
                raise UsageError(f"{name}: expected 0 or more, got {getattr(self, name):g}")
        if self.rate <= 0.0:
            raise UsageError(f"rate: expected more than 0, got {self.rate:g}")
        if not 0.0 < self.held_out < 1.0:
            raise UsageError(f"held_out: expected a share between 0 and 1, got {self.held_out:g}")
        if self.pair == self.mouth == 0.0:
            raise UsageError("pair, mouth: both are 0: nothing would be learned of emotion or of speech")

    @property
    def uses_metric(self) -> bool:
        """Whether STCCL counts at all."""
        return self.spatial > 0.0 or self.temporal > 0.0
