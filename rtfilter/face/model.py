"""The 3D morphable model: mean shape, identity basis, and 52 blendshapes on 478 landmarks.

Head frame: x to the subject's left (the image's right when frontal), y down, z away from the camera;
origin midway between the two sides, level so that forehead and chin landmarks share one z. Unit: the
mean face's inter-ocular distance (outer eye corner to outer eye corner, about 9 cm on an adult).
"""

from __future__ import annotations

import io
import logging
import zlib
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPES
from rtfilter.errors import InputError
from rtfilter.face import brows
from rtfilter.face.landmarks import LANDMARK_COUNT
from rtfilter.face.learned_weights import EditorWeights, face_model_key

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]

_log = logging.getLogger("rtfilter.face")

ASSET = "face_model.npz"
HOLES = ("mouth", "eye_right", "eye_left")
FLOATS = (
    "mean_iod", "expression_basis", "expression_covariance", "identity_basis", "identity_scale", "rigidity",
)  # fmt: skip
UNKNOWN_VARIANCE = 0.05  # of every coefficient, in a model that does not give their covariance
LEAST_EIGENVALUE = -1e-6  # of their covariance: 0, and rounding
INDICES = ("mirror", "triangles", *(f"hole_{hole}" for hole in HOLES))


@dataclass(frozen=True)
class MorphableModel:
    """shape_iod = mean + identity_basis . identity + residual + expression_basis . expression.

    mean_iod: float32 [478, 3]. expression_basis: float32 [52, 478, 3], in the order of BLENDSHAPES.
    expression_covariance: float32 [52, 52], how coefficients vary in talking people: the fit's prior.
    identity_basis: float32 [I, 478, 3], orthonormal over its 1434 numbers; identity_scale: float32 [I],
    standard deviations. rigidity: float32 [478], how little a landmark moves with expression: the
    weights of the pose. mirror: int32 [478]. triangles: int32 [T, 3]; holes: name to int32 [*, 3].
    editor: the learned editor of its coefficients, if one is used in place of the closed form.
    """

    mean_iod: F32
    expression_basis: F32
    expression_covariance: F32
    identity_basis: F32
    identity_scale: F32
    rigidity: F32
    mirror: I32
    triangles: I32
    holes: dict[str, I32]
    editor: EditorWeights | None = None

    @cached_property
    def edit_basis(self) -> F32:
        """`expression_basis` for edits, float32 [52, 478, 3]: brow hair translates. A fit uses the former."""
        # In order of memory: otherwise every product with it copies it, which takes ten times as long.
        return np.ascontiguousarray(brows.translated(self.expression_basis, self.mean_iod))

    def displacement_iod(self, offset: npt.NDArray[np.floating[Any]]) -> F32:
        """`expression_basis . offset`: float32 [478, 3] for coefficients [52]. For edits: `edited_iod`."""
        return _product(self.expression_basis, offset)

    def edited_iod(self, offset: npt.NDArray[np.floating[Any]]) -> F32:
        """`edit_basis . offset`: float32 [478, 3], where an edit moves the landmarks."""
        return _product(self.edit_basis, offset)

    def with_editor(self, editor: EditorWeights | None) -> MorphableModel:
        """The same model with a learned editor, or without one. Logs a line for one of another model."""
        if editor is not None and editor.face_model != face_model_key(self.expression_basis):
            _log.warning(
                "the learned editor was trained on another face model: train it again (docs/editor.md)"
            )
        return replace(self, editor=editor)

    @classmethod
    def builtin(cls) -> MorphableModel:
        """The committed model."""
        data = resources.files("rtfilter.face").joinpath("assets", ASSET).read_bytes()
        return cls.from_npz(io.BytesIO(data), "the built-in face model")

    @classmethod
    def load(cls, path: Path | str) -> MorphableModel:
        """A model from a file (format: docs/face-model.md). Raises InputError."""
        try:
            return cls.from_npz(io.BytesIO(Path(path).read_bytes()), str(path))
        except OSError as error:
            raise InputError(
                f"{path}: cannot read the face model ({error.strerror}): check the path"
            ) from error

    @classmethod
    def from_npz(cls, file: io.BytesIO, name: str) -> MorphableModel:
        """Parse and check. Raises InputError with the array at fault, what came and what was expected."""
        arrays = _arrays(file, name)
        arrays.setdefault("expression_covariance", UNKNOWN_VARIANCE * np.eye(BLENDSHAPE_COUNT))
        shapes: dict[str, tuple[int | None, ...]] = {
            "mean_iod": (LANDMARK_COUNT, 3),
            "expression_basis": (BLENDSHAPE_COUNT, LANDMARK_COUNT, 3),
            "expression_covariance": (BLENDSHAPE_COUNT, BLENDSHAPE_COUNT),
            "identity_basis": (None, LANDMARK_COUNT, 3),
            "identity_scale": (len(arrays.get("identity_basis", ())),),
            "rigidity": (LANDMARK_COUNT,),
            "mirror": (LANDMARK_COUNT,),
            "triangles": (None, 3),
            **{f"hole_{hole}": (None, 3) for hole in HOLES},
        }
        for key, shape in shapes.items():
            if key not in arrays:
                raise InputError(
                    f"{name}: array {key!r} is missing: build it as docs/face-model.md describes"
                )
            got = arrays[key]
            fits = got.ndim == len(shape) and all(
                s in (None, n) for s, n in zip(shape, got.shape, strict=True)
            )
            kinds = "iu" if key in INDICES else "fiu"
            if not fits or got.dtype.kind not in kinds or not np.isfinite(got).all():
                number = "integer" if key in INDICES else "finite float"
                raise InputError(
                    f"{name}: {key!r} is {got.dtype} {list(got.shape)}, expected {number} {list(shape)}"
                )
        names = tuple(str(n) for n in arrays.get("blendshapes", np.array(BLENDSHAPES)))
        if names != BLENDSHAPES:
            raise InputError(
                f"{name}: blendshapes are {names[:3]}..., expected the ARKit order {BLENDSHAPES[:3]}..."
            )
        if any(arrays[k].min(initial=0) < 0 or arrays[k].max(initial=0) >= LANDMARK_COUNT for k in INDICES):
            raise InputError(f"{name}: a landmark index is outside 0..{LANDMARK_COUNT - 1}")
        least = float(np.linalg.eigvalsh(arrays["expression_covariance"].astype(np.float64))[0])
        if least < LEAST_EIGENVALUE:
            raise InputError(
                f"{name}: 'expression_covariance' has the eigenvalue {least:.3g}, expected none below 0: "
                "estimate it from samples, or leave it out"
            )
        floats: dict[str, Any] = {key: np.ascontiguousarray(arrays[key], np.float32) for key in FLOATS}
        return cls(
            **floats,
            mirror=arrays["mirror"].astype(np.int32),
            triangles=np.ascontiguousarray(arrays["triangles"], np.int32),
            holes={hole: np.ascontiguousarray(arrays[f"hole_{hole}"], np.int32) for hole in HOLES},
        )


def _product(basis: F32, offset: npt.NDArray[np.floating[Any]]) -> F32:
    """By einsum: a BLAS call of this size wakes every thread, which costs milliseconds on a busy machine."""
    moved = np.einsum("e,en->n", offset.astype(np.float32), basis.reshape(BLENDSHAPE_COUNT, -1))
    return np.asarray(moved, np.float32).reshape(LANDMARK_COUNT, 3)


def _arrays(file: io.BytesIO, name: str) -> dict[str, npt.NDArray[Any]]:
    """Every array of an .npz file. Raises InputError for anything else."""
    try:
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("a single array")
        with archive:
            arrays = {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, NotImplementedError, BadZipFile, zlib.error) as error:
        raise InputError(f"{name}: not a face model (.npz expected): {error}") from error
    return {key: array for key, array in arrays.items() if isinstance(array, np.ndarray)}
