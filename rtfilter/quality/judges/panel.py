"""`Panel`: the judges that a user named, fed frame by frame. Called by `quality.evaluate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rtfilter.errors import UsageError
from rtfilter.quality.judges.emotion import EmotionJudge, PerceivedEmotion
from rtfilter.quality.judges.identity import IdentityJudge, IdentityMeasure, open_descriptor
from rtfilter.quality.judges.realism import RealismJudge, RealismMeasure, check_pair
from rtfilter.quality.judges.sound import read_sound
from rtfilter.quality.judges.sync import SyncJudge, SyncMeasure
from rtfilter.quality.judges.syncnet import SyncNetwork

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class JudgeFiles:
    """Which judges to open; nothing by default.

    emotion, identity, fad: one network each. sync: one file or two. emotion_labels: of the recogniser's
    outputs, in order; emotion_target: the emotion to single out. reference: the real clip that `fad` compares
    with.
    """

    emotion: Path | None = None
    emotion_labels: tuple[str, ...] = ()
    emotion_target: str | None = None
    identity: Path | None = None
    sync: tuple[Path, ...] = ()
    fad: Path | None = None
    reference: Path | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What the judges found; None for those that were not requested, or saw no face."""

    perceived: PerceivedEmotion | None = None
    identity: IdentityMeasure | None = None
    sync: SyncMeasure | None = None
    realism: RealismMeasure | None = None


class Panel:
    """All judges of one evaluation.

    Args:
        files: which.
        source: the clip whose sound is heard. fps: its rate.

    Raises:
        InputError: a file that is no such network, or a source without sound for `sync`.
        UsageError: what does not go together. MissingExtraError: a package that is not installed.
    """

    def __init__(self, files: JudgeFiles, source: Path, fps: float) -> None:
        check_files(files)
        self._emotion = (
            EmotionJudge(files.emotion, files.emotion_labels, files.emotion_target) if files.emotion else None
        )
        self._identity = IdentityJudge(open_descriptor(files.identity)) if files.identity else None
        self._sync: SyncJudge | None = None
        if files.sync:
            network = SyncNetwork(files.sync)
            self._sync = SyncJudge(network, *read_sound(source), fps)
        self.realism: RealismJudge | None = None
        if files.fad and files.reference:
            self.realism = RealismJudge(open_descriptor(files.fad), files.reference)

    def add(self, source: U8, edited: U8, points_px: F32 | None, time_s: float) -> None:
        """One pair of frames, uint8 RGB [H, W, 3], the source's landmarks (None: no face) and its time."""
        if self._sync is not None:
            self._sync.add(source, edited, points_px, time_s)
        if points_px is None:
            return
        for judge in (self._emotion, self._identity, self.realism):
            if judge is not None:
                judge.add(source, edited, points_px)

    def measure(self) -> Judged:
        """What they found so far."""
        return Judged(
            perceived=None if self._emotion is None else self._emotion.measure(),
            identity=None if self._identity is None else self._identity.measure(),
            sync=None if self._sync is None else self._sync.measure(),
            realism=None if self.realism is None else self.realism.measure(),
        )


def check_files(files: JudgeFiles) -> None:
    """Raises UsageError for options without the judge that they are of."""
    check_pair(files.fad, files.reference)
    if files.emotion is None and (files.emotion_labels or files.emotion_target):
        option = "--emotion-labels" if files.emotion_labels else "--emotion-target"
        raise UsageError(f"{option} needs --emotion-judge FILE, the recogniser that it is for")
