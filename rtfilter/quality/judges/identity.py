"""Identity (CSIM): how alike source and edit are to a face descriptor. Called by `judges.panel`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError, MissingExtraError
from rtfilter.quality.judges import crops
from rtfilter.quality.judges.card import Card, read_card
from rtfilter.quality.judges.network import first_line, open_network, read_head
from rtfilter.quality.judges.picture import PictureInput
from rtfilter.system.installation import install_packages

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

# RGB -1..1, as face embeddings of ArcFace's kind are fed.
DEFAULT_CARD: Final = Card(low=-1.0, high=1.0)
# Every so many frames with a face: descriptors are slow, and an identity does not change from frame to frame.
STRIDE: Final = 5


class Descriptor(Protocol):
    """What turns a face into numbers that tell persons apart. `name` is the file's."""

    name: str
    unit: bool

    def describe(self, rgb: U8, points_px: F32) -> F64:
        """Features [N] of the face with landmarks [478, 3] in a picture uint8 [H, W, 3]."""
        ...


@dataclass(frozen=True, slots=True)
class IdentityMeasure:
    """cosine: mean cosine of the descriptors of a source frame and of its edit (CSIM); distance: their mean
    Euclidean distance; frames: over which. own_cosine: the same cosine between source frames half a clip
    apart, what the person's own motion costs."""

    judge: str
    frames: int
    cosine: float
    distance: float
    own_cosine: float | None


class IdentityJudge:
    """Compares descriptors of every fifth frame with a face, cut by the source's landmarks in both."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor
        self._seen = 0
        self._before: list[F64] = []
        self._after: list[F64] = []

    def add(self, source: U8, edited: U8, points_px: F32) -> None:
        """One pair of frames, uint8 RGB [H, W, 3], and the source's landmarks."""
        if self._seen % STRIDE == 0:
            self._before.append(self._descriptor.describe(source, points_px))
            self._after.append(self._descriptor.describe(edited, points_px))
        self._seen += 1

    def measure(self) -> IdentityMeasure | None:
        """The measure so far; None without frames."""
        if not self._before:
            return None
        before, after = np.array(self._before), np.array(self._after)
        if self._descriptor.unit:
            before, after = _unit(before), _unit(after)
        half = len(before) // 2
        return IdentityMeasure(
            judge=Path(self._descriptor.name).name,
            frames=len(before),
            cosine=cosine(before, after),
            distance=float(np.linalg.norm(before - after, axis=1).mean()),
            own_cosine=cosine(before[:-half], before[half:]) if half else None,
        )


def cosine(one: F64, other: F64) -> float:
    """Mean cosine of rows [N, features] with rows."""
    return float((_unit(one) * _unit(other)).sum(1).mean())


def open_descriptor(path: Path) -> Descriptor:
    """dlib's network where the file is named .dat, else an ONNX or TFLite network that takes a face.

    Raises InputError: no such network; MissingExtraError: its package is not installed.
    """
    return DlibDescriptor(path) if path.suffix == ".dat" else NetworkDescriptor(path)


class NetworkDescriptor:
    """A face embedding such as ArcFace: 112 x 112 (or as the network takes it), aligned by five points."""

    unit = True

    def __init__(self, path: Path) -> None:
        self._network = open_network(path)
        self.name = str(path)
        self._picture = PictureInput.of(self._network, read_card(path, DEFAULT_CARD))
        side = self._picture.side_px
        count = self._features(np.full((side, side, 3), 128, np.uint8)).size
        if count < 2:
            raise InputError(
                f"{path} gives {count} number for a face, expected a descriptor of many: give an embedding "
                "network"
            )

    def describe(self, rgb: U8, points_px: F32) -> F64:
        """See `Descriptor.describe`."""
        side = self._picture.side_px
        return self._features(crops.cut(rgb, crops.arcface(points_px, side), side))

    def _features(self, crop: U8) -> F64:
        return np.asarray(self._network.run(self._picture.values(crop)[None])[0], np.float64).ravel()


class DlibDescriptor:
    """dlib's face recognition network (128 numbers), on its own face chip of 150 x 150.

    Distances are of dlib's own scale: below 0.6, it takes two faces for one person.
    """

    unit = False

    def __init__(self, path: Path) -> None:
        read_head(path)
        try:
            import dlib
        except ImportError as error:
            raise MissingExtraError(
                f"{path} is a network of dlib, which is not installed: "
                f"{install_packages('dlib-bin')}, or give an ONNX network"
            ) from error
        self.name = str(path)
        try:
            self._network: Any = dlib.face_recognition_model_v1(str(path))
        except RuntimeError as error:
            raise InputError(
                f"{path} cannot be loaded by dlib ({first_line(error)}): expected "
                "dlib_face_recognition_resnet_model_v1.dat"
            ) from error

    def describe(self, rgb: U8, points_px: F32) -> F64:
        """See `Descriptor.describe`."""
        chip = crops.cut(rgb, crops.dlib(points_px), crops.DLIB_SIDE_PX)
        return np.array(self._network.compute_face_descriptor(chip), np.float64)


def _unit(rows: F64) -> F64:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), np.float64)
