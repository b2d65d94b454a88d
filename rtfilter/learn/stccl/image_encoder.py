"""Features of face pictures at several levels of a grid, frame by frame: a small convolutional network.

Made by `stccl.weights`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtfilter.learn.stccl.geometry import grid_centres, grid_neighbours

SIDE_PX: Final = 64


class ImageEncoder(nn.Module):
    """Grey pictures [..., 64, 64], mean about 0 and variance about 1, to features by level.

    channels: of each level; levels halve the picture to 32, 16, 8 and 4 cells a side. centres: inner cells
    that are looked at, by level. Leading axes (batch, time) are never mixed.
    """

    def __init__(self, channels: Sequence[int], centres: Sequence[int]) -> None:
        super().__init__()
        widths = [1, *channels]
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 3, stride=2, padding=1),
                nn.GELU(),
                nn.Conv2d(after, after, 3, padding=1),
            )
            for before, after in pairwise(widths)
        )
        sides = [SIDE_PX >> (level + 1) for level in range(len(channels))]
        self.neighbours = [torch.from_numpy(grid_neighbours(side)) for side in sides]
        # Twice as many as are drawn, so that training sees the places between.
        self.centres = [
            torch.from_numpy(grid_centres(side, 2 * count))
            for side, count in zip(sides, centres, strict=True)
        ]
        self.channels = tuple(channels)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Features of each level, [..., side^2, C], mean 0 and variance 1 over C."""
        leading = pictures.shape[:-2]
        x = pictures.reshape(-1, 1, *pictures.shape[-2:])
        features: list[Tensor] = []
        for layer in self.layers:
            x = layer(functional.gelu(x) if features else x)
            cells = x.flatten(2).transpose(1, 2)
            # The leading axes are split again as they were joined: the order of frames stays.
            cells = cells.reshape(*leading, *cells.shape[1:])
            features.append(functional.layer_norm(cells, cells.shape[-1:]))
        return features
