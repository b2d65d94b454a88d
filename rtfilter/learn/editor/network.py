"""`EditorNetwork`: own expression, emotion amounts and mouth in, the offset of 52 coefficients out; causal.

    memory  x_t = x_(t-1) + s (P e_t - x_(t-1)),   s = dt / (dt + tau)      a bank of exponential averages
    hidden  h = tanh(W2 tanh(W1 [e, x, mouth] + b1) + b2)
    target  r = sum_k amount_k (base_k + W3_k h)                            linear in the amounts
    offset  d = (L - e) tanh(max(r, 0) / (L - e)) - e tanh(max(-r, 0))

By construction, whatever the weights: amounts of zero give an offset of exactly zero; the offset is
continuous in all inputs; on a given frame each coefficient of it grows, or falls, steadily with the
intensity; no more is taken away than there is; the memory is in seconds, so any frame rate will do; a lid
that is down stays down. `face.learned` is the same arithmetic in NumPy, `engines.expression.learned` as a
graph. The architecture is ours: the papers' generators look ahead, which a live filter cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from rtfilter.controls import BLENDSHAPE_COUNT, EMOTIONS
from rtfilter.errors import UsageError
from rtfilter.face import emotion
from rtfilter.face.learned import EDITABLE_MASK, LEAST_ROOM, LIMITS
from rtfilter.face.learned_weights import MEMORY_ROOM, TAU_LEAST_S, EditorWeights
from rtfilter.face.smooth import OneEuro

F64 = npt.NDArray[np.float64]

LONGEST_GAP_S = OneEuro().gap_s
# The averages' first time constants: from two frames to longer than a sentence's pauses.
_FIRST_TAU_S = (0.04, 2.0)


@dataclass(frozen=True, slots=True)
class Sizes:
    """memory: number of exponential averages. hidden: width of both layers."""

    memory: int = 24
    hidden: int = 64

    def __post_init__(self) -> None:
        if not (1 <= self.memory <= MEMORY_ROOM and 1 <= self.hidden <= 512):
            raise UsageError(
                f"memory, hidden: expected 1..{MEMORY_ROOM} and 1..512, got {self.memory} and {self.hidden}"
            )


class EditorNetwork(nn.Module):
    """The network. base: float [8, 52], the offset of each emotion on average, from which training starts."""

    def __init__(self, sizes: Sizes, base: npt.NDArray[np.floating[Any]]) -> None:
        super().__init__()
        count = BLENDSHAPE_COUNT
        self.remember = nn.Linear(count, sizes.memory, bias=False)
        self.first = nn.Linear(count + sizes.memory + 1, sizes.hidden)
        self.second = nn.Linear(sizes.hidden, sizes.hidden)
        self.last = nn.Linear(sizes.hidden, len(EMOTIONS) * count, bias=False)
        self.base = nn.Parameter(torch.tensor(base, dtype=torch.float32))
        tau_s = np.geomspace(*_FIRST_TAU_S, sizes.memory) - TAU_LEAST_S
        # The inverse of softplus, so that time constants stay above TAU_LEAST_S.
        self.raw_tau = nn.Parameter(torch.tensor(np.log(np.expm1(tau_s)), dtype=torch.float32))
        # At first the base alone: the measured average, wherever the face is.
        nn.init.zeros_(self.last.weight)
        self.mask: torch.Tensor
        self.register_buffer("mask", torch.tensor(EDITABLE_MASK, dtype=torch.float32))
        self.limits: torch.Tensor
        self.register_buffer("limits", torch.tensor(LIMITS, dtype=torch.float32))
        lid_share = np.zeros((count, count))
        lid_share[emotion.BLINKS, emotion.LIDS] = emotion.LID_SHARE
        self.lid_share: torch.Tensor
        self.register_buffer("lid_share", torch.tensor(lid_share, dtype=torch.float32))

    @property
    def tau_s(self) -> torch.Tensor:
        """Time constants of the memory in seconds, [memory]."""
        return TAU_LEAST_S + nn.functional.softplus(self.raw_tau)

    def forward(
        self,
        expression: torch.Tensor,
        amounts: torch.Tensor,
        mouth: torch.Tensor,
        since_s: torch.Tensor,
        memory: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The offset [B, T, 52] and the memory [B, memory] after the last frame.

        Args:
            expression: [B, T, 52], 0..1.
            amounts: [B, T, 8], each emotion's intensity, >= 0.
            mouth: [B, T], 0..1.
            since_s: [B, T], seconds since the frame before; without `memory` the first one is ignored.
            memory: [B, memory] of the frame before the first, or None at the start of a stream.
        """
        averages, memory = self._remembered(self.remember(expression), since_s, memory)
        hidden = torch.tanh(self.first(torch.cat([expression, averages, mouth[..., None]], dim=-1)))
        hidden = torch.tanh(self.second(hidden))
        each = self.base + self.last(hidden).unflatten(-1, (len(EMOTIONS), BLENDSHAPE_COUNT))
        target = torch.einsum("btk,btkc->btc", amounts, each) * self.mask
        room = (self.limits - expression).clamp_min(LEAST_ROOM)
        offset = room * torch.tanh(target.clamp_min(0.0) / room)
        offset = offset - expression * torch.tanh((-target).clamp_min(0.0))
        return offset * (1.0 - expression @ self.lid_share).clamp(0.0, 1.0), memory

    def _remembered(
        self, seen: torch.Tensor, since_s: torch.Tensor, memory: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The averages at every frame [B, T, memory], and after the last."""
        keep = ((since_s >= 0.0) & (since_s <= LONGEST_GAP_S)).to(seen.dtype)[..., None]
        safe_s = since_s.clamp(0.0, LONGEST_GAP_S)[..., None]
        stay = keep * self.tau_s / (safe_s + self.tau_s)
        if memory is None:
            memory, stay = seen[:, 0], torch.cat([torch.zeros_like(stay[:, :1]), stay[:, 1:]], dim=1)
        averages = []
        for k in range(seen.shape[1]):
            memory = seen[:, k] + stay[:, k] * (memory - seen[:, k])
            averages.append(memory)
        return torch.stack(averages, dim=1), memory

    def weights(self, face_model: str, made_by: str) -> EditorWeights:
        """The weights as `face.learned` runs them. face_model: `face_model_key`. made_by: a command."""

        def array(value: torch.Tensor) -> npt.NDArray[np.float32]:
            return value.detach().cpu().numpy().astype(np.float32)

        mask = np.tile(EDITABLE_MASK, len(EMOTIONS))[:, None]
        return EditorWeights(
            remember=array(self.remember.weight),
            tau_s=array(self.tau_s),
            first=array(self.first.weight),
            first_bias=array(self.first.bias),
            second=array(self.second.weight),
            second_bias=array(self.second.bias),
            last=array(self.last.weight) * mask.astype(np.float32),
            base=array(self.base * self.mask),
            face_model=face_model,
            made_by=made_by,
        )
