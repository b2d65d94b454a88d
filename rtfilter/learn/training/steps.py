"""The steps of a training: logged, saved, interrupted between two of them, and gone on with.

Called by `editor.train` and `texture.train`. It imports TensorBoard: MissingExtraError without it.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Protocol

from torch import Tensor

from rtfilter.errors import MissingExtraError, Notify, OutputError, RtfilterError
from rtfilter.learn.interruption import between_steps
from rtfilter.learn.parallel import Group
from rtfilter.system.installation import install_extra

try:
    from torch.utils.tensorboard import SummaryWriter
except ImportError as error:
    raise MissingExtraError(
        f"training writes TensorBoard logs ({error}): {install_extra('learn')}"
    ) from error


class TrainingError(RtfilterError):
    """Training that cannot go on."""


class StepSettings(Protocol):
    """What the steps need of settings."""

    @property
    def steps(self) -> int: ...
    @property
    def rate(self) -> float: ...
    @property
    def log_every(self) -> int: ...
    @property
    def save_every(self) -> int: ...


class Steps(ABC):
    """One run of `STEP` of `rtfilter learn`. path: the checkpoint. quiet: no line of how far it is.

    SPARSE: some losses are not of every step, and are logged as they were last.
    """

    STEP: ClassVar[str]
    SPARSE: ClassVar[bool] = False

    def __init__(self, path: Path, settings: StepSettings, group: Group, notify: Notify, quiet: bool) -> None:
        self.path, self.group, self.notify = path, group, notify
        self._steps, self._quiet = settings, quiet

    @abstractmethod
    def step(self, step: int) -> dict[str, Tensor]:
        """One step; its losses by name. Raises TrainingError where a loss is not finite."""

    @abstractmethod
    def _save(self, step: int) -> None:
        """Write the checkpoint after so many steps, in the first process."""

    @abstractmethod
    def _restored(self) -> int:
        """Bring all to where the checkpoint is; its steps."""

    def run(self, resume: bool, replace: bool = False) -> Path:
        """All steps, from the first or from the checkpoint. Raises OutputError, TrainingError, UsageError.

        replace: whether a checkpoint that is not gone on from may be overwritten.
        """
        start = self._restored() if resume else 0
        if not (resume or replace) and self.path.exists() and self.group.first:
            raise OutputError(
                f"{self.path} exists: go on with --resume, or train anew in another folder with "
                "--set run.output=FOLDER"
            )
        writer = SummaryWriter(str(self.path.parent)) if self.group.first else None
        done, began, settings = start, time.monotonic(), self._steps
        parts: dict[str, Tensor] = {}
        try:
            with between_steps() as interruption:
                for step in range(start, settings.steps):
                    found = self.step(step)
                    parts = parts | found if self.SPARSE else found
                    done = step + 1
                    if done % settings.log_every == 0 or done == settings.steps:
                        self._log(writer, done, parts, (time.monotonic() - began) / (done - start))
                    if done % settings.save_every == 0:
                        self._save(done)
                    if self.group.any_of(interruption.asked):
                        self._save(done)
                        self.notify(f"interrupted after step {done}: go on with --resume")
                        raise interruption.error()
        finally:
            if writer is not None:
                writer.close()
        self._save(done)
        return self.path

    def require_finite(self, step: int, total: Tensor, parts: dict[str, Tensor]) -> None:
        """Raise TrainingError, which names the losses, where their total is not finite in some process."""
        if self.group.all_finite(total):
            return
        told = ", ".join(f"{name} {float(value.detach()):.3g}" for name, value in parts.items())
        raise TrainingError(
            f"step {step}: a loss is not finite ({told}): lower {self.STEP}.rate ({self._steps.rate:g}) and "
            "train anew in another folder"
        )

    def _log(self, writer: SummaryWriter | None, step: int, parts: dict[str, Tensor], took_s: float) -> None:
        told = {name: float(value.detach()) for name, value in parts.items()}
        if writer is not None:
            for name, value in told.items():
                writer.add_scalar(f"loss/{name}", value, step)
        if not self._quiet:
            line = ", ".join(f"{name} {value:.3f}" for name, value in told.items())
            self.notify(f"step {step} of {self._steps.steps}: {line}; {1000 * took_s:.0f} ms a step")


def share_of_rate(progress: float, least: float) -> float:
    """Cosine from 1 down to a small rest, `least`."""
    return least + (1.0 - least) * 0.5 * (1.0 + math.cos(math.pi * progress))
