"""The networks of a run: generator, encoder, directions, discriminator; and the average of weights."""

from __future__ import annotations

import copy
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.learn.texture.critic import Discriminator, Encoder
from rtfilter.learn.texture.network import Generator, Shape

_AVERAGE_KEEPS: Final = 0.995  # of the running mean of w, a step


class Texture(nn.Module):
    """What a map is made by and inverted with.

    directions: [52, R * D], how W+ changes with each coefficient; learned through the generator.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.generator, self.encoder = Generator(shape), Encoder(shape)
        self.directions = nn.Parameter(torch.zeros(BLENDSHAPE_COUNT, len(shape.resolutions) * shape.latent))

    def invert(self, x: Tensor) -> Tensor:
        """W+ [B, R, D] of maps."""
        code: Tensor = self.encoder(x, self.generator.average)
        return code

    def moved(self, w_plus: Tensor, change: Tensor) -> Tensor:
        """W+ after a change of coefficients [B, 52]."""
        return w_plus + (change @ self.directions).reshape(w_plus.shape)

    def made(self, z: Tensor, other: Tensor, mixing: float) -> Tensor:
        """Maps of random latents; that share of them takes finer resolutions from `other`."""
        w, w_other = self.generator.latents(z), self.generator.latents(other)
        if self.training:
            with torch.no_grad():
                mean = w.detach().float().mean(0)
                self.generator.average.lerp_(mean, 1.0 - _AVERAGE_KEEPS)
        count = len(self.shape.resolutions)
        cut = torch.randint(1, count + 1, (len(z), 1), device=z.device)
        cut = torch.where(torch.rand(len(z), 1, device=z.device) < mixing, cut, torch.full_like(cut, count))
        fine = torch.arange(count, device=z.device)[None] >= cut
        w_plus = torch.where(fine[..., None], self.generator.spread(w_other), self.generator.spread(w))
        made: Tensor = self.generator(w_plus, noisy=True)
        return made


class Networks(nn.Module):
    """texture: in training. average: its exponential moving average, which is used. critic: its opponent."""

    path_mean: Tensor

    def __init__(self, shape: Shape, skin: npt.NDArray[np.bool_] | None = None) -> None:
        """skin: bool [S, S], where maps are; elsewhere they are 0."""
        super().__init__()
        self.texture, self.critic = Texture(shape), Discriminator(shape)
        if skin is not None:
            self.texture.generator.skin.copy_(torch.from_numpy(skin))
        self.average = copy.deepcopy(self.texture).requires_grad_(False).eval()
        self.register_buffer("path_mean", torch.zeros(()))

    @torch.no_grad()
    def follow(self, half_life: float) -> None:
        """Move the average towards the weights."""
        share = 1.0 - 0.5 ** (1.0 / half_life)
        own = self.texture.state_dict()
        for name, value in self.average.state_dict().items():
            value.lerp_(own[name], share)
