"""The arithmetic of the correlation losses: contrast per element, adaptive weight, differences, correlations.

Pure functions of tensors. An element is one thing that is told apart from its alternatives: the difference of
two regions, of two moments, or one row of a correlation matrix. See docs/stccl.md for what is the paper's
and what is ours. Called by `stccl.network`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

TAU = 0.07
# t = sigmoid(size of the difference); an element with t above the threshold is hard, and counts 2 t^2.
HARD_FROM = 0.8
HARD_GAIN = 2.0
TEMPORAL_WEIGHT = 5.0
FLAT_ROW = 1e-3
_TINY = 1e-6


def contrast(q: Tensor, k: Tensor, *, tau: float) -> Tensor:
    """InfoNCE of every element, unreduced: -log softmax_j(q_i . k_j / tau) at j = i.

    q, k: [..., M, D], unit length along D. The M elements are each other's alternatives; k is the target,
    and gets no gradient. Returns [..., M].
    """
    logits = q @ k.detach().transpose(-1, -2) / tau
    matching: Tensor = logits.diagonal(dim1=-2, dim2=-1)
    return torch.logsumexp(logits, dim=-1) - matching


def adaptive_weight(difference: Tensor) -> Tensor:
    """The weight of each element by the size of its difference: 1, or 2 t^2 of a hard one. No gradient.

    difference: [..., C], of features of variance 1; its size is the root mean square over C. Result: [...].
    """
    size = difference.detach().square().mean(-1).sqrt()
    t = torch.sigmoid(size)
    return torch.where(t > HARD_FROM, HARD_GAIN * t.square(), torch.ones_like(t))


def weighted_mean(element_loss: Tensor, weight: Tensor | None) -> Tensor:
    """mean(weight * loss): every element has its own weight before anything is averaged."""
    if weight is None:
        return element_loss.mean()
    if weight.shape != element_loss.shape:
        raise ValueError(f"weight {list(weight.shape)}, expected one an element {list(element_loss.shape)}")
    return (weight * element_loss).mean()


def joint(spatial: Tensor, temporal: Tensor) -> Tensor:
    """spatial + 5 x temporal."""
    return spatial + TEMPORAL_WEIGHT * temporal


def space_differences(features: Tensor, centres: Tensor, neighbours: Tensor) -> Tensor:
    """f(p) - f(p + delta) for each sampled centre and each of its neighbours.

    features: [..., N, C]. centres: int64 [P], regions. neighbours: int64 [N, 8]. Returns [..., P, 8, C].
    """
    at = features[..., centres, :]
    beside = features[..., neighbours[centres], :]
    return torch.sub(at.unsqueeze(-2), beside)


def time_pairs(frames: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The moments t < s of a window as two int64 [frames (frames - 1) / 2]; the reverse is the negative."""
    t, s = torch.triu_indices(frames, frames, offset=1, device=device)
    return t, s


def time_differences(features: Tensor, centres: Tensor) -> Tensor:
    """f_t(p) - f_s(p) for each sampled centre and each two moments t < s of the window.

    features: [..., T, N, C]. centres: int64 [P]. Returns [..., P, T (T - 1) / 2, C].
    """
    series = features[..., centres, :].transpose(-3, -2)
    t, s = time_pairs(series.shape[-2], features.device)
    return series[..., t, :] - series[..., s, :]


def correlation(vectors: Tensor) -> Tensor:
    """The correlation matrix v v^T of M unit vectors: [..., M, D] to [..., M, M]."""
    return vectors @ vectors.transpose(-1, -2)


def rows_without_self(matrix: Tensor) -> Tensor:
    """The rows of a correlation matrix [..., M, M] less the diagonal, [..., M, M - 1]; mean 0, length 1.

    The diagonal is 1 in every matrix: it would tell which row this is, and nothing of the face. A row that is
    all but flat stays short: at length 1 it would be noise.
    """
    size = matrix.shape[-1]
    off = ~torch.eye(size, dtype=torch.bool, device=matrix.device)
    rows = matrix[..., off].reshape(*matrix.shape[:-1], size - 1)
    rows = rows - rows.mean(-1, keepdim=True)
    return rows / (rows.square().sum(-1, keepdim=True) + FLAT_ROW**2).sqrt()


def unit(vectors: Tensor) -> Tensor:
    """`vectors` of length 1 along the last axis; zero stays zero, with a finite gradient."""
    return functional.normalize(vectors, dim=-1, eps=_TINY)


def agreement(q: Tensor, k: Tensor) -> Tensor:
    """The cosine of each element with its match: [..., D] to [...]."""
    return (q * k).sum(-1)
