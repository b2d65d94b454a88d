"""`rtfilter learn occlusion`: trains the network that sees what lies over a face, on composed pictures.

One process: the pictures are composed into one file.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from rtfilter.errors import InputError, Notify
from rtfilter.learn.config import read_document
from rtfilter.learn.occlusion import losses
from rtfilter.learn.occlusion.checkpoint import FILE, Checkpoint
from rtfilter.learn.occlusion.footage import Footage
from rtfilter.learn.occlusion.network import OcclusionNetwork
from rtfilter.learn.occlusion.pool import Pool
from rtfilter.learn.occlusion.settings import PATHS, OcclusionSettings
from rtfilter.learn.parallel import Group, process_group
from rtfilter.learn.training.checkpoints import described
from rtfilter.learn.training.commands import command_of
from rtfilter.learn.training.steps import Steps, share_of_rate

STEP: Final = "occlusion"
LONGEST_GRADIENT: Final = 5.0
DECAY: Final = 1e-4
_LEAST_RATE: Final = 0.02  # of the rate, at the end
_WARM: Final = 0.03  # of the steps, in which the rate rises


def main(
    config_path: Path,
    resume: bool = False,
    overrides: Sequence[str] = (),
    notify: Notify = lambda line: None,
    quiet: bool = False,
) -> Path:
    """Train as a settings file says; the checkpoint, in `output/occlusion`. Raises RtfilterError.

    resume: go on from the checkpoint; what comes out is what one uninterrupted run gives. quiet: no line of
    how far it is.
    """
    document = read_document(config_path, overrides)
    run, settings = document.run, document.table(STEP, OcclusionSettings)
    made_by = command_of(STEP, config_path, overrides, PATHS)
    with process_group(run.device, run.threads) as group:
        told = notify if group.first else lambda line: None
        if group.size > 1:
            raise InputError("occlusion: one process only: its pictures are composed into one file")
        people = Footage(settings.squares, settings.held_out, settings.spectacled, measured=False).names
        pool = Pool(run.folder(STEP), run.seed, settings, False, told)
        told(f"{len(pool)} pictures of {len(people)} people, on {group.device}")
        training = Training(
            run.folder(STEP), run.seed, settings, pool, ", ".join(people), group, made_by, told, quiet
        )
        return training.run(resume)


class Training(Steps):
    """One run on the pictures of `pool`, into `folder`. people: their names. made_by: the command."""

    STEP = STEP

    def __init__(
        self,
        folder: Path,
        seed: int,
        settings: OcclusionSettings,
        pool: Pool,
        people: str,
        group: Group,
        made_by: str,
        notify: Notify,
        quiet: bool = False,
    ) -> None:
        super().__init__(folder / FILE, settings, group, notify, quiet)
        self.settings, self._seed, self._pool = settings, seed, pool
        self._people, self._made_by = people, made_by
        torch.manual_seed(seed)
        self.network = OcclusionNetwork(settings.width).to(group.device)
        if settings.start is not None:
            self._begin_from(settings.start)
        # Two thirds of the time on a processor.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=settings.rate, weight_decay=DECAY)
        self._described = described(settings, seed, group.size)

    def step(self, step: int) -> dict[str, Tensor]:
        """See `Steps.step`."""
        settings = self.settings
        warm = min((step + 1) / max(_WARM * settings.steps, 1.0), 1.0)
        for one in self.optimiser.param_groups:
            one["lr"] = settings.rate * warm * share_of_rate(step / max(settings.steps, 1), _LEAST_RATE)
        torch.manual_seed(hash((self._seed, step)))
        pixels, held, sure = self._pool.batch(settings.batch, (self._seed, step), self.group.device)
        pixels, held, sure = varied(pixels, held, sure)
        logits = self.network.train()(pixels.contiguous(memory_format=torch.channels_last))
        shares = torch.tensor(losses.SHARES, device=logits.device)
        parts = {
            "entropy": (losses.entropy(logits, held, sure) * shares).sum(),
            "overlap": (losses.overlap(logits, held, sure) * shares).sum(),
            "false": settings.false * losses.falsely_covered(logits, held, sure),
        }
        total = torch.stack(list(parts.values())).sum()
        self.require_finite(step, total, parts)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), LONGEST_GRADIENT)
        self.optimiser.step()
        self._follow(step)
        return parts

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        """Move the averaged weights towards the network's; from the first ones on, quickly."""
        keep = min(0.5 ** (1.0 / self.settings.average), (step + 1.0) / (step + 10.0))
        for ours, new in zip(
            self.average.state_dict().values(), self.network.state_dict().values(), strict=True
        ):
            if ours.is_floating_point():
                ours.lerp_(new, 1.0 - keep)
            else:
                ours.copy_(new)

    def _begin_from(self, path: Path) -> None:
        """The averaged weights of another run."""
        found = Checkpoint.load(path)
        if found.width != self.settings.width:
            raise InputError(f"{path}: width {found.width}, expected {self.settings.width} (occlusion.width)")
        self.network.load_state_dict(found.restored(path).state_dict())
        self.notify(f"beginning from {path}, {found.step} steps on {found.people}")

    def _save(self, step: int) -> None:
        Checkpoint(
            step, self._described, self.settings.width, self.network.state_dict(), self.average.state_dict(),
            self.optimiser.state_dict(), self._people, self._made_by,
        ).save(self.path)  # fmt: skip

    def _restored(self) -> int:
        found = Checkpoint.load(self.path)
        found.check_same_run(self._described, self.path)
        found.restore((self.network, self.average), self.optimiser, self.path)
        self.notify(f"going on after step {found.step}")
        return found.step


def varied(pixels: Tensor, held: Tensor, sure: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A batch with cheap changes, so that no picture is seen twice: mirrored, lit, appearance dropped."""
    count = len(pixels)
    flip = (torch.rand(count, 1, 1, 1, device=pixels.device) < 0.5).float()
    pixels, held, sure = (flip * one.flip(3) + (1.0 - flip) * one for one in (pixels, held, sure))
    gain = torch.exp(0.15 * torch.randn(count, 1, 1, 1, device=pixels.device))
    tint = torch.exp(0.05 * torch.randn(count, 3, 1, 1, device=pixels.device))
    colours = (pixels[:, :3] * gain * tint).clamp(0.0, 1.0)
    look = (pixels[:, 3:6] * gain * tint).clamp(0.0, 1.0)
    kept = (torch.rand(count, 1, 1, 1, device=pixels.device) > 0.1).float()
    return torch.cat([colours, look * kept, pixels[:, 6:] * kept], 1), held, sure
