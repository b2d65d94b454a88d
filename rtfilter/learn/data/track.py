"""`Track`: one clip of one face as arrays, with its labels, sound and phones; saved as .npz.

Made by `data.corpus` (exact) and `data.cache` (fitted from video); read by `stccl` and `editor`.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, EMOTIONS, INTENSITY_MAX
from rtfilter.errors import InputError, OutputError, UsageError
from rtfilter.face.landmarks import LANDMARK_COUNT
from rtfilter.system.files import write_atomically

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Array = npt.NDArray[Any]
Phone = tuple[float, float, str]

VERSION: Final = 1
SOUND_HZ: Final = 16_000
SUFFIX: Final = ".track.npz"
# Shape of each array after its first axis, and type; the first axis is time but for `neutral_iod`.
_ARRAYS: Final[Mapping[str, tuple[tuple[int, ...], type]]] = {
    "time_s": ((), np.float64),
    "expression": ((BLENDSHAPE_COUNT,), np.float32),
    "shape_iod": ((LANDMARK_COUNT, 3), np.float32),
    "neutral_iod": ((3,), np.float32),
    "rotation": ((3, 3), np.float32),
    "scale_px": ((), np.float32),
}
FULL_DISK: Final = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_TEXTS: Final = ("name", "person", "sentence", "emotion")


@dataclass(frozen=True, eq=False)
class Track:
    """One clip of one face. T frames, at least one; S samples of sound.

    name: unique within its folder. person, sentence: labels. emotion: one of EMOTIONS. level: 0..1.5, as
    `Controls.intensity`; 0 for neutral. fps: frames a second. time_s: float64 [T], rising, from the clip's
    start. expression: float32 [T, 52], coefficients, fitted or true. shape_iod: float32 [T, 478, 3],
    landmarks in the head frame. neutral_iod: float32 [478, 3], the person's face at rest. rotation: float32
    [T, 3, 3], image_from_head. scale_px: float32 [T], pixels an IOD. sound: float32 [S], -1..1, at 16 kHz,
    from time 0; None without any. phones: (start_s, end_s, phone), in time; () where unknown. truth: what
    only the synthetic corpus knows (see docs/learn.md), by name.

    Raises UsageError for arrays that do not fit together.
    """

    name: str
    person: str
    sentence: str
    emotion: str
    level: float
    fps: float
    time_s: F64
    expression: F32
    shape_iod: F32
    neutral_iod: F32
    rotation: F32
    scale_px: F32
    sound: F32 | None = None
    phones: tuple[Phone, ...] = ()
    truth: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.emotion not in EMOTIONS:
            raise UsageError(f"{self.name}: emotion {self.emotion!r}: expected one of {', '.join(EMOTIONS)}")
        if not 0.0 <= self.level <= INTENSITY_MAX:
            raise UsageError(f"{self.name}: level {self.level!r}: expected 0..{INTENSITY_MAX}")
        if not (np.isfinite(self.fps) and self.fps > 0.0):
            raise UsageError(f"{self.name}: fps {self.fps!r}: expected a number above 0")
        frames = len(self.time_s)
        if frames == 0:
            raise UsageError(f"{self.name}: no frames; a track has at least one")
        for key, (shape, kind) in _ARRAYS.items():
            got: Array = getattr(self, key)
            wanted = (LANDMARK_COUNT if key == "neutral_iod" else frames, *shape)
            if got.shape != wanted or got.dtype != kind or not np.isfinite(got).all():
                raise UsageError(
                    f"{self.name}: {key}: expected finite {np.dtype(kind)} {list(wanted)}, "
                    f"got {got.dtype} {list(got.shape)}"
                )
        if (np.diff(self.time_s) <= 0.0).any():
            raise UsageError(f"{self.name}: time_s: expected rising times")
        if self.sound is not None and (self.sound.ndim != 1 or self.sound.dtype != np.float32):
            raise UsageError(
                f"{self.name}: sound: expected float32 [S], got {self.sound.dtype} {list(self.sound.shape)}"
            )

    @property
    def frames(self) -> int:
        """T."""
        return len(self.time_s)

    @property
    def seconds(self) -> float:
        """The clip's length: the last frame counts in full."""
        return float(self.time_s[-1] - self.time_s[0]) + 1.0 / self.fps

    @property
    def digest(self) -> str:
        """12 hex digits of what an alignment goes by: times, landmarks and sound of a loaded track."""
        found = hashlib.sha256()
        for array in (self.time_s, self.shape_iod, self.sound):
            found.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
        return found.hexdigest()[:12]

    def save(self, path: Path) -> None:
        """Write the track, whole or not at all. Raises OutputError, for a full disk too."""
        texts = {key: getattr(self, key) for key in _TEXTS}
        head = {"version": VERSION, **texts, "level": self.level, "fps": self.fps, "phones": self.phones}
        arrays: dict[str, Array] = {key: getattr(self, key) for key in _ARRAYS}
        if self.sound is not None:
            # 16 bits hold what recordings and synthesisers give.
            arrays["sound"] = np.rint(np.clip(self.sound, -1.0, 1.0) * 32767.0).astype(np.int16)
        arrays |= _packed(arrays.pop("shape_iod"), self.neutral_iod)
        arrays |= {f"truth.{key}": np.asarray(value) for key, value in self.truth.items()}
        file = io.BytesIO()
        np.savez_compressed(file, head=np.array(json.dumps(head)), **arrays)
        write_whole(path, file.getvalue())

    @classmethod
    def load(cls, path: Path) -> Track:
        """Read a saved track. Raises InputError for a missing, damaged or foreign file."""
        head, arrays = _read(path, whole=True)
        try:
            sound = arrays.pop("sound", None)
            arrays["shape_iod"] = _unpacked(arrays)
            fields: dict[str, Any] = {key: head[key] for key in (*_TEXTS, "level", "fps")}
            fields |= {key: arrays[key] for key in _ARRAYS}
            return cls(
                **fields,
                phones=tuple((float(start), float(end), str(phone)) for start, end, phone in head["phones"]),
                sound=None if sound is None else (sound.astype(np.float32) / 32767.0),
                truth={
                    key.removeprefix("truth."): value
                    for key, value in arrays.items()
                    if key.startswith("truth.")
                },
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: damaged track ({error}): remove it and make it again") from error


@dataclass(frozen=True, slots=True)
class Labels:
    """What a track is of, read without its arrays; fields as in `Track`."""

    name: str
    person: str
    sentence: str
    emotion: str
    level: float

    @classmethod
    def read(cls, path: Path) -> Labels:
        """Of a saved track. Raises InputError as `Track.load` does."""
        head, _ = _read(path, whole=False)
        try:
            name, person, sentence, emotion = (str(head[key]) for key in _TEXTS)
            return cls(name, person, sentence, emotion, float(head["level"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: damaged track ({error}): remove it and make it again") from error


def _read(path: Path, whole: bool) -> tuple[dict[str, Any], dict[str, Array]]:
    """Head and, if `whole`, arrays of a file. Raises InputError."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            head: dict[str, Any] = json.loads(str(archive["head"]))
            arrays = {key: archive[key] for key in archive.files if whole and key != "head"}
        version = head.pop("version")
    except OSError as error:
        why = error.strerror or str(error)
        raise InputError(f"{path}: cannot be read as a track: {why}") from error
    except (ValueError, EOFError, KeyError, TypeError, AttributeError, BadZipFile, zlib.error) as error:
        raise InputError(
            f"{path}: no track, or a damaged one ({type(error).__name__}): remove it and make it again"
        ) from error
    if version != VERSION:
        raise InputError(f"{path}: track format {version!r}, expected {VERSION}: remove it and make it again")
    return head, arrays


def _packed(shape_iod: F32, neutral_iod: F32) -> dict[str, Array]:
    """A shape as differences from frame to frame of whole steps, which take a fifth of the room.

    A step is 1/32767 of the farthest that any landmark goes from the neutral: below 2e-5 IOD.
    """
    moved = shape_iod.astype(np.float64) - neutral_iod
    step = max(float(np.abs(moved).max()), 1e-9) / 32767.0
    whole = np.rint(moved / step).astype(np.int16)
    # Differences may wrap around, and so does the sum that takes them back.
    with np.errstate(over="ignore"):
        steps = np.diff(whole, axis=0, prepend=np.zeros_like(whole[:1]))
    return {"shape_steps": steps, "shape_step_iod": np.asarray(step)}


def _unpacked(arrays: Mapping[str, Array]) -> F32:
    steps = arrays["shape_steps"]
    if steps.dtype != np.int16:
        raise ValueError(f"shape_steps is {steps.dtype}, expected int16")
    whole = np.cumsum(steps, axis=0, dtype=np.int16)
    shape = whole * float(arrays["shape_step_iod"]) + arrays["neutral_iod"]
    return np.asarray(shape, np.float32)


def write_whole(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write `content` atomically. private: for its owner alone. Raises OutputError that names a full disk."""
    try:
        write_atomically(path, content, private=private)
    except OSError as error:
        full = error.errno in FULL_DISK
        hint = "; make room and start again: what is finished is kept" if full else "; check the folder"
        raise OutputError(f"{path}: cannot be written: {error.strerror}{hint}") from error


def track_files(folder: Path) -> list[Path]:
    """The tracks below `folder`, by name. Raises InputError when there are none."""
    files = sorted(folder.rglob(f"*{SUFFIX}")) if folder.is_dir() else []
    if not files:
        raise InputError(
            f"{folder}: no tracks (*{SUFFIX}) in it: make some with `rtfilter learn corpus` or "
            "`rtfilter learn track`"
        )
    return files
