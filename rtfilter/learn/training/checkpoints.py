"""What checkpoints of trainings share: written whole or not at all, read without running their code.

What is drawn depends on seed and step, so that nothing of it need be kept. Called by `editor.checkpoint` and
`texture.checkpoint`.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final
from zipfile import BadZipFile

import torch

from rtfilter.errors import InputError, UsageError
from rtfilter.learn.data.track import write_whole

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from typing_extensions import Self

_DAMAGED: Final = (
    pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, TypeError, BadZipFile,
)  # fmt: skip


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """What a checkpoint lacks, or has in another form, as one line."""
    try:
        yield
    except (KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        told = str(error).splitlines()[0].strip()
        raise InputError(f"{path}: damaged checkpoint ({told}): remove it and train again") from error


@dataclass(frozen=True)
class SavedRun:
    """A training run as far as it is. step: steps done. settings: those of the run, as text by name.

    FORMAT, VERSION: of the file. VERB: of `rtfilter learn`, which makes it. OF: whose it is, in words. FREE:
    settings that may differ between the parts of one run. KINDS: types of fields.
    """

    FORMAT: ClassVar[str]
    VERSION: ClassVar[int]
    VERB: ClassVar[str]
    OF: ClassVar[str]
    FREE: ClassVar[tuple[str, ...]]
    KINDS: ClassVar[dict[str, type]]

    step: int
    settings: dict[str, str]

    def save(self, path: Path) -> None:
        """Write it. Raises OutputError, for a full disk too; the one before is then kept."""
        file = io.BytesIO()
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        torch.save({"format": self.FORMAT, "version": self.VERSION, **values}, file)
        write_whole(path, file.getvalue())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it. Raises InputError for a missing, damaged or foreign file, or another version."""
        verb = f"`rtfilter learn {cls.VERB}"
        try:
            # weights_only: a file from a stranger runs no code.
            values = torch.load(path, map_location="cpu", weights_only=True)
        except OSError as error:
            why = error.strerror or str(error)
            raise InputError(f"{path}: cannot be read ({why}): {verb} CONFIG.toml` makes it") from error
        except _DAMAGED as error:
            raise InputError(f"{path}: no checkpoint, or a damaged one: remove it and train again") from error
        if not isinstance(values, dict) or values.pop("format", None) != cls.FORMAT:
            raise InputError(f"{path}: not a checkpoint of {cls.OF}: {verb}` makes one")
        if (version := values.pop("version", None)) != cls.VERSION:
            raise InputError(f"{path}: checkpoint version {version!r}, expected {cls.VERSION}: train again")
        with damaged(path):
            found = cls(**values)
            for one, kind in cls.KINDS.items():
                if not isinstance(getattr(found, one), kind):
                    raise TypeError(f"{one} is no {kind.__name__}")
            return found

    def other(self, settings: dict[str, str]) -> list[str]:
        """The names of settings that differ from those of the checkpoint, and may not."""
        return [
            key for key, value in settings.items() if key not in self.FREE and self.settings.get(key) != value
        ]

    def check_same_run(self, settings: dict[str, str], path: Path) -> None:
        """Raise UsageError, which names them, where settings differ from those of the checkpoint."""
        if other := self.other(settings):
            told = ", ".join(f"{key} = {settings[key]} (was {self.settings.get(key)})" for key in other[:4])
            raise UsageError(
                f"{path} is of a run with other settings: {told}; set them back, or train anew in another "
                "folder with --set run.output=FOLDER"
            )


def described(settings: DataclassInstance, seed: int, processes: int) -> dict[str, str]:
    """All that a run depends on, as text by name. settings: a dataclass."""
    values = {key: str(value) for key, value in asdict(settings).items()}
    return {**values, "seed": str(seed), "processes": str(processes)}
