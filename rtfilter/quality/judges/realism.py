"""Distance to a reference clip (FAD): whether faces are spread like real ones. Called by `judges.panel`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.errors import UsageError
from rtfilter.quality.judges.frechet import frechet_distance
from rtfilter.quality.judges.identity import Descriptor

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

# A spread estimated from fewer frames is mostly chance.
MIN_FRAMES: Final = 50


@dataclass(frozen=True, slots=True)
class RealismMeasure:
    """Frechet distances between sets of features; smaller is nearer.

    source_fad, edited_fad: of the source and of the edit to the reference clip; reference_fad: of the
    reference's first half to its second, what two stretches of one clip differ by. None: fewer than 50
    frames.
    """

    judge: str
    reference: str
    frames: int
    reference_frames: int
    source_fad: float | None
    edited_fad: float | None
    reference_fad: float | None


class RealismJudge:
    """Gathers features of all three clips. The source's landmarks cut source and edit."""

    def __init__(self, descriptor: Descriptor, reference: Path) -> None:
        self._descriptor = descriptor
        self.reference = reference
        self._before: list[F64] = []
        self._after: list[F64] = []
        self._reference: list[F64] = []

    def add(self, source: U8, edited: U8, points_px: F32) -> None:
        """One pair of frames, uint8 RGB [H, W, 3], and the source's landmarks."""
        self._before.append(self._descriptor.describe(source, points_px))
        self._after.append(self._descriptor.describe(edited, points_px))

    def add_reference(self, rgb: U8, points_px: F32) -> None:
        """One frame of the reference, with its landmarks."""
        self._reference.append(self._descriptor.describe(rgb, points_px))

    def measure(self) -> RealismMeasure:
        """The distances so far."""
        before, after, reference = (
            np.array(one, np.float64) for one in (self._before, self._after, self._reference)
        )
        half = len(reference) // 2
        return RealismMeasure(
            judge=Path(self._descriptor.name).name,
            reference=str(self.reference),
            frames=len(before),
            reference_frames=len(reference),
            source_fad=_distance(before, reference),
            edited_fad=_distance(after, reference),
            reference_fad=_distance(reference[:half], reference[half:]),
        )


def _distance(one: F64, other: F64) -> float | None:
    enough = min(len(one), len(other)) >= MIN_FRAMES
    return frechet_distance(one, other) if enough else None


def check_pair(judge: Path | None, reference: Path | None) -> None:
    """Raises UsageError where one of the two is given without the other."""
    if judge is not None and reference is None:
        raise UsageError(f"--fad-judge {judge} needs --reference CLIP, a real clip to compare with")
    if reference is not None and judge is None:
        raise UsageError(
            f"--reference {reference} needs --fad-judge FILE, a network whose features are compared"
        )
