"""The correlation network: features of a face, heads in space and in time, and what is compared with them.

Two variants. VD, visual disparity: differences of features. CM, correlation matrix: rows of the features'
correlations. Made by `stccl.metric` and `stccl.train`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import torch
from torch import Tensor, nn

from rtfilter.learn.stccl import losses

VARIANTS: Final = ("vd", "cm")
KINDS: Final = ("space", "time")


class Encoder(Protocol):
    """What gives features by level, finest first, each [..., N, C], and knows its regions."""

    channels: tuple[int, ...]
    neighbours: list[Tensor]
    centres: list[Tensor]

    def __call__(self, signal: Tensor) -> list[Tensor]: ...


@dataclass(frozen=True)
class Elements:
    """Elements of one level in space or time, of source (q) and target (k).

    q, k: unit vectors [B, F, M, D]: B windows, F frames or regions, M elements of one image or one series.
    size_of: [B, F, M, C], of the source, what weighs the element by its size: VD the differences of features,
    CM how far a row's features spread.
    """

    q: Tensor
    k: Tensor
    size_of: Tensor


class CorrelationNetwork(nn.Module):
    """An encoder with one head a level for space and one for time.

    variant: vd or cm. centres: regions sampled at each level. head: numbers of an embedding. tau:
    temperature. moments: weight of the alternatives from other moments of the batch (ours; the paper's are of
    the same image or series alone, weight 0). CM has no others.
    """

    def __init__(
        self,
        encoder: nn.Module,
        variant: str,
        centres: Sequence[int],
        head: int = 32,
        tau: float = losses.TAU,
        moments: float = 1.0,
    ) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"variant {variant!r}, expected one of {VARIANTS}")
        self.encoder = encoder
        self.variant, self.counts, self.tau, self.moments = variant, tuple(centres), tau, moments
        channels: tuple[int, ...] = encoder.channels  # type: ignore[assignment]
        # Modules in a module: what is in a plain list would be neither trained nor saved.
        self.heads = nn.ModuleDict({kind: nn.ModuleList(_head(c, head) for c in channels) for kind in KINDS})

    @property
    def levels(self) -> int:
        """How many levels there are."""
        return len(self.counts)

    def centres(self, generator: torch.Generator | None = None) -> list[Tensor]:
        """Regions to look at, by level: drawn at random, or the first ones, which cover the face."""
        chosen = []
        possible: list[Tensor] = self.encoder.centres  # type: ignore[assignment]
        for cells, count in zip(possible, self.counts, strict=True):
            order = None if generator is None else torch.randperm(len(cells), generator=generator)
            chosen.append((cells if order is None else cells[order])[:count])
        return chosen

    def elements(
        self, source: list[Tensor], target: list[Tensor], kind: str, level: int, centres: Tensor
    ) -> Elements:
        """Elements of features [B, T, N, C]. space: F = T frames; time: F = P regions."""
        a, b = source[level], target[level]
        head = self.heads[kind][level]  # type: ignore[index]
        if self.variant == "vd":
            da, db = (self._differences(each, kind, level, centres) for each in (a, b))
            return Elements(losses.unit(head(da)), losses.unit(head(db)), da)
        possible: list[Tensor] = self.encoder.centres  # type: ignore[assignment]
        if kind == "space":
            # Among those that may be looked at: all cells of a picture would make a million numbers.
            a, b = (each[..., possible[level], :] for each in (a, b))
            centres = (possible[level] == centres.unsqueeze(1)).int().argmax(1)
        q, k = (self._rows(head(each), kind, centres) for each in (a, b))
        return Elements(q, k, _spread_of_rows(a, kind, centres))

    def losses(
        self,
        source: Tensor,
        target: Tensor,
        centres: list[Tensor] | None = None,
        adaptive: bool = True,
        stride: int = 1,
        kinds: Sequence[str] = KINDS,
    ) -> dict[str, Tensor]:
        """The loss of each level by kind, float [L]; `target` should move as `source` does.

        source, target: signals [B, T, ...], matching frame by frame. stride: of the frames compared in space.
        """
        centres = self.centres() if centres is None else centres
        a, b = self.encoder(source), self.encoder(target)
        found = {}
        for kind in kinds:
            step = stride if kind == "space" else 1
            parts = [each[:, ::step] for each in a], [each[:, ::step] for each in b]
            by_level = (
                self._loss(self.elements(*parts, kind, level, centres[level]), adaptive)
                for level in range(self.levels)
            )
            found[kind] = torch.stack(list(by_level))
        return found

    def forward(
        self,
        source: Tensor,
        target: Tensor,
        centres: list[Tensor] | None,
        adaptive: bool,
        stride: int,
        kinds: Sequence[str],
    ) -> dict[str, Tensor]:
        """`losses`, as a wrapper of several processes calls it."""
        return self.losses(source, target, centres, adaptive, stride, kinds)

    def scores(self, source: Tensor, target: Tensor) -> dict[str, Tensor]:
        """How well each window agrees, by kind: mean cosine over its elements, [B, L]."""
        a, b = self.encoder(source), self.encoder(target)
        return self.scores_of_features(a, b)

    def scores_of_features(self, a: list[Tensor], b: list[Tensor]) -> dict[str, Tensor]:
        """`scores` of features that are at hand."""
        centres = self.centres()
        found = {}
        for kind in KINDS:
            by_level = []
            for level in range(self.levels):
                each = self.elements(a, b, kind, level, centres[level])
                by_level.append(losses.agreement(each.q, each.k).flatten(1).mean(1))
            found[kind] = torch.stack(by_level, dim=1)
        return found

    def _differences(self, features: Tensor, kind: str, level: int, centres: Tensor) -> Tensor:
        if kind == "time":
            return losses.time_differences(features, centres)
        neighbours: list[Tensor] = self.encoder.neighbours  # type: ignore[assignment]
        return losses.space_differences(features, centres, neighbours[level]).flatten(-3, -2)

    def _rows(self, vectors: Tensor, kind: str, centres: Tensor) -> Tensor:
        """Rows of correlations: of the chosen regions with all given, or of a region's moments.

        Moments are taken about their mean: within a third of a second all are alike, and correlate by 1.
        """
        if kind == "time":
            series = vectors[..., centres, :].transpose(-3, -2)
            series = losses.unit(series - series.mean(-2, keepdim=True))
            return losses.rows_without_self(losses.correlation(series))
        return losses.rows_without_self(losses.correlation(losses.unit(vectors)))[..., centres, :]

    def _loss(self, elements: Elements, adaptive: bool) -> Tensor:
        weight = losses.adaptive_weight(elements.size_of) if adaptive else None
        total = elements.q.new_zeros(())
        if self.variant == "vd":
            total = total + losses.weighted_mean(
                losses.contrast(elements.q, elements.k, tau=self.tau), weight
            )
        share = 1.0 if self.variant == "cm" else self.moments
        if share > 0.0:
            q, k, w = _by_moment(elements, weight)
            total = total + share * losses.weighted_mean(losses.contrast(q, k, tau=self.tau), w)
        return total


def _by_moment(elements: Elements, weight: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """The same place, with other moments as the alternatives: axes [F, M, B, D].

    Windows of one batch lie at different moments of one clip, and in different clips. In space each frame of
    a window has the same frame of other windows as alternatives: frames side by side are too alike.
    """
    q, k = (each.permute(1, 2, 0, 3) for each in (elements.q, elements.k))
    return q, k, None if weight is None else weight.permute(1, 2, 0)


def _spread_of_rows(features: Tensor, kind: str, centres: Tensor) -> Tensor:
    """Root mean square difference of each row's feature from all that it is correlated with, [B, F, M, 1]."""
    if kind == "time":
        features = features[..., centres, :].transpose(-3, -2)
    mean = features.mean(-2, keepdim=True)
    variance = (features - mean).square().mean((-2, -1), keepdim=True)
    spread = ((features - mean).square().mean(-1, keepdim=True) + variance).sqrt()
    return spread if kind == "time" else spread[..., centres, :]


def _head(channels: int, out: int) -> nn.Module:
    first, last = nn.Linear(channels, channels), nn.Linear(channels, out)
    for linear in (first, last):
        nn.init.zeros_(linear.bias)  # or small differences would all point where the bias does
    return nn.Sequential(first, nn.GELU(), last)
