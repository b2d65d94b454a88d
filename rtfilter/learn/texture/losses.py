"""The losses of the texture's training; each gives a scalar.

Adversarial: non-saturating, with R1 on real maps (Mescheder et al. 2018) and path lengths (StyleGAN2).
Reconstruction: differences of values, and of gradients on three scales, where skin was seen.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from rtfilter.learn.texture.critic import Discriminator
from rtfilter.learn.texture.network import Generator

_SCALES: Final = 3
_GRADIENTS: Final = 2.0  # against values: folds are lines, not areas
_DECAY: Final = 0.99  # of the running mean of path lengths


def likeness(made: Tensor, real: Tensor, seen: Tensor) -> Tensor:
    """How far maps [B, 3, S, S] are off, weighted by seen [B, 1, S, S]."""
    off, weight = made - real, seen
    total = torch.zeros((), device=made.device)
    for _ in range(_SCALES):
        amount = weight.sum() * 3.0 + 1e-6
        total = total + (off.abs() * weight).sum() / amount / _SCALES
        across = (off[..., 1:] - off[..., :-1]).abs() * torch.minimum(weight[..., 1:], weight[..., :-1])
        down = (off[..., 1:, :] - off[..., :-1, :]).abs()
        down = down * torch.minimum(weight[..., 1:, :], weight[..., :-1, :])
        total = total + _GRADIENTS * (across.sum() + down.sum()) / amount / _SCALES
        off, weight = functional.avg_pool2d(off, 2), functional.avg_pool2d(weight, 2)
    return total


def told_apart(critic: Discriminator, made: Tensor, real: Tensor) -> Tensor:
    """The discriminator's loss."""
    return functional.softplus(critic(made)).mean() + functional.softplus(-critic(real)).mean()


def believed(critic: Discriminator, made: Tensor) -> Tensor:
    """The generator's loss against the discriminator."""
    return functional.softplus(-critic(made)).mean()


def r1(critic: Discriminator, real: Tensor) -> Tensor:
    """The squared gradient of the scores of real maps."""
    real = real.detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(real).sum(), real, create_graph=True)
    return slope.square().sum((1, 2, 3)).mean()


def path_length(generator: Generator, z: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """How unevenly a step in W moves the map; and the new running mean of the lengths, to be kept."""
    w_plus = generator.spread(generator.latents(z))
    made = generator(w_plus, noisy=True)
    shade = torch.randn_like(made) / math.sqrt(made.shape[2] * made.shape[3])
    (slope,) = torch.autograd.grad((made * shade).sum(), w_plus, create_graph=True)
    lengths = slope.square().sum(2).mean(1).sqrt()
    new = mean * _DECAY + lengths.detach().mean() * (1.0 - _DECAY)
    return (lengths - new).square().mean(), new
