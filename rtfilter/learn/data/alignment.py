"""`Alignment`: when one clip says what another one says; and `matched_times`, which finds it for two tracks.

Written by `data.align`; read by `stccl.pairs` and `editor.pairs`.
"""

from __future__ import annotations

import io
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError, UsageError
from rtfilter.learn.data.track import Track, write_whole

F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]

VERSION: Final = 2
SUFFIX: Final = ".path.npz"
MEANS: Final = ("sound", "lips")


@dataclass(frozen=True, eq=False)
class Alignment:
    """The path of dynamic time warping between a clip and its neutral twin.

    name, twin: of the tracks. by: sound or lips, what was compared. step_s: seconds of one step. path: int32
    [P, 2], steps of the clip and of the twin; each grows by 0 or 1, at least one of them by 1, from (0, 0) to
    the last of both. cost: mean distance along the path, in the features' own unit.
    tracks: `digest_of` both. asked: the settings that it was made with, as `data.dtw.asked` words them.

    Raises UsageError for a path that is none.
    """

    name: str
    twin: str
    by: str
    step_s: float
    path: I32
    cost: float
    tracks: str = ""
    asked: str = ""

    def __post_init__(self) -> None:
        path = self.path
        if self.by not in MEANS or not self.step_s > 0.0:
            raise UsageError(f"{self.name}: expected {' or '.join(MEANS)}, and a step above 0 s")
        if path.ndim != 2 or path.shape[1] != 2 or path.dtype != np.int32 or len(path) == 0:
            raise UsageError(f"{self.name}: path: expected int32 [P, 2], got {path.dtype} {list(path.shape)}")
        steps = np.diff(path, axis=0)
        if path[0].any() or not np.isin(steps, (0, 1)).all() or not steps.any(axis=1).all():
            raise UsageError(f"{self.name}: path: expected steps of 0 or 1 from (0, 0)")

    def twin_times(self, time_s: F64) -> F64:
        """When the twin says what the clip says at `time_s` [T]: float64 [T], seconds, never falling.

        Where the twin takes several steps for one of the clip, their middle.
        """
        own = np.arange(self.path[-1, 0] + 1)
        first = np.searchsorted(self.path[:, 0], own, side="left")
        last = np.searchsorted(self.path[:, 0], own, side="right") - 1
        middle = (self.path[first, 1] + self.path[last, 1]) / 2.0
        return np.asarray(np.interp(time_s / self.step_s, own, middle) * self.step_s)

    def save(self, path: Path) -> None:
        """Write, whole or not at all. Raises OutputError."""
        head = {"version": VERSION, "name": self.name, "twin": self.twin, "by": self.by}
        head |= {"step_s": self.step_s, "cost": self.cost, "tracks": self.tracks, "asked": self.asked}
        file = io.BytesIO()
        np.savez_compressed(file, head=np.array(json.dumps(head)), path=self.path)
        write_whole(path, file.getvalue())

    @classmethod
    def load(cls, path: Path) -> Alignment:
        """Read a saved alignment. Raises InputError for a missing, damaged or foreign file."""
        try:
            with np.load(path, allow_pickle=False) as archive:
                head: dict[str, Any] = json.loads(str(archive["head"]))
                steps = archive["path"]
            if head.pop("version") != VERSION:
                raise ValueError(f"another version than {VERSION}")
            return cls(path=steps, **head)
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
        except (ValueError, EOFError, KeyError, TypeError, AttributeError, BadZipFile, zlib.error) as error:
            raise InputError(
                f"{path}: no alignment, or a damaged one ({error}): remove it and run `rtfilter learn align`"
            ) from error


def file_name(name: str, twin: str) -> str:
    """The file of an alignment in its folder."""
    return f"{name}--{twin}{SUFFIX}"


def digest_of(track: Track, twin: Track) -> str:
    """Of both tracks' arrays: a path holds for these alone."""
    return f"{track.digest}-{twin.digest}"


def matched_times(track: Track, twin: Track, alignments: Path | None = None) -> F64:
    """When `twin`, neutral, says what `track` says: float64 [T], seconds, never falling.

    Exact where the track's truth tells, as in the synthetic corpus; else from the folder `alignments`. Raises
    InputError where neither does, and for the path of other tracks of these names.
    """
    if str(track.truth.get("twin", "")) == twin.name:
        return np.asarray(track.truth["twin_time_s"], np.float64)
    path = None if alignments is None else alignments / file_name(track.name, twin.name)
    if path is None or not path.is_file():
        where = "no folder of alignments was named" if path is None else f"{path} is missing"
        raise InputError(
            f"{track.name}: not aligned with {twin.name} ({where}): run `rtfilter learn align` first"
        )
    found = Alignment.load(path)
    if found.tracks != digest_of(track, twin):
        raise InputError(
            f"{path}: made from other tracks than these of {track.name} and {twin.name}: "
            "run `rtfilter learn align` again"
        )
    return found.twin_times(track.time_s)
