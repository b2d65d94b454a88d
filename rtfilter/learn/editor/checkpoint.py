"""A checkpoint of the editor's training: network, optimiser and step; written whole or not at all.

What is drawn depends on seed and step (`windows`), so that nothing of it need be kept. Called by
`editor.train`, `export` and `ablation`.
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

import numpy as np
import torch

from rtfilter.controls import BLENDSHAPE_COUNT, EMOTIONS
from rtfilter.errors import InputError, UsageError
from rtfilter.learn.data.track import write_whole
from rtfilter.learn.editor.network import EditorNetwork, Sizes
from rtfilter.learn.editor.settings import EditorSettings

FORMAT: Final = "rtfilter-editor"
VERSION: Final = 1
FILE: Final = "editor.pt"
SUFFIX: Final = ".pt"
# What may differ between the parts of one run.
_FREE: Final = ("log_every", "save_every", "others")
_KINDS: Final = {"step": int, "settings": dict, "network": dict, "optimiser": dict, "face_model": str}
_DAMAGED: Final = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    BadZipFile,
)


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
    """step: steps done. settings: those of the run, as text by name. network, optimiser: state dicts.
    face_model: `face_model_key`. made_by: the command."""

    step: int
    settings: dict[str, str]
    network: dict[str, Any]
    optimiser: dict[str, Any]
    face_model: str
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
                f"{path}: cannot be read ({why}): `rtfilter learn editor CONFIG.toml` makes it"
            ) from error
        except _DAMAGED as error:
            raise InputError(f"{path}: no checkpoint, or a damaged one: remove it and train again") from error
        if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
            raise InputError(f"{path}: not a checkpoint of the editor: `rtfilter learn editor` makes one")
        if (version := values.pop("version", None)) != VERSION:
            raise InputError(f"{path}: checkpoint version {version!r}, expected {VERSION}: train again")
        with _damaged(path):
            found = cls(**values)
            for one, kind in _KINDS.items():
                if not isinstance(getattr(found, one), kind):
                    raise TypeError(f"{one} is no {kind.__name__}")
            return found

    def restored(self, path: Path) -> EditorNetwork:
        """The network. Raises InputError, which names `path`, for a damaged one."""
        with _damaged(path):
            sizes = Sizes(int(self.settings["memory"]), int(self.settings["hidden"]))
            network = EditorNetwork(sizes, np.zeros((len(EMOTIONS), BLENDSHAPE_COUNT)))
            network.load_state_dict(self.network)
            return network

    def restore(self, network: EditorNetwork, optimiser: torch.optim.Optimizer, path: Path) -> None:
        """Bring both to where the run was. Raises InputError, which names `path`, for a damaged one."""
        with _damaged(path):
            network.load_state_dict(self.network)
            optimiser.load_state_dict(self.optimiser)

    def differs(self, settings: dict[str, str], face_model: str) -> bool:
        """Whether it is of a run with other settings, or on another face model."""
        return bool(self._other(settings)) or self.face_model != face_model

    def _other(self, settings: dict[str, str]) -> list[str]:
        return [
            key for key, value in settings.items() if key not in _FREE and self.settings.get(key) != value
        ]

    def check_same_run(self, settings: dict[str, str], path: Path) -> None:
        """Raise UsageError, which names them, where settings differ from those of the checkpoint."""
        if other := self._other(settings):
            told = ", ".join(f"{key} = {settings[key]} (was {self.settings.get(key)})" for key in other[:4])
            raise UsageError(
                f"{path} is of a run with other settings: {told}; set them back, or train anew in another "
                "folder with --set run.output=FOLDER"
            )


def described(settings: EditorSettings, seed: int, processes: int) -> dict[str, str]:
    """All that a run depends on, as text by name."""
    values = {key: str(value) for key, value in asdict(settings).items()}
    return {**values, "seed": str(seed), "processes": str(processes)}
