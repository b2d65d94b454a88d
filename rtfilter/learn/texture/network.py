"""The generator of UV maps: StyleGAN2's mapping and modulated convolutions, small enough for a processor.

Architecture and sizes are ours; the layers are those of Karras et al., "Analyzing and improving the image
quality of StyleGAN" (2020): equalised learning rates, a learned constant, weight demodulation, noise, and
pictures summed over resolutions (output skips). W+ holds one latent for each resolution, 4 px to S px.

Textures are aligned: a fold lies where it lies. So each resolution has learned features that are fixed in
place (StyleGAN has them at 4 px only), whose strength the styles decide.

What is generated is a *deviation*: log texture minus the person's own mean log texture, in units of SCALE.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

F32 = npt.NDArray[np.float32]

# A deviation of 1 is a gain of e^0.1. Measured: standard deviation of log maps of four people, 0.06 to 0.12.
SCALE: Final = 0.1
LEAST_PX: Final = 4
SLOPE: Final = 0.2
_GAIN: Final = math.sqrt(2.0)
_EPSILON: Final = 1e-8


@dataclass(frozen=True, slots=True)
class Shape:
    """size: S, side of the maps, a power of two. latent: D of z and w. width, least: channels up to 16 px,
    and at S; between them each resolution has half of the one before. mapping: layers from z to w."""

    size: int = 128
    latent: int = 64
    width: int = 32
    least: int = 8
    mapping: int = 3

    @property
    def resolutions(self) -> tuple[int, ...]:
        """4, 8 ... S: one latent of W+ each."""
        return tuple(LEAST_PX << k for k in range(int(math.log2(self.size // LEAST_PX)) + 1))

    def channels(self, resolution: int) -> int:
        """Of the features at a resolution."""
        return max(self.least, self.width * 16 // max(resolution, 16))


def activated(x: Tensor) -> Tensor:
    """Leaky ReLU that keeps the variance."""
    return functional.leaky_relu(x, SLOPE) * _GAIN


class Dense(nn.Module):
    """A linear layer with equalised learning rate: weights of variance 1, scaled when they are used."""

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.gain, self.rate = rate / math.sqrt(inputs), rate

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] to [..., outputs]."""
        return functional.linear(x, self.weight * self.gain, self.bias * self.rate)


class Conv(nn.Module):
    """A convolution with equalised learning rate, bias and activation."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, act: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.gain, self.stride, self.act = 1.0 / math.sqrt(inputs * kernel * kernel), stride, act

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H / stride, W / stride]."""
        padding = self.weight.shape[2] // 2
        y = functional.conv2d(x, self.weight * self.gain, self.bias, self.stride, padding)
        return activated(y) if self.act else y


class Modulated(nn.Module):
    """A convolution whose input channels are scaled by a style, and whose outputs are scaled back.

    Scaling inputs and outputs of one shared kernel is the same as a kernel for each sample, and needs no
    grouped convolution.
    """

    def __init__(
        self, inputs: int, outputs: int, latent: int, kernel: int = 3, demodulate: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.style = Dense(latent, inputs, bias=1.0)
        self.noise = nn.Parameter(torch.zeros(()))
        self.gain, self.demodulate = 1.0 / math.sqrt(inputs * kernel * kernel), demodulate

    def kernel(self) -> Tensor:
        """The weights as they are used, [outputs, inputs, k, k]."""
        return self.weight * self.gain

    def forward(self, x: Tensor, w: Tensor, noisy: bool) -> Tensor:
        """x: [B, inputs, H, W]; w: [B, D]. noisy: whether noise is added (while training)."""
        kernel, style = self.kernel(), self.style(w)
        y = functional.conv2d(x * style[:, :, None, None], kernel, None, 1, kernel.shape[2] // 2)
        if not self.demodulate:
            return y + self.bias[:, None, None]
        power = kernel.square().sum((2, 3))
        y = y * torch.rsqrt(style.square() @ power.T + _EPSILON)[:, :, None, None]
        if noisy:
            y = y + self.noise * torch.randn_like(y[:, :1])
        return activated(y + self.bias[:, None, None])


class Block(nn.Module):
    """One resolution: two modulated convolutions, what is fixed in place, and its part of the picture."""

    def __init__(self, inputs: int, outputs: int, latent: int, resolution: int) -> None:
        super().__init__()
        self.fixed = nn.Parameter(torch.zeros(1, outputs, resolution, resolution))
        self.first = Modulated(inputs, outputs, latent)
        self.second = Modulated(outputs, outputs, latent)
        self.picture = Modulated(outputs, 3, latent, kernel=1, demodulate=False)


class Generator(nn.Module):
    """From latents to maps. `average`: the running mean of w, [D]. `skin`: [S, S], 0 where there is none."""

    average: Tensor
    skin: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        sizes = [shape.latent] * (shape.mapping + 1)
        self.mapping = nn.ModuleList(Dense(a, b, rate=0.01) for a, b in pairwise(sizes))
        channels = [shape.channels(one) for one in shape.resolutions]
        self.constant = nn.Parameter(torch.randn(1, channels[0], LEAST_PX, LEAST_PX))
        inputs = [channels[0], *channels[:-1]]
        self.blocks = nn.ModuleList(
            Block(a, b, shape.latent, one)
            for a, b, one in zip(inputs, channels, shape.resolutions, strict=True)
        )
        self.register_buffer("average", torch.zeros(shape.latent))
        self.register_buffer("skin", torch.ones(shape.size, shape.size))

    def latents(self, z: Tensor) -> Tensor:
        """w [B, D] of z [B, D]."""
        w = z * torch.rsqrt(z.square().mean(1, keepdim=True) + _EPSILON)
        for layer in self.mapping:
            w = activated(layer(w))
        return w

    def spread(self, w: Tensor) -> Tensor:
        """W+ [B, R, D] of w [B, D]: the same at all resolutions."""
        return w[:, None].expand(-1, len(self.blocks), -1)

    def forward(self, w_plus: Tensor, noisy: bool = False) -> Tensor:
        """Deviations [B, 3, S, S] of W+ [B, R, D]."""
        x, picture = self.constant.expand(len(w_plus), -1, -1, -1), torch.zeros(())
        for number, block in enumerate(self.blocks):
            w = w_plus[:, number]
            if number:
                x, picture = doubled(x), doubled(picture)
            assert isinstance(block, Block)
            x = block.second(block.first(x, w, noisy), w, noisy) + block.fixed
            picture = picture + block.picture(x, w, noisy)
        return picture * self.skin

    def weights(self) -> dict[str, F32]:
        """What `engines.texture` needs, with the learning rates' factors inside."""
        found: dict[str, F32] = {"constant": as_array(self.constant)}
        for number, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            found[f"{number}.fixed"] = as_array(block.fixed)
            for part in ("first", "second", "picture"):
                layer: Modulated = getattr(block, part)
                start = f"{number}.{part}"
                found[f"{start}.kernel"] = as_array(layer.kernel())
                found[f"{start}.bias"] = as_array(layer.bias)
                found[f"{start}.style"] = as_array(layer.style.weight * layer.style.gain)
                found[f"{start}.style_bias"] = as_array(layer.style.bias)
        return found


def doubled(x: Tensor) -> Tensor:
    """Twice the side, linear between pixels' centres."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def as_array(x: Tensor) -> F32:
    """A tensor as float32 on the processor."""
    return np.ascontiguousarray(x.detach().cpu().numpy(), np.float32)
