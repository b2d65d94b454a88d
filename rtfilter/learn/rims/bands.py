"""Bands over the eyes from footage: read once, kept in one file. Called by `rims.train`."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError, Notify, UsageError
from rtfilter.face.model import MorphableModel
from rtfilter.learn.data.track import write_whole
from rtfilter.learn.occlusion.squares import faces_of, files_of
from rtfilter.learn.texture.settings import parse_person
from rtfilter.occlusion.band import COLUMNS, ROWS, Band
from rtfilter.tracking.engine import EngineTracker

U8 = npt.NDArray[np.uint8]

FILE: Final = "bands.npz"


@dataclass(frozen=True, slots=True)
class RimsSettings:
    """`[rims]`.

    people: as of `[squares]`. held_out: people who are measured on, not trained on. spectacled: people who
    wear glasses of their own: measured on only. every: of the frames, how many from one band to the next.
    most: bands of a person; more are thinned out evenly.
    """

    people: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    spectacled: tuple[str, ...] = ()
    every: int = 10
    most: int = 60
    steps: int = 1000
    batch: int = 16
    rate: float = 3e-3

    def __post_init__(self) -> None:
        if not self.people:
            raise UsageError('people: expected some, such as people = ["anna:/data/anna.mp4"]')
        for name in ("every", "most", "steps", "batch"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected 1 or more, got {getattr(self, name)}")
        if not 0.0 < self.rate <= 1.0:
            raise UsageError(f"rate: expected more than 0 and at most 1, got {self.rate}")
        names = {parse_person(text)[0] for text in self.people}
        for name in (*self.held_out, *self.spectacled):
            if name not in names:
                raise UsageError(f"held_out, spectacled: {name!r} is not one of people")


@dataclass(frozen=True)
class Bands:
    """rgb: uint8 [N, ROWS, COLUMNS, 3]. names: [N], whose each is."""

    rgb: U8
    names: npt.NDArray[np.str_]

    def of(self, names: Sequence[str]) -> U8:
        """Those of some people."""
        return self.rgb[np.isin(self.names, list(names))]

    @classmethod
    def read(cls, path: Path, settings: RimsSettings, notify: Notify) -> Bands:
        """From the file, which is made if it is not there. Raises InputError."""
        if not path.exists():
            write_whole(path, _collected(settings, notify))
        try:
            with np.load(path, allow_pickle=False) as archive:
                found = cls(archive["rgb"], archive["names"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise InputError(f"{path}: damaged ({error}): remove it, it is made again") from error
        wanted = {parse_person(text)[0] for text in settings.people}
        if set(found.names.tolist()) != wanted or found.rgb.shape[1:] != (ROWS, COLUMNS, 3):
            raise InputError(f"{path}: of other people: remove it, it is made again")
        return found


def _collected(settings: RimsSettings, notify: Notify) -> bytes:
    band, tracker = Band(MorphableModel.builtin()), EngineTracker()
    rgb: list[U8] = []
    names: list[str] = []
    try:
        for text in settings.people:
            name, place = parse_person(text)
            mine: list[U8] = []
            for file in files_of(place):
                for number, (frame, found) in enumerate(faces_of(file, tracker)):
                    if number % settings.every == 0:
                        seen = band.see(frame.pixels, band.pose(found.points_px))
                        mine.append(np.rint(255.0 * seen.transpose(1, 2, 0)).clip(0, 255).astype(np.uint8))
            if not mine:
                raise InputError(f"{name}: no face in {place}: expected footage of one face")
            step = max(len(mine) / settings.most, 1.0)
            kept = [mine[int(k * step)] for k in range(int(len(mine) / step))]
            rgb += kept
            names += [name] * len(kept)
            notify(f"{name}: {len(kept)} bands")
    finally:
        tracker.close()
    file_ = io.BytesIO()
    np.savez_compressed(file_, rgb=np.stack(rgb), names=np.array(names))
    return file_.getvalue()
