"""Trained networks as .npz files: arrays, and a head of JSON with a version and the network's form.

No pickles, so that a file from a stranger runs no code. Called by `stccl.metric`, `stccl.train`, `evidence`.
"""

from __future__ import annotations

import io
import json
import logging
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import torch

from rtfilter.errors import InputError
from rtfilter.face.learned_weights import face_model_key
from rtfilter.face.model import MorphableModel
from rtfilter.learn.data.track import write_whole
from rtfilter.learn.stccl.image_encoder import ImageEncoder
from rtfilter.learn.stccl.mesh_encoder import MeshEncoder
from rtfilter.learn.stccl.network import CorrelationNetwork
from rtfilter.learn.stccl.settings import StcclSettings

_DAMAGED: Final = (
    ValueError, EOFError, KeyError, TypeError, OSError, AttributeError, BadZipFile, zlib.error,
)  # fmt: skip
FORMAT: Final = "rtfilter-stccl"
VERSION: Final = 1
_log = logging.getLogger("rtfilter.learn")
_MEAN: Final = "encoder.mean_iod"


@dataclass(frozen=True)
class Form:
    """What a network is made of, apart from its weights; fields as in `StcclSettings`."""

    signal: str
    variant: str
    regions: tuple[int, ...]
    channels: tuple[int, ...]
    centres: tuple[int, ...]
    head: int
    tau: float
    position: bool
    moments: float

    @classmethod
    def of(cls, settings: StcclSettings) -> Form:
        """The form that settings ask for."""
        values = {name: getattr(settings, name) for name in cls.__dataclass_fields__}
        return cls(**values)


def build(form: Form, mean_iod: npt.NDArray[np.float32]) -> CorrelationNetwork:
    """A network with random weights. mean_iod: float32 [478, 3], where regions of a mesh are laid out."""
    encoder: torch.nn.Module
    if form.signal == "mesh":
        encoder = MeshEncoder(mean_iod, form.regions, form.channels, form.position)
    else:
        encoder = ImageEncoder(form.channels, form.centres)
    return CorrelationNetwork(encoder, form.variant, form.centres, form.head, form.tau, form.moments)


def save(path: Path, network: CorrelationNetwork, form: Form, face_model: str) -> None:
    """Write a network, whole or not at all. face_model: `face_model_key`. Raises OutputError."""
    head = {"format": FORMAT, "version": VERSION, "form": asdict(form), "face_model": face_model}
    arrays = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
    file = io.BytesIO()
    np.savez_compressed(file, head=np.array(json.dumps(head)), **arrays)
    write_whole(path, file.getvalue())


def load(path: Path, name: str = "") -> tuple[CorrelationNetwork, Form]:
    """Read a saved network, ready to compare. Raises InputError: missing, damaged or of another version."""
    try:
        return parse(path.read_bytes(), name or str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}: check the path") from error


def parse(content: bytes, name: str) -> tuple[CorrelationNetwork, Form]:
    """`load` of a file's bytes. Logs a line for a metric of meshes of another face model."""
    mend = "make it again with `rtfilter learn stccl`"
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        head: dict[str, Any] = json.loads(str(arrays.pop("head")))
        found, version = head["format"], head["version"]
    except (
        ValueError,
        EOFError,
        KeyError,
        TypeError,
        OSError,
        AttributeError,
        BadZipFile,
        zlib.error,
    ) as error:
        raise InputError(f"{name}: no correlation metric, or a damaged one: {mend}") from error
    if (found, version) != (FORMAT, VERSION):
        raise InputError(f"{name}: {found} {version}, expected {FORMAT} {VERSION}: {mend}")
    try:
        fields: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list) else v for key, v in head["form"].items()
        }
        form = Form(**fields)
        mean = arrays.get(_MEAN, np.zeros((0, 3), np.float32))
        network = build(form, mean)
        network.load_state_dict({key: torch.from_numpy(value) for key, value in arrays.items()})
        if not all(torch.isfinite(value).all() for value in network.state_dict().values()):
            raise ValueError("a weight that is no number")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RuntimeError) as error:
        raise InputError(f"{name}: damaged ({str(error).splitlines()[0]}): {mend}") from error
    if form.signal == "mesh":
        _tell_of_another_model(head.get("face_model"), name)
    return network.eval().requires_grad_(False), form


def _tell_of_another_model(face_model: object, name: str) -> None:
    if face_model == face_model_key(MorphableModel.builtin().expression_basis):
        return
    told = (
        "it is not known on which face model it was trained"
        if face_model is None
        else ("it was trained on another face model")
    )
    _log.warning("%s: %s: train it again with `rtfilter learn stccl` (docs/stccl.md)", name, told)
