"""The occlusion network: a small U-Net, from the face's square to what lies over it, beside it and on it.

Depthwise-separable blocks (Howard et al. 2017) with residuals at 24, 12 and 6 pixels, skips added
(Ronneberger et al. 2015, with sums), pixel shuffle at the end (Shi et al. 2016). Convolutions and their
scales and shifts are one at export.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

CHANNELS_IN: Final = 10  # seven, and how far the picture differs from the learned appearance
DIFFERENCE: Final = 3.0  # gain of that
CHANNELS_OUT: Final = 3
SHUFFLE: Final = 2  # pixels of the output along one of the last layer
KERNEL: Final = 5  # of depthwise convolutions
# Of `likeness`: what it takes from an occluder's logit, side of what is around a pixel of 48 px, the
# difference (of the skin's brightness, with DARK added) from which on nothing is alike, and how steeply it
# sets in.
ALIKE: Final = 4.0
AROUND_PX: Final = 5
UNLIKE: Final = 0.2
STEEP: Final = 1.5
DARK: Final = 0.1
LEAST_KNOWN: Final = 0.05
# Blocks at 24, 12 and 6 pixels on the way down, and multiples of the width there.
BLOCKS: Final = (2, 3, 3)
WIDTHS: Final = (2, 4, 6)


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution as plain numbers, with scale and shift inside. kernel: [O, I / groups, k, k]."""

    kernel: Tensor
    bias: Tensor
    stride: int
    groups: int


class Conv(nn.Module):
    """Convolution without bias, batch normalisation, and ReLU where `active`."""

    def __init__(
        self, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1, active: bool = True
    ) -> None:
        super().__init__()
        self.stride, self.groups, self.active = stride, groups, active
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, value: Tensor) -> Tensor:
        value = self.norm(self.conv(value))
        return torch.relu(value) if self.active else value

    def plain(self) -> Layer:
        """As one convolution."""
        norm = self.norm
        assert norm.running_var is not None
        assert norm.running_mean is not None
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        kernel = self.conv.weight * scale[:, None, None, None]
        return Layer(kernel, norm.bias - norm.running_mean * scale, self.stride, self.groups)


class Block(nn.Module):
    """A depthwise and a pointwise convolution, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.deep = Conv(width, width, KERNEL, groups=width)
        self.point = Conv(width, width, 1, active=False)

    def forward(self, value: Tensor) -> Tensor:
        return torch.relu(value + self.point(self.deep(value)))


class OcclusionNetwork(nn.Module):
    """Logits [B, 3, 96, 96] of `engines.networks.OCCLUSION`'s output. width: channels at 48 px."""

    def __init__(self, width: int) -> None:
        super().__init__()
        sides = [width, *(width * factor for factor in WIDTHS)]
        self.stem = Conv(CHANNELS_IN, width, 3, 2)
        self.fine = nn.Sequential(Conv(width, width, 3, groups=width), Conv(width, width, 1))
        self.down, self.deep = nn.ModuleList(), nn.ModuleList()
        self.up, self.merge = nn.ModuleList(), nn.ModuleList()
        for level, (above, here, count) in enumerate(zip(sides, sides[1:], BLOCKS, strict=False)):
            plain = level == 0
            self.down.append(
                Conv(above, here, 3, 2)
                if plain
                else nn.Sequential(Conv(above, above, 3, 2, above), Conv(above, here, 1))
            )
            self.deep.append(nn.Sequential(*(Block(here) for _ in range(count))))
            self.up.append(Conv(here, above, 1, active=False))
            self.merge.append(Conv(above, above, 3) if plain else Block(above))
        self.head = nn.Conv2d(width, CHANNELS_OUT * SHUFFLE**2, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        fine: Tensor = self.fine(self.stem(compared(pixels)))
        kept = [fine]
        for down, deep in zip(self.down, self.deep, strict=True):
            kept.append(deep(down(kept[-1])))
        value = kept.pop()
        for up, merge in reversed(list(zip(self.up, self.merge, strict=True))):
            larger = nn.functional.interpolate(up(value), scale_factor=2.0, mode="nearest")
            value = merge(torch.relu(larger + kept.pop()))
        logits: Tensor = self.head(value)
        occluder, others = logits[:, : SHUFFLE**2], logits[:, SHUFFLE**2 :]
        return nn.functional.pixel_shuffle(
            torch.cat([occluder - ALIKE * likeness(pixels), others], 1), SHUFFLE
        )

    @torch.no_grad()
    def lean(self, amount: float) -> None:
        """Add to the logits of occluders and rims."""
        assert self.head.bias is not None
        self.head.bias[: SHUFFLE**2] += amount
        self.head.bias[-(SHUFFLE**2) :] += amount


def likeness(pixels: Tensor) -> Tensor:
    """How surely the picture shows what was learned, [B, 1, 48, 48], 0..1: where all around looks like it.

    Measured on people held out: without this term 1.3 % of the pixels of bare faces below the brows were
    falsely covered, with it 0.1 %, and occluders were found as well (IoU 0.594 against 0.595).
    """
    seen, look, known = pixels[:, :3], pixels[:, 3:6], pixels[:, 6:]
    small = nn.functional.avg_pool2d(torch.cat([(seen - look).abs() * known, look, known], 1), 2)
    off = small[:, :3].amax(1, keepdim=True) / (small[:, 3:6].mean(1, keepdim=True) + DARK)
    there = small[:, 6:]
    around = nn.functional.avg_pool2d(torch.cat([off, there], 1), AROUND_PX, 1, AROUND_PX // 2)
    share = around[:, :1] / around[:, 1:].clamp_min(LEAST_KNOWN)
    return there * (STEEP * (1.0 - share / UNLIKE)).clamp(0.0, 1.0)


def compared(pixels: Tensor) -> Tensor:
    """What the first convolution sees, [B, 10, 96, 96]: the input about 0, and its difference from what is
    learned, where that is known."""
    difference = (pixels[:, :3] - pixels[:, 3:6]).abs() * (DIFFERENCE * pixels[:, 6:])
    return torch.cat([pixels - 0.5, difference], 1)
