"""Lip sync (LSE-D, LSE-C): SyncNet's measure, with a network of the user's. Called by `judges.panel`.

Two embeddings, of five mouth pictures (0.2 s at 25 a second) and of the 20 MFCCs of the same time, lie close
where lips and sound belong together. The sound is the source's, for source and edit alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.quality.judges import crops
from rtfilter.quality.judges.sound import STEPS_PER_S, mfcc
from rtfilter.quality.judges.syncnet import SOUND_STEPS, WINDOW, SyncNetwork

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

FPS: Final = 25
SHIFTS: Final = 15  # how far lips and sound are shifted against each other, in frames each way
# Fewer windows than a second of them say little.
MIN_WINDOWS: Final = 25


@dataclass(frozen=True, slots=True)
class SyncMeasure:
    """Lip sync before and after, over `windows` windows of 0.2 s; None: fewer than 25 of them.

    lse_d: the mean distance at the best shift, smaller is better; lse_c: how much nearer that is than the
    median shift, larger is better; shift: the best one, in frames of 40 ms, positive where the sound comes
    late.
    """

    judge: str
    windows: int
    source_lse_d: float | None
    source_lse_c: float | None
    source_shift: int | None
    edited_lse_d: float | None
    edited_lse_c: float | None
    edited_shift: int | None


@dataclass(slots=True)
class _Lips:
    """The last pictures of one clip, and the embeddings of its windows by the number of their first frame."""

    recent: list[F32] = field(default_factory=list)
    embeddings: dict[int, F64] = field(default_factory=dict)


class SyncJudge:
    """Gathers mouth pictures at 25 a second and compares their embeddings with the sound's.

    Args:
        network: the two encoders.
        sound: float64 [S] at 16 kHz. start_s: time of its first sample, on the clock of the frames.
        fps: of the clip; its nearest frame is taken for every 1/25 s.
    """

    def __init__(self, network: SyncNetwork, sound: F64, start_s: float, fps: float) -> None:
        self._network = network
        self._sound, self._start_s = sound, start_s
        self._half_s = 0.5 / fps
        self._first_s: float | None = None
        self._tick = 0
        self._source, self._edited = _Lips(), _Lips()

    def add(self, source: U8, edited: U8, points_px: F32 | None, time_s: float) -> None:
        """One pair of frames, uint8 RGB [H, W, 3], the source's landmarks (None: no face) and its time."""
        if self._first_s is None:
            self._first_s = time_s
        since_s = time_s - self._first_s
        pictures: list[F32] | None = None
        while self._tick / FPS <= since_s + self._half_s:
            shown = points_px is not None and self._tick / FPS > since_s - self._half_s
            if shown and pictures is None and points_px is not None:
                pictures = [self._picture(rgb, points_px) for rgb in (source, edited)]
            for at, lips in enumerate((self._source, self._edited)):
                self._step(lips, pictures[at] if shown and pictures is not None else None)
            self._tick += 1

    def measure(self) -> SyncMeasure:
        """The measure so far."""
        sounds = self._sound_embeddings()
        before, after = (lse(lips.embeddings, sounds) for lips in (self._source, self._edited))
        return SyncMeasure(self._network.name, len(_shared(self._source.embeddings, sounds)), *before, *after)

    def _picture(self, rgb: U8, points_px: F32) -> F32:
        card, side = self._network.card, self._network.side_px
        where = crops.square(points_px, card.side_iod, card.down_iod, side)
        return self._network.picture(crops.cut(rgb, where, side))

    def _step(self, lips: _Lips, picture: F32 | None) -> None:
        if picture is None:
            lips.recent.clear()
            return
        lips.recent = [*lips.recent[1 - WINDOW :], picture]
        if len(lips.recent) == WINDOW:
            lips.embeddings[self._tick - WINDOW + 1] = self._network.lips(lips.recent)

    def _sound_embeddings(self) -> list[F64]:
        """Embeddings of the sound from each 1/25 s on, counted from the first frame."""
        late = round((self._start_s - (self._first_s or 0.0)) * 16000)
        sound = np.concatenate([np.zeros(max(late, 0)), self._sound[max(-late, 0) :]])
        if len(sound) == 0:
            return []
        steps, apart = mfcc(sound), STEPS_PER_S // FPS
        starts = range(0, min(len(steps) - SOUND_STEPS + 1, apart * self._tick), apart)
        return [self._network.sound(steps[at : at + SOUND_STEPS]) for at in starts]


def lse(lips: dict[int, F64], sounds: Sequence[F64]) -> tuple[float | None, float | None, int | None]:
    """LSE-D, LSE-C and the best shift of windows by number against the sound's windows.

    For every shift within 15 frames, the mean Euclidean distance of lips and shifted sound (zero beyond its
    ends, as SyncNet's authors compute it); the least of them, the median less the least, and its shift.
    """
    numbers = _shared(lips, sounds)
    if len(numbers) < MIN_WINDOWS:
        return None, None, None
    heard = np.array(sounds)
    padded = np.pad(heard, ((SHIFTS, SHIFTS), (0, 0)))
    seen, at = np.array([lips[number] for number in numbers]), np.array(numbers)
    means = np.array(
        [np.linalg.norm(seen - padded[at + shift] + 1e-6, axis=1).mean() for shift in range(2 * SHIFTS + 1)]
    )
    best = int(means.argmin())
    return float(means[best]), float(np.median(means) - means[best]), best - SHIFTS


def _shared(lips: dict[int, F64], sounds: Sequence[F64]) -> list[int]:
    return [number for number in sorted(lips) if number < len(sounds)]
