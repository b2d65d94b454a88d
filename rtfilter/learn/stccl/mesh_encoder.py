"""Features of a moving landmark mesh at several levels of regions, frame by frame.

Made by `stccl.metric` and `stccl.train`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from rtfilter.learn.stccl.geometry import mesh_levels

F32 = npt.NDArray[np.float32]

# Typical sizes, to which the input is scaled: a displacement while speaking, and its gradient.
MOTION_IOD = 0.03
GRADIENT = 0.2
STILL = 1e-3  # variance below which features stay small: a face at rest has few, not those of its noise
_MOMENTS = 12  # numbers that describe a patch: its displacement (3) and gradient (9)


class MeshEncoder(nn.Module):
    """Displacements [..., 478, 3] from the person's neutral, in the head frame, to features by level.

    mean_iod: float32 [478, 3], the face on which regions are laid out. regions, channels: of each level,
    finest first. position: whether a region may weigh its input by where it lies on the face.

    Frames are independent of each other: leading axes (batch, time) are never mixed.
    """

    mean_iod: Tensor
    patches: Tensor
    gradient: Tensor

    def __init__(
        self, mean_iod: F32, regions: Sequence[int], channels: Sequence[int], position: bool = True
    ) -> None:
        super().__init__()
        levels = mesh_levels(mean_iod, regions)
        self.register_buffer("mean_iod", torch.from_numpy(np.array(mean_iod, np.float32)))
        self.register_buffer("patches", torch.from_numpy(levels.patches), persistent=False)
        self.register_buffer("gradient", torch.from_numpy(levels.gradient), persistent=False)
        widths = [_MOMENTS, *channels]
        places = [torch.from_numpy(np.array(mean_iod[nodes], np.float32)) for nodes in levels.nodes]
        self.layers = nn.ModuleList(
            RegionLayer(before, after, torch.from_numpy(beside), place if position else None, gather)
            for before, after, beside, place, gather in zip(
                widths[:-1], widths[1:], levels.neighbours, places, levels.gather, strict=True
            )
        )
        self.neighbours = [torch.from_numpy(each) for each in levels.neighbours]
        # Regions are ordered so that the first few cover the face; every region has 8 neighbours.
        self.centres = [torch.arange(count) for count in regions]
        self.channels = tuple(channels)

    def forward(self, motion_iod: Tensor) -> list[Tensor]:
        """Features of each level, [..., N, C], mean 0 and variance 1 over C; less at rest."""
        x = self.moments(motion_iod)
        features = []
        for layer in self.layers:
            x = layer(x)
            features.append(functional.layer_norm(x, x.shape[-1:], eps=STILL))
        return features

    def moments(self, motion_iod: Tensor) -> Tensor:
        """Mean displacement and its gradient in each region of the finest level, [..., N, 12]."""
        patch = motion_iod[..., self.patches, :]
        mean = patch.mean(-2) / MOTION_IOD
        gradient = torch.einsum("ncj,...njd->...ncd", self.gradient, patch) / GRADIENT
        return torch.cat([mean, gradient.flatten(-2)], dim=-1)


class RegionLayer(nn.Module):
    """One level: gather from the finer level, then mix each region with its neighbours."""

    beside: Tensor
    gather: Tensor | None
    place: Tensor | None

    def __init__(
        self, before: int, after: int, beside: Tensor, place: Tensor | None, gather: F32 | None
    ) -> None:
        super().__init__()
        self.register_buffer("beside", beside, persistent=False)
        self.register_buffer("place", place, persistent=False)
        finer = None if gather is None else torch.from_numpy(gather)
        self.register_buffer("gather", finer, persistent=False)
        self.own = nn.Linear(before, after)
        self.around = nn.Linear(before, after, bias=False)
        self.mix = nn.Linear(after, after)
        # From the start, features then tell of motion rather than of what is the same everywhere.
        for linear in (self.own, self.mix):
            nn.init.zeros_(linear.bias)
        self.gain = (
            None if place is None else nn.Sequential(nn.Linear(3, 32), nn.GELU(), nn.Linear(32, after))
        )

    def forward(self, x: Tensor) -> Tensor:
        """[..., finer N, before] to [..., N, after]."""
        if self.gather is not None:
            x = torch.einsum("mn,...nc->...mc", self.gather, x)
        around = x[..., self.beside, :].mean(-2)
        y = self.own(x) + self.around(around)
        if self.gain is not None:
            # A factor, not a term: a face at rest has the same features everywhere.
            y = y * (1.0 + self.gain(self.place))
        out: Tensor = self.mix(functional.gelu(y))
        return out
