"""What a training step looks at: pairs of maps of one person, drawn by seed and step alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rtfilter.learn.texture.maps import LEAST_SEEN, Maps


@dataclass(frozen=True, slots=True)
class Batch:
    """maps, others: [B, 3, S, S], two maps of one person each. seen, others_seen: [B, 1, S, S], 0..1. change:
    [B, 52], expression of the others less that of the maps."""

    maps: Tensor
    seen: Tensor
    others: Tensor
    others_seen: Tensor
    change: Tensor


class Batches:
    """Pairs of maps; each person is drawn as often as any other."""

    def __init__(self, people: Sequence[Maps]) -> None:
        self._people = people

    def batch(self, size: int, seed: tuple[int, ...], device: torch.device) -> Batch:
        """One batch, of the seed alone."""
        rng = np.random.default_rng(seed)
        found: list[list[npt.NDArray[np.float32]]] = [[] for _ in range(5)]
        for _ in range(size):
            one = self._people[int(rng.integers(len(self._people)))]
            a, b = rng.integers(len(one), size=2)
            for rows, row in zip(
                found,
                (
                    one.deviation[a],
                    one.seen[a][None] / 255.0,
                    one.deviation[b],
                    one.seen[b][None] / 255.0,
                    one.expression[b] - one.expression[a],
                ),
                strict=True,
            ):
                rows.append(np.asarray(row, np.float32))
        maps, seen, others, others_seen, change = (
            torch.from_numpy(np.stack(rows)).to(device) for rows in found
        )
        return Batch(maps, _counted(seen), others, _counted(others_seen), change)


def _counted(seen: Tensor) -> Tensor:
    """What is hardly seen does not count."""
    return seen * (seen > LEAST_SEEN)
