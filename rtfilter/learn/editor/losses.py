"""What the editor is trained on: one number for each wish, to be weighed and added.

Zero amounts, continuity, and growth with the intensity need no loss: the network has them by construction.
Called by `editor.train`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from rtfilter.learn.editor.mouth import Mouth
from rtfilter.learn.editor.windows import Batch
from rtfilter.learn.stccl.metric import Metric

# Sizes that count as one: a landmark's usual error, and a change of the lips that is seen.
FACE_IOD = 0.01
LIPS_IOD = 0.01
CLOSED_IOD = 0.03  # gaps at which a closure's weight has fallen to 1/e
COEFFICIENT = 0.1
_COEFFICIENT_SHARE = 0.2
_KINDS: Final = {"spatial": "space", "temporal": "time"}


@dataclass(frozen=True, slots=True)
class Shown:
    """The edit of a batch: offset [B, T, 52] as shown, twin [B, T, 52] as the mouth setting permits it."""

    offset: Tensor
    twin: Tensor


def pair(mouth: Mouth, shown: Shown) -> Tensor:
    """Distance from the twin: of the landmarks, and a little of the coefficients, which they leave open."""
    off = shown.offset - shown.twin
    coefficients = torch.nn.functional.huber_loss(shown.offset, shown.twin, delta=COEFFICIENT)
    return mouth.distance(off).mean() / FACE_IOD + _COEFFICIENT_SHARE * coefficients / COEFFICIENT**2


def mouth_shape(mouth: Mouth, shown: Shown, batch: Batch) -> Tensor:
    """What the edit does to speech: value and variation of gap and width, closures, rounding.

    Pearson's r would see neither gain nor offset. At mouth 1 the lips' gaps and width stay the source's own,
    value by value and in their variation; towards mouth 0 they change as the twin's do. Where lips are
    closed, or rounded, nothing changes at any setting.
    """
    gaps, width = shown.offset @ mouth.gaps, shown.offset @ mouth.width
    permitted = torch.cat([shown.twin @ mouth.gaps, (shown.twin @ mouth.width)[..., None]], dim=-1)
    off = (torch.cat([gaps, width[..., None]], dim=-1) - permitted) / LIPS_IOD
    kept = _soft(off) + _soft(off - off.mean(dim=1, keepdim=True))
    closed = torch.exp(-batch.gaps_iod.clamp_min(0.0) / CLOSED_IOD) * _soft(gaps / LIPS_IOD)
    rounded = batch.rounded * _soft(width / LIPS_IOD)
    return kept.mean() + closed.mean() + rounded.mean()


def steadiness(mouth: Mouth, shown: Shown) -> Tensor:
    """How far each frame's edit lies off the middle of its neighbours', beyond what the twin does."""
    bend = _bend(shown.offset)
    return (mouth.distance(bend) - mouth.distance(_bend(shown.twin))).clamp_min(0.0).mean() / FACE_IOD


def correlated(
    mouth: Mouth, shown: Shown, batch: Batch, metric: Metric, adaptive: bool, kinds: Sequence[str]
) -> dict[str, Tensor]:
    """STCCL on the edited mesh: it should move as the source does. kinds: of `spatial` and `temporal`."""
    source = batch.motion_iod
    edited = source + mouth.motion(shown.offset[: len(source)])
    return {kind: metric.loss(edited, source, kinds=(_KINDS[kind],), adaptive=adaptive) for kind in kinds}


def _bend(offset: Tensor) -> Tensor:
    return offset[:, 1:-1] - 0.5 * (offset[:, :-2] + offset[:, 2:])


def _soft(value: Tensor) -> Tensor:
    """Square near 0, straight beyond 1."""
    return torch.nn.functional.huber_loss(value, torch.zeros_like(value), reduction="none")
