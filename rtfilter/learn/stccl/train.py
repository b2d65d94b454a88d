"""`rtfilter learn stccl`: trains a correlation network on pairs of clips; the result is `metric.npz`.

One process, or several by `torchrun`: each draws its own batches, and gradients are averaged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.tensorboard import SummaryWriter

from rtfilter.errors import Notify, OutputError, RtfilterError, UsageError
from rtfilter.face.learned_weights import face_model_key
from rtfilter.face.model import MorphableModel
from rtfilter.learn.config import Run, read_document
from rtfilter.learn.interruption import between_steps
from rtfilter.learn.parallel import Group, process_group
from rtfilter.learn.stccl import checkpoint, losses, weights
from rtfilter.learn.stccl.batches import batch
from rtfilter.learn.stccl.network import KINDS, CorrelationNetwork
from rtfilter.learn.stccl.pairs import split
from rtfilter.learn.stccl.settings import FRAMES_APART, StcclSettings
from rtfilter.learn.stccl.signals import pairs_of

Progress = Callable[[int, int | None], None]

CHECKPOINT: Final = "checkpoint.pt"
METRIC: Final = "metric.npz"
LOG: Final = "log"
WARM_UP: Final = 50  # steps in which the rate rises
LARGEST_SLOPE: Final = 1.0


def main(
    config_path: Path,
    overrides: Sequence[str] = (),
    progress: Progress | None = None,
    notify: Notify = lambda line: None,
    resume: bool = False,
) -> int:
    """Train as a settings file says, into `output/stccl`.

    Raises UsageError for settings, InputError for tracks or a checkpoint that cannot be used, OutputError for
    a full disk, RtfilterError when the loss is no number; what was saved before stays.
    """
    document = read_document(config_path, overrides)
    run, settings = document.run, document.table("stccl", StcclSettings)
    with process_group(run.device, run.threads) as group:
        train(settings, run, group, resume, progress if group.first else None, notify)
    return 0


def train(
    settings: StcclSettings,
    run: Run,
    group: Group,
    resume: bool,
    progress: Progress | None,
    notify: Notify,
) -> CorrelationNetwork:
    """One process' part of a run. Returns the trained network."""
    folder = run.folder("stccl")
    saved = folder / CHECKPOINT
    if saved.exists() and not resume:
        raise UsageError(f"{folder} holds a run: add --resume to go on with it, or name another run.output")
    seen, _ = split(pairs_of(settings), settings.held_out)
    model = MorphableModel.builtin()
    form = weights.Form.of(settings)
    torch.manual_seed(run.seed)
    network = weights.build(form, model.mean_iod).to(group.device)
    optimiser = torch.optim.AdamW(network.parameters(), settings.rate, weight_decay=settings.weight_decay)
    identity = checkpoint.identity_of(settings, run.seed, group.size)
    first = checkpoint.load(saved, network, optimiser, identity) if resume else 0
    kinds = KINDS if settings.temporal else KINDS[:1]
    trained: nn.Module = network
    if group.size > 1:
        trained = DistributedDataParallel(network, find_unused_parameters=not settings.temporal)
    log = _log(folder / LOG) if group.first else None
    with between_steps() as interruption:
        for step in range(first, settings.steps):
            _set_rate(optimiser, settings, step)
            source, target, generator = batch(seen, settings, model, (run.seed, step, group.rank))
            found = trained(
                source.to(group.device),
                target.to(group.device),
                network.centres(generator),
                settings.adaptive,
                FRAMES_APART,
                kinds,
            )
            total = total_of(found)
            if not group.all_finite(total):
                raise RtfilterError(_not_a_number(step, saved))
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(total)
            nn.utils.clip_grad_norm_(network.parameters(), LARGEST_SLOPE)
            optimiser.step()
            done = step + 1
            if log is not None and (done % settings.log_every == 0 or done == settings.steps):
                _write_log(log, done, total, found)
            if progress is not None:
                progress(done, settings.steps)
            ended = group.any_of(interruption.asked)
            if group.first and (ended or done % settings.save_every == 0 or done == settings.steps):
                checkpoint.save(saved, done, network, optimiser, identity)
            if ended:
                notify(f"interrupted after step {done}: go on with --resume")
                raise interruption.error()
    if group.first:
        weights.save(folder / METRIC, network, form, face_model_key(model.expression_basis))
        notify(f"{settings.steps} steps over {len(seen)} pairs: {folder / METRIC}")
    if log is not None:
        log.close()
    return network.eval()


def total_of(found: dict[str, Tensor]) -> Tensor:
    """The joint loss, the mean of the levels."""
    space = found["space"].mean()
    return losses.joint(space, found["time"].mean()) if "time" in found else space


def _set_rate(optimiser: torch.optim.Optimizer, settings: StcclSettings, step: int) -> None:
    """A short rise, then down a cosine to a hundredth: of the step alone, so that a resumed run has it."""
    rise = min(1.0, (step + 1) / WARM_UP)
    fall = 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * step / settings.steps))
    for group in optimiser.param_groups:
        group["lr"] = settings.rate * rise * fall


def _not_a_number(step: int, saved: Path) -> str:
    kept = f"; {saved} is what was saved last" if saved.exists() else ""
    return f"step {step}: the loss is not a number: lower stccl.rate, or look for damaged tracks{kept}"


def _log(folder: Path) -> SummaryWriter:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return SummaryWriter(str(folder))
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror}; check the folder") from error


def _write_log(log: SummaryWriter, step: int, total: Tensor, found: dict[str, Tensor]) -> None:
    log.add_scalar("loss/joint", float(total.detach()), step)
    for kind, by_level in found.items():
        for level, value in enumerate(by_level.detach().tolist()):
            log.add_scalar(f"loss/{kind}/{level}", value, step)
