"""The weights of a learned editor: a file format, checked when read. Made by `learn.editor.export`."""

from __future__ import annotations

import hashlib
import io
import zlib
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, EMOTIONS
from rtfilter.errors import InputError, UsageError, nearest

F32 = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]

VERSION: Final = 1
ASSET: Final = "editor.npz"
SUFFIX: Final = ".npz"
CLOSED, LEARNED = "closed", "learned"
EDITORS: Final = (CLOSED, LEARNED)
# Room for the memory of any editor: a field of the expression network's state, whose size is fixed.
MEMORY_ROOM: Final = 32
TAU_LEAST_S: Final = 0.03
_TEXTS: Final = ("face_model", "made_by")
_DAMAGED: Final = (
    OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class EditorWeights:
    """The numbers of an editor; H hidden, M memory.

    remember: float32 [M, 52]. tau_s: float32 [M]. first: float32 [H, 52 + M + 1]; second: [H, H]; their
    biases [H]. last: float32 [8 * 52, H], by emotion. base: float32 [8, 52]. face_model: `face_model_key` of
    the model on whose coefficients it was trained. made_by: the command.
    """

    remember: F32
    tau_s: F32
    first: F32
    first_bias: F32
    second: F32
    second_bias: F32
    last: F32
    base: F32
    face_model: str
    made_by: str

    @classmethod
    @lru_cache(maxsize=1)
    def builtin(cls) -> EditorWeights:
        """The committed editor."""
        data = resources.files("rtfilter.face").joinpath("assets", ASSET).read_bytes()
        return cls.from_bytes(data, "the built-in editor")

    @classmethod
    def load(cls, path: Path | str) -> EditorWeights:
        """An editor from a file that `rtfilter learn export` wrote. Raises InputError."""
        try:
            return cls.from_bytes(Path(path).read_bytes(), str(path))
        except OSError as error:
            raise InputError(f"{path}: cannot read the editor ({error.strerror}): check the path") from error

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> EditorWeights:
        """Parse and check. Raises InputError with what came and what was expected."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in archive.files}
            version = int(arrays.pop("version"))
            texts = {key: str(arrays.pop(key)) for key in _TEXTS}
        except _DAMAGED as error:
            raise InputError(
                f"{name}: no editor, or a damaged one ({type(error).__name__}): "
                "`rtfilter learn export` makes one"
            ) from error
        if version != VERSION:
            raise InputError(f"{name}: editor format {version}, expected {VERSION}: export it again")
        for key, shape in _shapes(arrays, name).items():
            got = arrays.get(key, np.zeros(0, np.float32))
            if got.shape != shape or got.dtype.kind != "f" or not np.isfinite(got).all():
                raise InputError(
                    f"{name}: {key} is {got.dtype} {list(got.shape)}, expected finite float {list(shape)}"
                )
            arrays[key] = np.ascontiguousarray(got, np.float32)
        if arrays["tau_s"].min() < 0.99 * TAU_LEAST_S:
            raise InputError(f"{name}: a time constant is below {TAU_LEAST_S} s: export it again")
        values: dict[str, Any] = {one.name: {**arrays, **texts}[one.name] for one in fields(cls)}
        return cls(**values)

    def to_bytes(self) -> bytes:
        """As a file."""
        file = io.BytesIO()
        values: dict[str, Any] = {one.name: np.asarray(getattr(self, one.name)) for one in fields(self)}
        np.savez_compressed(file, version=np.array(VERSION), **values)
        return file.getvalue()

    @cached_property
    def key(self) -> str:
        """A name for the numbers: what is made of them changes with it."""
        digest = hashlib.sha256()
        for one in fields(self):
            if one.name not in _TEXTS:
                digest.update(np.ascontiguousarray(getattr(self, one.name), "<f4").tobytes())
        return digest.hexdigest()


def named_editor(name: str) -> EditorWeights | None:
    """The editor of a name: None for `closed`, the committed one for `learned`, else that of a file.

    Raises InputError for a file that is none, UsageError for a name that is neither.
    """
    known = name.strip().lower()
    if known in EDITORS:
        return None if known == CLOSED else EditorWeights.builtin()
    if not name.endswith(SUFFIX):
        raise UsageError(
            f"unknown editor {name[:60]!r}:{nearest(known[:40], EDITORS)}"
            f" Or the path of a {SUFFIX} file of `rtfilter learn export`."
        )
    return EditorWeights.load(name)


def face_model_key(expression_basis: F32) -> str:
    """A name for what coefficients mean: a digest of a face model's expression basis."""
    return hashlib.sha256(np.ascontiguousarray(expression_basis, "<f4").tobytes()).hexdigest()[:16]


def _shapes(arrays: Arrays, name: str) -> dict[str, tuple[int, ...]]:
    """The shape of each array, from the sizes that the biases and the time constants have."""
    memory, hidden = (arrays.get(key, np.zeros(0)).size for key in ("tau_s", "first_bias"))
    if not 1 <= memory <= MEMORY_ROOM:
        raise InputError(f"{name}: a memory of {memory} numbers, expected 1..{MEMORY_ROOM}")
    return {
        "remember": (memory, BLENDSHAPE_COUNT),
        "tau_s": (memory,),
        "first": (hidden, BLENDSHAPE_COUNT + memory + 1),
        "first_bias": (hidden,),
        "second": (hidden, hidden),
        "second_bias": (hidden,),
        "last": (len(EMOTIONS) * BLENDSHAPE_COUNT, hidden),
        "base": (len(EMOTIONS), BLENDSHAPE_COUNT),
    }
