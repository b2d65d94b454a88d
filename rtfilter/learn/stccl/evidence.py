"""Evidence that a metric tells matching motion from motion that does not match: AUC by level, as a table.

    python -m rtfilter.learn.stccl.evidence CONFIG [--set TABLE.KEY=VALUE] [--metric FILE] [--all]

On the speakers that the settings hold out (--all: on every speaker), against a network with random weights
and plain Pearson correlation. See docs/stccl.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from rtfilter.errors import RtfilterError
from rtfilter.face.model import MorphableModel
from rtfilter.learn.config import read_document
from rtfilter.learn.stccl import weights
from rtfilter.learn.stccl.network import KINDS
from rtfilter.learn.stccl.pairs import split
from rtfilter.learn.stccl.settings import StcclSettings
from rtfilter.learn.stccl.signals import pairs_of
from rtfilter.learn.stccl.trials import (
    CONDITIONS,
    MATCHING,
    Scores,
    Trials,
    auc,
    network_scores,
    pearson_scores,
    trials_of,
)


def table(named: Sequence[tuple[str, dict[str, Scores]]], trials: Trials) -> str:
    """A Markdown table: a row a measure and kind; by condition the AUC of each level, and of their mean."""
    lines = [
        "| measure | compared in | " + " | ".join(CONDITIONS) + " |",
        "|---" * (2 + len(CONDITIONS)) + "|",
    ]
    for name, scores in named:
        for kind in KINDS:
            cells = [_cell(scores, kind, condition, trials) for condition in CONDITIONS]
            lines.append(f"| {name} | {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def areas(scores: dict[str, Scores], kind: str, condition: str, trials: Trials) -> list[float]:
    """AUC of each level, finest first, and of the levels' mean; empty where a condition has no trial."""
    use = trials.has_other if condition == CONDITIONS[-1] else np.ones(len(trials.has_other), bool)
    if not use.any():
        return []
    match, other = scores[MATCHING][kind][use], scores[condition][kind][use]
    by_level = [auc(match[:, level], other[:, level]) for level in range(match.shape[1])]
    return [*by_level, auc(match.mean(1), other.mean(1))] if len(by_level) > 1 else by_level


def _cell(scores: dict[str, Scores], kind: str, condition: str, trials: Trials) -> str:
    found = areas(scores, kind, condition, trials)
    if not found:
        return "no trials"
    *levels, together = found
    return f"{together:.2f}" + (f" ({' '.join(f'{each:.2f}' for each in levels)})" if levels else "")


def measure(settings: StcclSettings, metrics: Sequence[Path], everyone: bool, seed: int = 0) -> str:
    """The table of some trained networks on the pairs of settings, with their baselines.

    Raises InputError and UsageError.
    """
    loaded = [(path, *weights.load(path)) for path in metrics]
    mean = MorphableModel.builtin().mean_iod
    parts = []
    for signal in dict.fromkeys(form.signal for _, _, form in loaded):
        pairs = pairs_of(replace(settings, signal=signal))
        if not everyone:
            _, pairs = split(pairs, settings.held_out)
        trials = trials_of(pairs, seed)
        rows = [("Pearson", pearson_scores(trials, seed))]
        for path, network, form in loaded:
            if form.signal != signal:
                continue
            torch.manual_seed(seed)
            untrained = weights.build(form, mean).eval()
            rows.append((f"{form.variant.upper()}, random weights", network_scores(untrained, trials, seed)))
            rows.append(
                (
                    f"**{form.variant.upper()}** ({path.parent.name}/{path.name})",
                    network_scores(network, trials, seed),
                )
            )
        people = len({pair.person for pair in pairs})
        parts.append(
            f"{signal}: {len(trials.source)} windows of {len(pairs)} pairs, {people} speakers; "
            f"AUC of the mean of the levels (of each level, finest first)\n\n{table(rows, trials)}"
        )
    return "\n\n".join(parts)


def main(words: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m rtfilter.learn.stccl.evidence", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE")
    parser.add_argument("--metric", type=Path, action="append", help="may come again; default: the run's own")
    parser.add_argument(
        "--all", action="store_true", help="all speakers, for tracks that no training has seen"
    )
    arguments = parser.parse_args(words)
    try:
        document = read_document(arguments.config, arguments.set)
        run = document.run
        if run.threads:
            torch.set_num_threads(run.threads)
        metrics = arguments.metric or [run.folder("stccl") / "metric.npz"]
        print(measure(document.table("stccl", StcclSettings), metrics, arguments.all, run.seed))
    except RtfilterError as error:
        print(f"evidence: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
