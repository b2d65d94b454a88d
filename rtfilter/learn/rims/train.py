"""`rtfilter learn rims`: footage to bands, drawn glasses on them, training, and the ONNX file, measured.

`rims.onnx` is the file that `rtfilter/occlusion/assets/` holds. A quarter of an hour on one core.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rtfilter.engines.networks import RIMS
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.errors import InputError, Notify
from rtfilter.learn.config import read_document
from rtfilter.learn.rims.bands import FILE, Bands, RimsSettings
from rtfilter.learn.rims.graph import rims_graph
from rtfilter.learn.rims.network import RimsNetwork
from rtfilter.learn.rims.picture import composed
from rtfilter.learn.training.commands import command_of
from rtfilter.learn.training.exported import largest_difference, write_checked
from rtfilter.learn.training.steps import share_of_rate

F32 = npt.NDArray[np.float32]
Progress = Callable[[int, int | None], None]

STEP: Final = "rims"
ASSET: Final = "rims.onnx"
POSITIVE: Final = 3.0  # weight of rims over skin
WORN: Final = 0.3  # weight of the second answer
DECAY: Final = 1e-4
TOLERANCE: Final = 0.02  # of probabilities: weights are rounded to 16 bits
LOG_EVERY: Final = 100
MEASURED: Final = 400
PATHS: Final = ("output",)


def main(
    config_path: Path,
    overrides: Sequence[str] = (),
    notify: Notify = lambda line: None,
    progress: Progress | None = None,
) -> Path:
    """Train as a settings file says; the file, in `output/rims`. Raises RtfilterError."""
    document = read_document(config_path, overrides)
    run, settings = document.run, document.table(STEP, RimsSettings)
    folder = run.folder(STEP)
    bands = Bands.read(folder / FILE, settings, notify)
    others = (*settings.held_out, *settings.spectacled)
    known = bands.of([name for name in set(bands.names.tolist()) if name not in others])
    if not len(known):
        raise InputError("rims: nobody to learn from: hold fewer people out")
    if run.threads:
        torch.set_num_threads(run.threads)
    notify(f"{len(known)} bands to draw glasses on")
    network = trained(known, settings, run.seed, notify, progress)
    made_by = command_of(STEP, config_path, overrides, PATHS)
    content = rims_graph(network, made_by)
    off = difference(network, content)
    path = folder / ASSET
    write_checked(path, content, off, TOLERANCE, notify)
    for line in measured(content, bands, settings, run.seed):
        notify(line)
    return path


def trained(
    known: npt.NDArray[np.uint8], settings: RimsSettings, seed: int, notify: Notify, progress: Progress | None
) -> RimsNetwork:
    """The network with averaged weights, in evaluation mode."""
    torch.manual_seed(seed)
    network = RimsNetwork()
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=DECAY)
    for step in range(settings.steps):
        for one in optimiser.param_groups:
            one["lr"] = settings.rate * min((step + 1) / 50, 1.0) * share_of_rate(step / settings.steps, 0.02)
        pixels, rims, worn = batch(known, settings.batch, np.random.default_rng((seed, step)))
        found_rims, found_worn = network.train()(pixels.contiguous(memory_format=torch.channels_last))
        loss = loss_of(found_rims, found_worn, rims, worn)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        keep = min(0.5 ** (1.0 / 60), (step + 1.0) / (step + 10.0))
        with torch.no_grad():
            states = zip(average.state_dict().values(), network.state_dict().values(), strict=True)
            for ours, new in states:
                ours.lerp_(new, 1.0 - keep) if ours.is_floating_point() else ours.copy_(new)
        if step % LOG_EVERY == LOG_EVERY - 1:
            notify(f"step {step + 1} of {settings.steps}: loss {float(loss.detach()):.4f}")
        if progress is not None:
            progress(step + 1, settings.steps)
    return average.eval()


def loss_of(rims_logit: Tensor, worn_logit: Tensor, rims: Tensor, worn: Tensor) -> Tensor:
    """Entropy and overlap of the rims, and entropy of the second answer."""
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    weight = 1.0 + (POSITIVE - 1.0) * rims
    share = torch.sigmoid(rims_logit)
    common = (share * rims).sum((1, 2, 3)) * 2.0 + 8.0
    overlap = 1.0 - common / (share.sum((1, 2, 3)) + rims.sum((1, 2, 3)) + 8.0)
    return entropy(rims_logit, rims, weight=weight) + 0.5 * overlap.mean() + WORN * entropy(worn_logit, worn)


def batch(
    known: npt.NDArray[np.uint8], count: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """pixels [B, 3, 96, 192], rims [B, 1, 48, 96] and worn [B, 1]: drawn anew."""
    rows = [composed(known[int(rng.integers(len(known)))], rng) for _ in range(count)]
    columns = (np.stack(one) for one in zip(*rows, strict=True))
    pixels, rims, worn = (torch.from_numpy(np.asarray(one, np.float32)) for one in columns)
    return pixels, rims[:, None], worn[:, None]


def difference(network: RimsNetwork, content: bytes) -> float:
    """The largest difference of a probability between the ONNX file and PyTorch, over random inputs."""
    return largest_difference(content, RIMS, network)


def measured(content: bytes, bands: Bands, settings: RimsSettings, seed: int) -> list[str]:
    """What the file does on people it has not seen, with drawn glasses and without, and with their own."""
    runner, lines = OnnxRunner(content, RIMS), []

    def answers(pictures: Sequence[F32]) -> tuple[F32, F32]:
        rims, worn = [], []
        for one in pictures:
            found = runner.run(pixels=one[None])
            rims.append(found["rims"][0, 0].copy())
            worn.append(float(found["worn"][0, 0]))
        return np.stack(rims), np.array(worn, np.float32)

    rest = bands.of(settings.held_out)
    if len(rest):
        rng = np.random.default_rng((seed, 1))
        rows = [composed(rest[int(rng.integers(len(rest)))], rng) for _ in range(MEASURED)]
        rims, worn = answers([row[0] for row in rows])
        wanted, wears = np.stack([row[1] for row in rows]) > 0.5, np.array([row[2] for row in rows]) > 0.5
        both = float(((rims > 0.5) & wanted).sum()) / max(float(((rims > 0.5) | wanted).sum()), 1.0)
        right = float(((worn > 0.5) == wears).mean())
        lines.append(f"held out, drawn: IoU of rims {both:.3f}, worn or not right {100 * right:.1f} %")
        plain = [one.transpose(2, 0, 1).astype(np.float32) / 255 for one in rest]
        worn = answers(plain)[1]
        lines.append(f"held out, bare: taken for worn {100 * float((worn > 0.5).mean()):.1f} %")
    for name in settings.spectacled:
        own = [one.transpose(2, 0, 1).astype(np.float32) / 255 for one in bands.of([name])]
        worn = answers(own)[1]
        lines.append(f"{name}, their own: taken for worn {100 * float((worn > 0.5).mean()):.1f} %")
    runner.close()
    return lines
