"""Composed pictures on disk, made once: a training looks at each several times.

Called by `occlusion.train` and `occlusion.measures`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rtfilter.errors import InputError, Notify, OutputError, UsageError, nearest
from rtfilter.learn.occlusion.compose import KINDS, NAMES, NOTHING, PIECE, SUNGLASSES, Composer
from rtfilter.learn.occlusion.footage import Footage
from rtfilter.learn.occlusion.settings import OcclusionSettings
from rtfilter.occlusion.square import SIDE_PX

U8 = npt.NDArray[np.uint8]

PLANES: Final = 7 + 3 + 3
BYTES: Final = PLANES * SIDE_PX * SIDE_PX + 1
VERSION: Final = 1
_TOLD_EVERY: Final = 500


class Pool:
    """Pictures of a seed in one file, in the order of their numbers. measured: those of held-out people."""

    def __init__(
        self, folder: Path, seed: int, settings: OcclusionSettings, measured: bool, notify: Notify
    ) -> None:
        for name in settings.unseen:
            if name not in (*KINDS, PIECE):
                raise UsageError(f"unseen: unknown {name!r}:{nearest(name, [*KINDS, PIECE])}")
        self._count = settings.measured if measured else settings.pool
        self._seed, self._measured, self._settings, self._notify = seed, measured, settings, notify
        told = (
            VERSION,
            seed,
            settings.held_out,
            settings.spectacled,
            settings.unseen,
            settings.unknown,
            settings.bare,
            measured,
        )
        digest = hashlib.sha256(repr(told).encode()).hexdigest()[:8]
        self.path = folder / f"{'measured' if measured else 'pool'}-{digest}.bin"
        self._made()
        self._bytes = np.memmap(self.path, np.uint8, "r", shape=(self._count, BYTES))

    def __len__(self) -> int:
        return self._count

    @property
    def kinds(self) -> npt.NDArray[np.int64]:
        """What was drawn in each, as indices into `compose.NAMES`."""
        return self._bytes[:, -1].astype(np.int64)

    def planes(self, numbers: npt.NDArray[np.int64]) -> U8:
        """[B, 13, 96, 96]: the network's input, the truth, and how far it is known."""
        found = self._bytes[numbers, :-1]
        return np.asarray(found.reshape(len(numbers), PLANES, SIDE_PX, SIDE_PX))

    def batch(self, size: int, seed: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Input [B, 7, 96, 96], truth and its weight [B, 3, 96, 96], of the seed alone."""
        numbers = np.random.default_rng(seed).integers(len(self), size=size)
        planes = torch.from_numpy(self.planes(numbers)).to(device).float() / 255.0
        return planes[:, :7], planes[:, 7:10], planes[:, 10:]

    def batches(self, size: int) -> Iterator[tuple[npt.NDArray[np.int64], U8]]:
        """Numbers and planes of all, in order."""
        for first in range(0, len(self), size):
            numbers = np.arange(first, min(first + size, len(self)))
            yield numbers, self.planes(numbers)

    def _made(self) -> None:
        """Compose what is missing; what is there is kept."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        there = self.path.stat().st_size // BYTES if self.path.exists() else 0
        if there >= self._count:
            return
        settings = self._settings
        footage = Footage(settings.squares, settings.held_out, settings.spectacled, self._measured)
        kinds = [one for one in (*KINDS, PIECE) if self._measured or one not in settings.unseen]
        composer = Composer(footage, kinds, settings.unknown, settings.bare)
        try:
            with self.path.open("r+b" if there else "wb") as file:
                file.truncate(there * BYTES)
                file.seek(there * BYTES)
                for number in range(there, self._count):
                    one = composer.sample((self._seed, int(self._measured), number))
                    planes = np.concatenate([one.pixels, one.held, one.sure])
                    file.write(planes.tobytes() + bytes([one.kind]))
                    if (number + 1) % _TOLD_EVERY == 0:
                        self._notify(f"{number + 1} of {self._count} pictures composed")
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror or error})") from error


def name_of(kind: int) -> str:
    """See `compose.NAMES`. Raises InputError for a number that it has not."""
    if not 0 <= kind < len(NAMES):
        raise InputError(f"kind {kind}: expected one of {', '.join((NOTHING, *KINDS, PIECE, SUNGLASSES))}")
    return NAMES[kind]
