"""What the occlusion network is trained by."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits

# Of the three outputs; rims are few pixels, and thin ones are hardly there: found pixels count for more.
SHARES: Final = (1.0, 0.5, 2.0)
FOUND: Final = (1.0, 1.0, 3.0)
BORDER: Final = 2.0  # more weight at the border of a mask
_BORDER_PX: Final = 5


def entropy(logits: Tensor, held: Tensor, sure: Tensor) -> Tensor:
    """Binary cross-entropy, heavier at borders of the truth, by output."""
    near = avg_pool2d(held, _BORDER_PX, 1, _BORDER_PX // 2, count_include_pad=False)
    found = torch.tensor(FOUND, device=held.device)[:, None, None] - 1.0
    weight = sure * (1.0 + BORDER * 4.0 * near * (1.0 - near)) * (1.0 + found * held)
    by_pixel = binary_cross_entropy_with_logits(logits, held, reduction="none") * weight
    return by_pixel.sum((0, 2, 3)) / weight.sum((0, 2, 3)).clamp_min(1.0)


def overlap(logits: Tensor, held: Tensor, sure: Tensor) -> Tensor:
    """1 less Dice's coefficient, over the whole batch, by output."""
    shown = torch.sigmoid(logits) * sure
    both = (shown * held).sum((0, 2, 3))
    size = (shown.square() + held.square() * sure).sum((0, 2, 3))
    return 1.0 - (2.0 * both + 1.0) / (size + 1.0)


def falsely_covered(logits: Tensor, held: Tensor, sure: Tensor) -> Tensor:
    """Mean square of the occluder's probability where there is none: confident mistakes on bare faces."""
    bare = sure[:, 0] * (held[:, 0] < 0.02)
    return (torch.sigmoid(logits[:, 0]).square() * bare).sum() / bare.sum().clamp_min(1.0)
