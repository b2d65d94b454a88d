"""`rtfilter learn editor`: trains the editor on pairs of tracks.

One process, or several through `torchrun --nproc-per-node N -m rtfilter learn editor ...` (gloo, or NCCL on
GPUs): gradients are averaged, and the first process writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from rtfilter.errors import InputError, Notify
from rtfilter.face.learned_weights import face_model_key
from rtfilter.face.model import MorphableModel
from rtfilter.learn.config import read_document
from rtfilter.learn.editor import losses
from rtfilter.learn.editor.checkpoint import FILE, Checkpoint
from rtfilter.learn.editor.mouth import Mouth
from rtfilter.learn.editor.network import EditorNetwork, Sizes
from rtfilter.learn.editor.pairs import Pair, load_pairs, mean_changes, split_speakers
from rtfilter.learn.editor.settings import EditorSettings
from rtfilter.learn.editor.windows import Batch, Windows
from rtfilter.learn.parallel import Group, process_group
from rtfilter.learn.stccl.metric import Metric
from rtfilter.learn.training.checkpoints import described
from rtfilter.learn.training.steps import Steps, share_of_rate

STEP: Final = "editor"
LONGEST_GRADIENT: Final = 1.0
_PATHS: Final = ("output", "tracks", "alignments", "others")
_LEAST_RATE = 0.02  # of the rate, at the end


def main(
    config_path: Path,
    resume: bool = False,
    overrides: Sequence[str] = (),
    notify: Notify = lambda line: None,
    quiet: bool = False,
) -> Path:
    """Train as a settings file says; the checkpoint, in `output/editor`. Raises RtfilterError.

    resume: go on from the checkpoint; what comes out is what one uninterrupted run gives. quiet: no line of
    how far it is.
    """
    document = read_document(config_path, overrides)
    run, settings = document.run, document.table(STEP, EditorSettings)
    made_by = command_of(config_path, overrides)
    with process_group(run.device, run.threads) as group:
        told = notify if group.first else lambda line: None
        model = MorphableModel.builtin()
        pairs = load_pairs(settings.tracks, settings.alignments, model, told)
        train, held_out = split_speakers(pairs, settings.held_out)
        told(f"{len(train)} pairs to learn from, {len(held_out)} of other speakers left out for the ablation")
        training = Training(run.folder(STEP), run.seed, settings, train, model, group, made_by, told, quiet)
        return training.run(resume)


def command_of(config_path: Path, overrides: Sequence[str]) -> str:
    """The command, for the file that comes of it: of what is a path, the key alone."""
    told = [f"rtfilter learn editor {config_path.name}"]
    for text in overrides:
        key, _, value = (part.strip() for part in text.partition("="))
        is_path = key.rpartition(".")[2] in _PATHS or any(mark in value for mark in ("/", "\\", "~", ".npz"))
        told.append(f"--set {key}={'...' if is_path else value}")
    return " ".join(told)


class Training(Steps):
    """One run on `pairs`, into `folder`. made_by: the command, for the file that comes of it.

    Network, metric and optimiser are made at once; `run` does the steps.
    """

    STEP = STEP

    def __init__(
        self,
        folder: Path,
        seed: int,
        settings: EditorSettings,
        train: Sequence[Pair],
        model: MorphableModel,
        group: Group,
        made_by: str,
        notify: Notify,
        quiet: bool = False,
    ) -> None:
        super().__init__(folder / FILE, settings, group, notify, quiet)
        self.settings, self._seed, self._made_by = settings, seed, made_by
        torch.manual_seed(seed)
        self.network = EditorNetwork(Sizes(settings.memory, settings.hidden), mean_changes(train)).to(
            group.device
        )
        self.mouth = Mouth(model).to(group.device)
        self.metric = Metric.load(settings.metric).to(group.device) if settings.uses_metric else None
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.rate, weight_decay=settings.weight_decay
        )
        compared = min(settings.compared, settings.batch)
        self._windows = Windows(train, model, settings.frames, compared, settings.noise)
        self._described = described(settings, seed, group.size)
        self._face_model = face_model_key(model.expression_basis)

    def step(self, step: int) -> dict[str, Tensor]:
        """See `Steps.step`."""
        rate = self.settings.rate * share_of_rate(step / self.settings.steps, _LEAST_RATE)
        for one in self.optimiser.param_groups:
            one["lr"] = rate
        batch = self._windows.batch(
            self.settings.batch, (self._seed, self.group.rank, step), self.group.device
        )
        parts = self.losses(batch, compare=step % self.settings.compare_every == 0)
        weights = {name: weight for name, weight in self.weights().items() if name in parts}
        total = torch.stack([weight * parts[name] for name, weight in weights.items()]).sum()
        self.require_finite(step, total, parts)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        self.group.average_gradients(self.network)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), LONGEST_GRADIENT)
        self.optimiser.step()
        return parts

    def weights(self) -> dict[str, float]:
        """The losses that count, and how much."""
        names = ("pair", "mouth", "spatial", "temporal", "steady")
        return {name: getattr(self.settings, name) for name in names if getattr(self.settings, name) > 0.0}

    def losses(self, batch: Batch, compare: bool) -> dict[str, Tensor]:
        """The losses of a batch by name. compare: by STCCL, too."""
        target, _ = self.network(batch.expression, batch.amounts, batch.mouth, batch.since_s)
        behind = (batch.openness, batch.gaps_iod, batch.mouth)
        shown = losses.Shown(
            self.mouth.guard(target, *behind) if self.settings.guard else target,
            self.mouth.guard(batch.change, *behind),
        )
        found = {
            "pair": losses.pair(self.mouth, shown),
            "mouth": losses.mouth_shape(self.mouth, shown, batch),
            "steady": losses.steadiness(self.mouth, shown),
        }
        if self.metric is not None and compare:
            kinds = [name for name in ("spatial", "temporal") if name in self.weights()]
            found |= losses.correlated(self.mouth, shown, batch, self.metric, self.settings.adaptive, kinds)
        return found

    def _save(self, step: int) -> None:
        if self.group.first:
            Checkpoint(
                step,
                self._described,
                self.network.state_dict(),
                self.optimiser.state_dict(),
                self._face_model,
                self._made_by,
            ).save(self.path)

    def _restored(self) -> int:
        found = Checkpoint.load(self.path)
        found.check_same_run(self._described, self.path)
        if found.face_model != self._face_model:
            raise InputError(f"{self.path}: trained on another face model: train anew in another folder")
        found.restore(self.network, self.optimiser, self.path)
        self.notify(f"going on after step {found.step}")
        return found.step
