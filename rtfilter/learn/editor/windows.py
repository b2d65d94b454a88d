"""Batches for training: random windows of pairs, with requests as a user makes them, and a tracker's noise.

The batch of a step depends on seed, rank and step alone, so that a run that goes on is the run itself. Called
by `editor.train`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rtfilter.controls import EMOTIONS
from rtfilter.errors import InputError
from rtfilter.face import emotion
from rtfilter.face.model import MorphableModel
from rtfilter.learn.editor.pairs import NEUTRAL, Pair

F32 = npt.NDArray[np.float32]

# Shares of the requests other than an emotion on a neutral face: neutral on an emotional one; and the emotion
# that the face has already, of which half is added, as by the closed form.
CALMED: Final = 0.1
ALREADY: Final = 0.1
# A face at rest, as it is fitted, lies off zero by so much in each coefficient (standard deviation). Without
# that, a rest that looks a little like a smile is taken for one, and nothing is added to it.
REST: Final = 0.15


@dataclass(frozen=True, slots=True)
class Batch:
    """B windows of T frames; float32.

    expression: [B, T, 52], as a tracker sees it. amounts: [B, T, 8]. mouth: [B, T]. since_s: [B, T]. change:
    [B, T, 52], what the twin adds. gaps_iod: [B, T, 9], openness: [B, T, 2, R], of the lips. rounded:
    [B, T], 1 where the mouth is narrow. motion_iod: [C, T, 478, 3], displacements from the neutral, of the
    first C.
    """

    expression: Tensor
    amounts: Tensor
    mouth: Tensor
    since_s: Tensor
    change: Tensor
    gaps_iod: Tensor
    openness: Tensor
    rounded: Tensor
    motion_iod: Tensor


class Windows:
    """The batches of a set of pairs; each emotion is drawn as often as the others.

    frames: of a window. compared: how many windows come with their landmarks. noise: see `settings`.
    Raises InputError when no pair is long enough.
    """

    def __init__(
        self, pairs: Sequence[Pair], model: MorphableModel, frames: int, compared: int, noise: float
    ) -> None:
        self._by_emotion: dict[str, list[Pair]] = defaultdict(list)
        for one in pairs:
            if one.clip.frames >= frames:
                self._by_emotion[one.emotion].append(one)
        if not self._by_emotion:
            longest = max((one.clip.frames for one in pairs), default=0)
            raise InputError(
                f"no pair has {frames} frames, the longest has {longest}: set editor.frames to less"
            )
        self._model, self._frames, self._compared, self._noise = model, frames, compared, noise

    def batch(self, size: int, seed: Sequence[int], device: torch.device) -> Batch:
        """`size` windows. seed: of this batch."""
        rng = np.random.default_rng(list(seed))
        emotions = sorted(self._by_emotion)
        rows = []
        for k in range(size):
            choice = self._by_emotion[emotions[rng.integers(len(emotions))]]
            rows.append(self._row(choice[rng.integers(len(choice))], rng, k < self._compared))
        columns = {
            key: torch.from_numpy(np.stack([row[key] for row in rows if key in row]).astype(np.float32))
            for key in rows[0]
        }
        return Batch(**{key: value.to(device) for key, value in columns.items()})

    def _row(self, pair: Pair, rng: np.random.Generator, compared: bool) -> dict[str, F32]:
        start = int(rng.integers(pair.clip.frames - self._frames + 1))
        part = slice(start, start + self._frames)
        change, amounts = pair.change[part], np.zeros((self._frames, len(EMOTIONS)), np.float32)
        expression = pair.clip.expression[part]
        kind = rng.random()
        emotional = int(kind < CALMED + ALREADY)
        if emotional:
            expression = np.clip(expression + change, 0.0, 1.0)
        if kind < CALMED:
            amounts[:, EMOTIONS.index(NEUTRAL)] = 1.0
            change = -change
        else:
            amounts[:, EMOTIONS.index(pair.emotion)] = pair.level
            change = change * (emotion.ALREADY if emotional else 1.0)
        noise = rng.normal(0.0, self._noise, expression.shape)
        noise = noise + np.abs(rng.normal(0.0, REST, expression.shape[1]))
        # A third of the requests at each end of `mouth`, and a third between.
        mouth = float(np.clip(rng.uniform(-1.0, 2.0), 0.0, 1.0))
        row = {
            "expression": np.clip(expression + noise, 0.0, 1.0),
            "amounts": amounts,
            "mouth": np.full(self._frames, mouth),
            "since_s": np.full(self._frames, 1.0 / pair.clip.fps),
            "change": change,
            "gaps_iod": pair.gaps_iod[emotional, part],
            "openness": pair.openness[emotional, part],
            "rounded": pair.rounded[emotional, part],
        }
        if compared:
            shape = pair.clip.shape_iod[part] - pair.clip.neutral_iod
            if emotional:
                shape = shape + np.einsum("te,enc->tnc", pair.change[part], self._model.expression_basis)
            row["motion_iod"] = shape
        return row
