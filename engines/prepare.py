"""All networks as ONNX files in the user's cache, made on first use."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rtfilter.engines.cache import cache_folder, locked, write_atomically
from rtfilter.engines.models import DETECTOR, MESH, Progress, tflite_model
from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
from rtfilter.engines.spec import NetworkSpec
from rtfilter.errors import UsageError, nearest

_log = logging.getLogger(__name__)

CONVERTER_VERSION = 1  # counts what changes the ONNX files made of the same models


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one network's file is made.

    source: names everything that the result depends on, besides the network's version.
    make: the bytes; slow, and imports what it needs.
    """

    spec: NetworkSpec
    source: str
    make: Callable[[Progress], bytes]


def _face_detector(progress: Progress) -> bytes:
    from rtfilter.engines.face_graphs import face_detector

    return face_detector(tflite_model(DETECTOR, progress), DETECTOR.name)


def _face_mesh(progress: Progress) -> bytes:
    from rtfilter.engines.face_graphs import face_mesh

    return face_mesh(tflite_model(MESH, progress), MESH.name)


RECIPES: tuple[Recipe, ...] = (
    Recipe(FACE_DETECTOR, f"converter {CONVERTER_VERSION}, model {DETECTOR.sha256}", _face_detector),
    Recipe(FACE_MESH, f"converter {CONVERTER_VERSION}, model {MESH.sha256}", _face_mesh),
)


def prepare(progress: Progress | None = None) -> dict[str, Path]:
    """The ONNX file of every network, by the network's name; missing and damaged ones are made.

    progress: is told, in one line each, what takes long. Safe in several processes at once. InputError where
    a model cannot be had or the cache cannot be written.
    """
    return {recipe.spec.name: _ready(recipe, progress or _quiet) for recipe in RECIPES}


def prepared(spec: NetworkSpec, progress: Progress | None = None) -> Path:
    """The ONNX file of one network; see `prepare`."""
    for recipe in RECIPES:
        if recipe.spec.name == spec.name:
            return _ready(recipe, progress or _quiet)
    raise UsageError(f"no recipe for {spec.name!r}.{nearest(spec.name, [r.spec.name for r in RECIPES])}")


def onnx_path(recipe: Recipe) -> Path:
    """Where the file of a recipe lies, made or not: another source or version is another file."""
    key = hashlib.sha256(recipe.source.encode()).hexdigest()[:12]
    return cache_folder() / "onnx" / f"{recipe.spec.name}-v{recipe.spec.version}-{key}.onnx"


def _ready(recipe: Recipe, progress: Progress) -> Path:
    path = onnx_path(recipe)
    if _is_whole(path):
        return path
    with locked(path):
        if _is_whole(path):  # another process made it while this one waited
            return path
        if path.exists():
            _log.warning("%s is damaged and is made again", path)
        progress(f"making {path.name}")
        content = recipe.make(progress)
        write_atomically(path, content)
        write_atomically(_digest_path(path), _digest_line(path, content))
    return path


def _is_whole(path: Path) -> bool:
    """Whether the file is there and is what was written; reading it all takes a few milliseconds."""
    try:
        return _digest_path(path).read_bytes() == _digest_line(path, path.read_bytes())
    except OSError:
        return False


def _digest_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _digest_line(path: Path, content: bytes) -> bytes:
    """As `sha256sum` writes it, so that people can check it too."""
    return f"{hashlib.sha256(content).hexdigest()}  {path.name}\n".encode()


def _quiet(line: str) -> None:
    del line
