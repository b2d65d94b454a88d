"""The rims' network: a small U-Net over the band, with a second answer: whether glasses are worn at all."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn

from rtfilter.learn.occlusion.network import Conv

WIDTHS: Final = (10, 16, 24, 32)  # channels at a half, a quarter, an eighth and a sixteenth of the band


class RimsNetwork(nn.Module):
    """Logits of `engines.networks.RIMS`: [B, 1, 48, 96] and [B, 1]."""

    def __init__(self) -> None:
        super().__init__()
        first = WIDTHS[0]
        self.stem = nn.Sequential(Conv(3, first, 3, 2), Conv(first, first, 3))
        self.down = nn.ModuleList(
            nn.Sequential(Conv(above, here, 3, 2), Conv(here, here, 3)) for above, here in pairwise(WIDTHS)
        )
        self.up = nn.ModuleList(Conv(here, above, 1, active=False) for above, here in pairwise(WIDTHS))
        self.merge = nn.ModuleList(Conv(width, width, 3) for width in WIDTHS[:-1])
        self.head = nn.Conv2d(first, 1, 1)
        self.worn = nn.Conv2d(WIDTHS[-1], 1, 1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        kept = [self.stem(pixels - 0.5)]
        for down in self.down:
            kept.append(down(kept[-1]))
        value = kept.pop()
        worn = self.worn(value.mean((2, 3), keepdim=True)).flatten(1)
        for up, merge in reversed(list(zip(self.up, self.merge, strict=True))):
            larger = nn.functional.interpolate(up(value), scale_factor=2.0, mode="nearest")
            value = merge(torch.relu(larger + kept.pop()))
        return self.head(value), worn
