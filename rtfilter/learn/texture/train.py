"""`rtfilter learn texture`: trains generator, encoder and expression directions on UV maps.

Generator and encoder learn together: maps go through both, maps of random latents face the discriminator, and
a map moved along the directions must be the person's map at that expression. One process, or several through
`torchrun --nproc-per-node N -m rtfilter learn texture ...`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from rtfilter.errors import InputError, Notify
from rtfilter.learn.config import read_document
from rtfilter.learn.parallel import Group, process_group
from rtfilter.learn.texture import losses
from rtfilter.learn.texture.batches import Batch, Batches
from rtfilter.learn.texture.checkpoint import FILE, Checkpoint
from rtfilter.learn.texture.maps import Maps, load_all
from rtfilter.learn.texture.models import Networks
from rtfilter.learn.texture.settings import PATHS, TextureSettings
from rtfilter.learn.training.checkpoints import described
from rtfilter.learn.training.commands import command_of
from rtfilter.learn.training.steps import Steps, share_of_rate

STEP: Final = "texture"
LONGEST_GRADIENT: Final = 10.0
_CRITIC_RATE: Final = 0.4  # of the rate; it has no momentum
_LEAST_RATE: Final = 0.05  # of the rate, at the end


def main(
    config_path: Path,
    resume: bool = False,
    overrides: Sequence[str] = (),
    notify: Notify = lambda line: None,
    quiet: bool = False,
) -> Path:
    """Train as a settings file says; the checkpoint, in `output/texture`. Raises RtfilterError.

    resume: go on from the checkpoint; what comes out is what one uninterrupted run gives. quiet: no line of
    how far it is.
    """
    document = read_document(config_path, overrides)
    run, settings = document.run, document.table(STEP, TextureSettings)
    made_by = command_of(STEP, config_path, overrides, PATHS)
    with process_group(run.device, run.threads) as group:
        told = notify if group.first else lambda line: None
        people = [one.split(settings.held_out)[0] for one in load_all(settings.maps, settings.people)]
        told(f"{sum(map(len, people))} maps of {len(people)} people, {people[0].size} px, on {group.device}")
        training = Training(run.folder(STEP), run.seed, settings, people, group, made_by, told, quiet)
        return training.run(resume)


class Training(Steps):
    """One run on the maps of `people`, into `folder`. made_by: the command."""

    STEP, SPARSE = STEP, True

    def __init__(
        self,
        folder: Path,
        seed: int,
        settings: TextureSettings,
        people: Sequence[Maps],
        group: Group,
        made_by: str,
        notify: Notify,
        quiet: bool = False,
    ) -> None:
        super().__init__(folder / FILE, settings, group, notify, quiet)
        self.settings, self._seed, self._made_by = settings, seed, made_by
        self._names = ", ".join(one.person for one in people)
        self._shape = settings.shape(people[0].size)
        torch.manual_seed(seed)
        self.networks = Networks(self._shape, people[0].mask > 0.0).to(group.device)
        if settings.start is not None:
            self._begin_from(settings.start)
        self.optimisers = [
            torch.optim.Adam(one.parameters(), lr=settings.rate * share, betas=(momentum, 0.99))
            for one, share, momentum in (
                (self.networks.texture, 1.0, 0.9),
                (self.networks.critic, _CRITIC_RATE, 0.0),
            )
        ]
        self._batches = Batches(people)
        self._described = described(settings, seed, group.size)

    def step(self, step: int) -> dict[str, Tensor]:
        """See `Steps.step`."""
        settings, texture = self.settings, self.networks.texture.train()
        for optimiser, share in zip(self.optimisers, (1.0, _CRITIC_RATE), strict=True):
            for one in optimiser.param_groups:
                one["lr"] = settings.rate * share * share_of_rate(step / max(settings.steps, 1), _LEAST_RATE)
        torch.manual_seed(hash((self._seed, self.group.rank, step)))
        batch = self._batches.batch(settings.batch, (self._seed, self.group.rank, step), self.group.device)
        turn, off = divmod(step, settings.adversarial_every)
        faced = settings.adversarial > 0.0 and off == 0
        z = torch.randn(2, settings.batch, settings.latent, device=self.group.device)
        parts = self._criticised(step, turn, batch, z) if faced else {}
        with self._half():
            own = texture.invert(batch.maps)
            both = torch.cat([own, texture.moved(own, batch.change)])
            shown = texture.generator(both, noisy=True).float()
            parts["reconstruct"] = losses.likeness(shown[: len(own)], batch.maps, batch.seen)
            parts["edit"] = losses.likeness(shown[len(own) :], batch.others, batch.others_seen)
            parts["near"] = (own - texture.generator.average).square().mean()
            if faced:
                self.networks.critic.requires_grad_(False)
                parts["adversarial"] = losses.believed(
                    self.networks.critic, texture.made(z[0], z[1], settings.mixing)
                )
                self.networks.critic.requires_grad_(True)
        if faced and settings.path_length and turn % settings.path_every == 0:
            some = z[0, : max(settings.batch // 2, 1)]
            parts["path"], mean = losses.path_length(texture.generator, some, self.networks.path_mean)
            self.networks.path_mean.copy_(mean)
        weights = {name: getattr(settings, name) for name in ("reconstruct", "edit", "near", "adversarial")}
        weights["path"] = settings.path_length * settings.path_every * settings.adversarial
        self._descend(step, 0, parts, weights)
        self.group.average([texture.generator.average, self.networks.path_mean])
        self.networks.follow(min(settings.average, 1.0 + step / 4.0))
        return parts

    def _criticised(self, step: int, turn: int, batch: Batch, z: Tensor) -> dict[str, Tensor]:
        """The discriminator's part of a step; its losses."""
        settings, critic = self.settings, self.networks.critic
        parts: dict[str, Tensor] = {}
        with self._half():
            with torch.no_grad():
                made = self.networks.texture.made(z[0], z[1], settings.mixing)
            parts["critic"] = losses.told_apart(critic, made.float(), batch.maps)
        if settings.r1 and turn % settings.r1_every == 0:
            parts["r1"] = losses.r1(critic, batch.maps)
        self._descend(step, 1, parts, {"critic": 1.0, "r1": 0.5 * settings.r1 * settings.r1_every})
        return parts

    def _half(self) -> torch.autocast:
        """bfloat16 where the settings and a GPU allow it."""
        kind = self.group.device.type
        return torch.autocast(kind, torch.bfloat16, enabled=self.settings.half and kind == "cuda")

    def _descend(self, step: int, which: int, parts: dict[str, Tensor], weights: dict[str, float]) -> None:
        """Move the texture (0) or the critic (1) against its losses."""
        counted = [weights[name] * value for name, value in parts.items() if weights.get(name)]
        if not counted:
            return
        total = torch.stack(counted).sum()
        self.require_finite(step, total, parts)
        network = (self.networks.texture, self.networks.critic)[which]
        self.optimisers[which].zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        self.group.average_gradients(network)
        torch.nn.utils.clip_grad_norm_(network.parameters(), LONGEST_GRADIENT)
        self.optimisers[which].step()

    def _begin_from(self, path: Path) -> None:
        """The weights of another run; its average becomes the weights, as it is the better of the two."""
        found = Checkpoint.load(path)
        if found.shape != asdict(self._shape):
            other = [f"{key} = {value}" for key, value in found.shape.items()]
            raise InputError(f"{path}: begins with another network, expected one of: {', '.join(other)}")
        networks = found.restored(path)
        self.networks.load_state_dict(networks.state_dict())
        self.networks.texture.load_state_dict(networks.average.state_dict())
        self.notify(f"beginning from {path}, {found.step} steps on {found.people}")

    def _save(self, step: int) -> None:
        if self.group.first:
            states = [one.state_dict() for one in self.optimisers]
            shape: dict[str, int] = asdict(self._shape)
            networks = self.networks.state_dict()
            settings, names = self._described, self._names
            Checkpoint(step, settings, shape, networks, states, names, self._made_by).save(self.path)

    def _restored(self) -> int:
        found = Checkpoint.load(self.path)
        found.check_same_run(self._described, self.path)
        found.restore(self.networks, self.optimisers, self.path)
        self.notify(f"going on after step {found.step}")
        return found.step
