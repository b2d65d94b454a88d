"""A checkpoint of the texture's training; written whole or not at all, read without running its code.

What is drawn depends on seed and step, so that nothing of it need be kept.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import torch

from rtfilter.errors import InputError, UsageError
from rtfilter.learn.data.track import write_whole
from rtfilter.learn.texture.models import Networks
from rtfilter.learn.texture.network import Shape
from rtfilter.learn.texture.settings import TextureSettings

FORMAT: Final = "rtfilter-texture"
VERSION: Final = 1
FILE: Final = "texture.pt"
# What may differ between the parts of one run.
_FREE: Final = ("log_every", "save_every", "ridge", "regress", "profile")
_KINDS: Final = {"step": int, "settings": dict, "shape": dict, "networks": dict, "optimisers": list}
_DAMAGED: Final = (
    pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, TypeError, BadZipFile,
)  # fmt: skip


@contextmanager
def _damaged(path: Path) -> Iterator[None]:
    """What a checkpoint lacks, or has in another form, as one line."""
    try:
        yield
    except (KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        told = str(error).splitlines()[0].strip()
        raise InputError(f"{path}: damaged checkpoint ({told}): remove it and train again") from error


@dataclass(frozen=True)
class Checkpoint:
    """step: steps done. settings: those of the run, as text by name. shape: of the network. networks: state
    of `Networks`. optimisers: states of the texture's and the critic's. people: learned from. made_by: the
    command."""

    step: int
    settings: dict[str, str]
    shape: dict[str, int]
    networks: dict[str, Any]
    optimisers: list[Any]
    people: str
    made_by: str

    def save(self, path: Path) -> None:
        """Write it. Raises OutputError, for a full disk too; the one before is then kept."""
        file = io.BytesIO()
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        torch.save({"format": FORMAT, "version": VERSION, **values}, file)
        write_whole(path, file.getvalue())

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read it. Raises InputError for a missing, damaged or foreign file, or another version."""
        try:
            # weights_only: a file from a stranger runs no code.
            values = torch.load(path, map_location="cpu", weights_only=True)
        except OSError as error:
            why = error.strerror or str(error)
            raise InputError(
                f"{path}: cannot be read ({why}): `rtfilter learn texture CONFIG.toml` makes it"
            ) from error
        except _DAMAGED as error:
            raise InputError(f"{path}: no checkpoint, or a damaged one: remove it and train again") from error
        if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
            raise InputError(f"{path}: not a checkpoint of a texture: `rtfilter learn texture` makes one")
        if (version := values.pop("version", None)) != VERSION:
            raise InputError(f"{path}: checkpoint version {version!r}, expected {VERSION}: train again")
        with _damaged(path):
            found = cls(**values)
            for one, kind in _KINDS.items():
                if not isinstance(getattr(found, one), kind):
                    raise TypeError(f"{one} is no {kind.__name__}")
            return found

    def restored(self, path: Path) -> Networks:
        """The networks. Raises InputError, which names `path`, for damaged ones."""
        with _damaged(path):
            networks = Networks(Shape(**self.shape))
            networks.load_state_dict(self.networks)
            return networks

    def restore(self, networks: Networks, optimisers: list[torch.optim.Adam], path: Path) -> None:
        """Bring all to where the run was. Raises InputError, which names `path`, for a damaged one."""
        with _damaged(path):
            networks.load_state_dict(self.networks)
            for one, state in zip(optimisers, self.optimisers, strict=True):
                one.load_state_dict(state)

    def check_same_run(self, settings: dict[str, str], path: Path) -> None:
        """Raise UsageError, which names them, where settings differ from those of the checkpoint."""
        other = [
            key for key, value in settings.items() if key not in _FREE and self.settings.get(key) != value
        ]
        if other:
            told = ", ".join(f"{key} = {settings[key]} (was {self.settings.get(key)})" for key in other[:4])
            raise UsageError(
                f"{path} is of a run with other settings: {told}; set them back, or train anew in another "
                "folder with --set run.output=FOLDER"
            )


def described(settings: TextureSettings, seed: int, processes: int) -> dict[str, str]:
    """All that a run depends on, as text by name."""
    values = {key: str(value) for key, value in asdict(settings).items()}
    return {**values, "seed": str(seed), "processes": str(processes)}
