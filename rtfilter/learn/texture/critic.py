"""The discriminator of maps, and the encoder of maps into W+: both read a pyramid of convolutions."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtfilter.learn.texture.network import LEAST_PX, Conv, Dense, Shape, activated

# Before texels are skipped, as StyleGAN2 has it: else the generator is driven to checkerboards.
_BINOMIAL: Final = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]) / 16.0
_STATISTICS: Final = 4  # samples that the deviation over a batch is taken of


class Down(nn.Module):
    """Half the side: two convolutions beside a plain one (a residual block)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second = Conv(inputs, inputs), Conv(inputs, outputs, stride=2)
        self.beside = Conv(inputs, outputs, kernel=1, act=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H / 2, W / 2]."""
        plain = self.beside(functional.avg_pool2d(x, 2))
        both: Tensor = self.second(self.first(x)) + plain
        return both * math.sqrt(0.5)


def _pyramid(shape: Shape) -> nn.Sequential:
    # Four texels of S px are one of S / 2: the finest resolution takes most of the time, and tells least.
    channels = [shape.channels(one) for one in reversed(shape.resolutions[:-1])]
    layers: list[nn.Module] = [nn.PixelUnshuffle(2), Conv(12, channels[0], kernel=1)]
    layers += [Down(a, b) for a, b in pairwise(channels)]
    return nn.Sequential(*layers)


class Discriminator(nn.Module):
    """How real maps [B, 3, S, S] look: one number each, [B]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.channels(LEAST_PX)
        self.pyramid = _pyramid(shape)
        self.last = Conv(width + 1, width)
        self.dense = Dense(width * LEAST_PX**2, width)
        self.score = Dense(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        kernel = _BINOMIAL.to(x)[None, None].expand(3, 1, 3, 3)
        soft = functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), kernel, groups=3)
        features = self.pyramid(soft)
        count = min(_STATISTICS, len(x))
        whole = features[: len(x) // count * count].reshape(count, -1, *features.shape[1:])
        spread = torch.sqrt(whole.var(0, unbiased=False) + 1e-8).mean()
        constant = spread.expand(len(x), 1, LEAST_PX, LEAST_PX)
        flat = self.last(torch.cat([features, constant], 1)).flatten(1)
        score: Tensor = self.score(activated(self.dense(flat)))
        return score[:, 0]


class Encoder(nn.Module):
    """The inversion: W+ [B, R, D] of maps [B, 3, S, S], as a change of the average w."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.channels(LEAST_PX)
        self.pyramid = _pyramid(shape)
        self.dense = Dense(width * LEAST_PX**2, 2 * shape.latent)
        self.last = Dense(2 * shape.latent, len(shape.resolutions) * shape.latent)

    def forward(self, x: Tensor, average: Tensor) -> Tensor:
        """average: [D], of the generator."""
        code: Tensor = self.last(activated(self.dense(self.pyramid(x).flatten(1))))
        return average + code.reshape(len(x), len(self.shape.resolutions), self.shape.latent)
