"""Trials of a correlation measure: matching windows, and four ways in which windows do not match.

Called by `stccl.evidence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rtfilter.errors import InputError
from rtfilter.learn.stccl.network import KINDS, CorrelationNetwork
from rtfilter.learn.stccl.pairs import Pair
from rtfilter.learn.stccl.settings import WINDOW

F64 = npt.NDArray[np.float64]
# By kind of score: float64 [windows, levels].
Scores = dict[str, F64]

MATCHING: Final = "aligned"
CONDITIONS: Final = ("misaligned", "shuffled regions", "shuffled time", "other sentence")
STEP: Final = 4  # frames between windows
# How far off a misaligned window is, in frames: about 0.25 s to 0.8 s.
OFF: Final = (6, 20)
_CHUNK: Final = 64


@dataclass(frozen=True, eq=False)
class Trials:
    """Windows of pairs: float32 [n, 9, ...]; `others` are targets that do not match, by condition.

    order: int64 [n, regions], how regions are shuffled. has_other: bool [n], where there is another sentence.
    """

    source: Tensor
    target: Tensor
    misaligned: Tensor
    other: Tensor
    time_order: Tensor
    has_other: npt.NDArray[np.bool_]


def trials_of(pairs: Sequence[Pair], seed: int = 0, most: int = 1500) -> Trials:
    """All windows of the pairs, every fourth frame, at most `most` of them, drawn evenly.

    Pairs no longer than a window are left out. Raises InputError where nothing is left.
    """
    random = np.random.default_rng([seed, 7])
    # A clip of one window has no misaligned one.
    long = [pair for pair in pairs if pair.frames > WINDOW]
    if not long:
        raise InputError(f"no clip is longer than {WINDOW} frames, a window: none is misaligned: give longer")
    places = [(pair, start) for pair in long for start in range(0, pair.frames - WINDOW + 1, STEP)]
    if len(places) > most:
        keep = np.sort(random.choice(len(places), most, replace=False))
        places = [places[index] for index in keep]
    rows: dict[str, list[Any]] = {"source": [], "target": [], "misaligned": [], "other": []}
    orders, has_other = [], []
    for pair, start in places:
        rows["source"].append(pair.source[start : start + WINDOW])
        rows["target"].append(pair.target[start : start + WINDOW])
        off = _elsewhere(pair.frames, start, random)
        rows["misaligned"].append(pair.target[off : off + WINDOW])
        others = [p for p in pairs if (p.person, p.emotion) == (pair.person, pair.emotion)]
        others = [p for p in others if p.sentence != pair.sentence]
        has_other.append(bool(others))
        drawn = others[random.integers(len(others))] if others else pair
        at = int(random.integers(drawn.frames - WINDOW + 1))
        rows["other"].append(drawn.target[at : at + WINDOW])
        orders.append(_shuffled(random))
    tensors = {key: torch.from_numpy(np.stack(value).astype(np.float32)) for key, value in rows.items()}
    return Trials(**tensors, time_order=torch.tensor(np.array(orders)), has_other=np.array(has_other))


def network_scores(network: CorrelationNetwork, trials: Trials, seed: int = 0) -> dict[str, Scores]:
    """Scores of each condition. Regions are shuffled among a level's, after the encoder."""
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, dict[str, list[Tensor]]] = {
        name: {kind: [] for kind in KINDS} for name in (MATCHING, *CONDITIONS)
    }
    with torch.no_grad():
        for chunk in torch.split(torch.arange(len(trials.source)), _CHUNK):
            a, b, off, other = (
                network.encoder(each[chunk])
                for each in (trials.source, trials.target, trials.misaligned, trials.other)
            )
            moved = [each[:, :, torch.randperm(each.shape[2], generator=generator)] for each in b]
            order = trials.time_order[chunk]
            rows = torch.arange(len(chunk)).unsqueeze(1)
            shuffled = [each[rows, order] for each in b]
            for name, features in zip(found, (b, off, moved, shuffled, other), strict=True):
                for kind, scores in network.scores_of_features(a, features).items():
                    found[name][kind].append(scores)
    return {
        name: {kind: torch.cat(parts).double().numpy() for kind, parts in kinds.items()}
        for name, kinds in found.items()
    }


def pearson_scores(trials: Trials, seed: int = 0) -> dict[str, Scores]:
    """The plain measure: Pearson correlation of the signals themselves, as one level.

    space: of all numbers of a frame, the mean of the frames. time: of each place's course through the window
    (coordinates together), the mean of the places.
    """
    order = torch.randperm(trials.target.shape[2], generator=torch.Generator().manual_seed(seed))
    rows = torch.arange(len(trials.target)).unsqueeze(1)
    targets = (
        trials.target,
        trials.misaligned,
        trials.target[:, :, order],
        trials.target[rows, trials.time_order],
        trials.other,
    )
    return {
        name: _pearson(trials.source, target)
        for name, target in zip((MATCHING, *CONDITIONS), targets, strict=True)
    }


def auc(matching: F64, other: F64) -> float:
    """The chance that a matching score is above another one; ties count half."""
    both = np.concatenate([matching, other])
    _, place, count = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - 0.5 * (count - 1))[place]
    above = ranks[: len(matching)].sum() - len(matching) * (len(matching) + 1) / 2
    return float(above / (len(matching) * len(other)))


def _pearson(source: Tensor, target: Tensor) -> Scores:
    a, b = (each.flatten(3) if each.ndim > 3 else each.unsqueeze(-1) for each in (source, target))
    space = _cosine(a.flatten(2), b.flatten(2), centre=2).mean(1)
    # [n, places, frames, coordinates], each coordinate about its own mean.
    a, b = (each.transpose(1, 2) for each in (a, b))
    a, b = (each - each.mean(2, keepdim=True) for each in (a, b))
    time = _cosine(a.flatten(2), b.flatten(2), centre=None).mean(1)
    return {"space": space.double().numpy()[:, None], "time": time.double().numpy()[:, None]}


def _cosine(a: Tensor, b: Tensor, centre: int | None) -> Tensor:
    if centre is not None:
        a, b = a - a.mean(centre, keepdim=True), b - b.mean(centre, keepdim=True)
    return torch.nn.functional.cosine_similarity(a, b, dim=-1, eps=1e-9)


def _elsewhere(frames: int, start: int, random: np.random.Generator) -> int:
    """The start of a window off by 6 to 20 frames; of a short clip, as far off as there is."""
    possible = [at for at in range(frames - WINDOW + 1) if OFF[0] <= abs(at - start) <= OFF[1]] or [
        0 if start > (frames - WINDOW) / 2 else frames - WINDOW
    ]
    return int(possible[random.integers(len(possible))])


def _shuffled(random: np.random.Generator) -> npt.NDArray[np.int64]:
    """An order of the window's frames in which no frame is where it was."""
    while True:
        order = random.permutation(WINDOW)
        if (order != np.arange(WINDOW)).all():
            return np.asarray(order, np.int64)
