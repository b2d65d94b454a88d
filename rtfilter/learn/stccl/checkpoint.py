"""Checkpoints of a training run: all that it takes to go on as if it had not been interrupted.

Called by `stccl.train`.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import torch

from rtfilter.errors import InputError, UsageError
from rtfilter.learn.data.track import write_whole
from rtfilter.learn.stccl.settings import StcclSettings

_DAMAGED: Final = (
    RuntimeError, ValueError, KeyError, TypeError, EOFError, BadZipFile, pickle.UnpicklingError,
)  # fmt: skip
VERSION: Final = 1
_FORMAT: Final = "rtfilter-stccl-checkpoint"
# What may differ when a run goes on: where things lie, and how often it reports.
_FREE: Final = ("tracks", "alignments", "sets", "pictures", "log_every", "save_every")


def identity_of(settings: StcclSettings, seed: int, world: int) -> dict[str, Any]:
    """What a run is: it can go on only with the same."""
    fixed = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(settings).items()
        if name not in _FREE
    }
    return {**fixed, "seed": seed, "processes": world}


def save(
    path: Path, step: int, network: torch.nn.Module, optimiser: torch.optim.Optimizer, run: dict[str, Any]
) -> None:
    """Write a checkpoint, whole or not at all. Raises OutputError."""
    file = io.BytesIO()
    torch.save(
        {
            "format": _FORMAT,
            "version": VERSION,
            "step": step,
            "run": run,
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
        },
        file,
    )
    write_whole(path, file.getvalue())


def load(path: Path, network: torch.nn.Module, optimiser: torch.optim.Optimizer, run: dict[str, Any]) -> int:
    """Restore network and optimiser, and return the step to go on with.

    Raises InputError for a missing or damaged checkpoint or one of another version, UsageError for one of a
    run with other settings.
    """
    again = "remove the folder and start again without --resume"
    try:
        found = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
        kind, version = found["format"], found["version"]
    except OSError as error:
        raise InputError(
            f"{path}: no checkpoint to resume from ({error.strerror}): start without --resume"
        ) from error
    except (
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        BadZipFile,
        pickle.UnpicklingError,
    ) as error:
        raise InputError(f"{path}: damaged, or no checkpoint ({type(error).__name__}): {again}") from error
    if (kind, version) != (_FORMAT, VERSION):
        raise InputError(f"{path}: {kind} {version}, expected {_FORMAT} {VERSION}: {again}")
    try:
        other = [f"{key} = {found['run'].get(key)!r}" for key in run if found["run"].get(key) != run[key]]
        step = int(found["step"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: damaged ({error}): {again}") from error
    if other:
        raise UsageError(
            f"{path}: is of a run with {', '.join(other)}: give the same settings, or another run.output"
        )
    try:
        network.load_state_dict(found["network"])
        optimiser.load_state_dict(found["optimiser"])
        return step
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: damaged ({str(error).splitlines()[0]}): {again}") from error
