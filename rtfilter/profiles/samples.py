"""What an enrolment gathers: textures with the landmarks that they were unwrapped by; as bytes for the disk.

Called by `profiles.gather`.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from rtfilter.face.fit import FaceFit, FaceState, IdentityState
from rtfilter.face.landmarks import LANDMARK_COUNT

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

_DAMAGE = (ValueError, OSError, EOFError, KeyError, TypeError, BadZipFile, zlib.error)
_FIELDS = ("texture", "weight", "points_px", "time_s", "luma", "sharpness")


@dataclass(frozen=True, slots=True)
class Sample:
    """One frame that can be learned from.

    texture: uint8 [S, S, 3]. weight: uint8 [S, S], 255 is 1. points_px: float32 [478, 3]. time_s: of the
    enrolment, which goes on where it was interrupted. luma, sharpness: see `profiles.check`.
    """

    texture: U8
    weight: U8
    points_px: F32
    time_s: float
    luma: float
    sharpness: float


def to_bytes(samples: Sequence[Sample]) -> bytes:
    """Samples as one .npz, compressed."""
    out = io.BytesIO()
    arrays: dict[str, Any] = {
        name: np.stack([np.asarray(getattr(sample, name)) for sample in samples]) for name in _FIELDS
    }
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def from_bytes(data: bytes, side: int) -> list[Sample]:
    """Samples of `to_bytes` with textures of `side`; none where the bytes are of something else."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in _FIELDS}
    except _DAMAGE:
        return []
    count = len(arrays["time_s"]) if arrays["time_s"].ndim == 1 else 0
    shapes: dict[str, tuple[int, ...]] = {
        "texture": (count, side, side, 3),
        "weight": (count, side, side),
        "points_px": (count, LANDMARK_COUNT, 3),
        "luma": (count,),
        "sharpness": (count,),
    }
    if any(arrays[name].shape != shape for name, shape in shapes.items()):
        return []
    numbers = [arrays[name] for name in ("points_px", "time_s", "luma", "sharpness")]
    if arrays["texture"].dtype != np.uint8 or arrays["weight"].dtype != np.uint8:
        return []
    if not all(each.dtype.kind == "f" and np.isfinite(each).all() for each in numbers):
        return []
    return [
        Sample(
            arrays["texture"][k],
            arrays["weight"][k],
            arrays["points_px"][k].astype(np.float32),
            float(arrays["time_s"][k]),
            float(arrays["luma"][k]),
            float(arrays["sharpness"][k]),
        )
        for k in range(count)
    ]


def refitted(samples: Sequence[Sample], fit: FaceFit) -> tuple[list[FaceState], IdentityState]:
    """The faces of all samples with one neutral, learned from all of them, and that neutral's state.

    The first frames of a stream are fitted with a neutral that is still being learned; here none is.
    """
    identity = fit.first_identity()
    for sample in samples:
        _, identity = fit.step(identity, sample.points_px, sample.time_s)
    # Time stands still: nothing is learned any more.
    return [fit.step(identity, sample.points_px, identity.time_s)[0] for sample in samples], identity
