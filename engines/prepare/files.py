"""All networks as ONNX files in the user's cache, made on first use."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rtfilter.engines.expression.layout import EXPRESSION
from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
from rtfilter.engines.prepare.fetch import Progress
from rtfilter.engines.prepare.models import DETECTOR, MESH, tflite_model
from rtfilter.engines.spec import NetworkSpec
from rtfilter.errors import UsageError, nearest
from rtfilter.face.model import MorphableModel
from rtfilter.system.cache import cache_folder, kept, write_atomically

_log = logging.getLogger(__name__)

CONVERTER_VERSION = 3  # counts what changes the ONNX files made of the same models


PLAIN, PROCESSOR = "plain", "processor"
NETWORKS: tuple[NetworkSpec, ...] = (FACE_DETECTOR, FACE_MESH, EXPRESSION)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one file is made.

    source: names everything that the file depends on, besides the network's version and the form.
    make: the bytes; slow, and imports what it needs.
    form: PLAIN is for GPUs, and for all where there is no other; PROCESSOR computes the same, and ONNX
        Runtime is quick with it on a processor.
    """

    spec: NetworkSpec
    source: str
    make: Callable[[Progress], bytes]
    form: str = PLAIN


def _face_detector(progress: Progress) -> bytes:
    from rtfilter.engines.onnx.face_graphs import face_detector

    return face_detector(tflite_model(DETECTOR, progress), DETECTOR.name)


def _face_mesh(progress: Progress) -> bytes:
    from rtfilter.engines.onnx.face_graphs import face_mesh

    return face_mesh(tflite_model(MESH, progress), MESH.name)


def _face_mesh_for_processor(progress: Progress) -> bytes:
    from rtfilter.engines.onnx.face_graphs import face_mesh
    from rtfilter.engines.onnx.style import ForProcessor

    return face_mesh(tflite_model(MESH, progress), MESH.name, ForProcessor())


_DETECTOR_SOURCE = f"converter {CONVERTER_VERSION}, model {DETECTOR.sha256}"
_MESH_SOURCE = f"converter {CONVERTER_VERSION}, model {MESH.sha256}"
# Those of the networks that hold no face model.
RECIPES: tuple[Recipe, ...] = (
    Recipe(FACE_DETECTOR, _DETECTOR_SOURCE, _face_detector),
    Recipe(FACE_MESH, _MESH_SOURCE, _face_mesh),
    Recipe(FACE_MESH, _MESH_SOURCE, _face_mesh_for_processor, PROCESSOR),
)


def expression_recipe(model: MorphableModel | None = None) -> Recipe:
    """Of the expression graph, which holds a face model; default the built-in one."""
    from rtfilter.engines.expression.key import model_key

    held = model or MorphableModel.builtin()

    def make(progress: Progress) -> bytes:
        from rtfilter.engines.expression.graph import expression_graph

        return expression_graph(held)

    return Recipe(EXPRESSION, model_key(held), make)


def prepare(progress: Progress | None = None) -> dict[str, Path]:
    """The plain ONNX file of every network, by the network's name; missing and damaged files are made.

    The other forms are made too, so that nothing is left to do later. progress: is told, in one line each,
    what takes long. Safe in several processes at once. InputError where a model cannot be had or the cache
    cannot be written.
    """
    paths = [(recipe, ready(recipe, progress)) for recipe in (*RECIPES, expression_recipe())]
    return {recipe.spec.name: path for recipe, path in paths if recipe.form == PLAIN}


def prepared(
    spec: NetworkSpec,
    progress: Progress | None = None,
    form: str = PLAIN,
    model: MorphableModel | None = None,
) -> Path:
    """The ONNX file of one network; see `prepare`.

    form: where the network has no such one, PLAIN. model: see `expression_recipe`; others have none.
    """
    return ready(recipe_for(spec, form, model), progress)


def network_bytes(
    spec: NetworkSpec,
    progress: Progress | None = None,
    form: str = PLAIN,
    model: MorphableModel | None = None,
) -> bytes:
    """What `prepared` would have in its file. Where the cache cannot be used, it is made in memory.

    InputError where a model cannot be had.
    """
    return _content(recipe_for(spec, form, model), progress, required=False)


def recipe_for(spec: NetworkSpec, form: str = PLAIN, model: MorphableModel | None = None) -> Recipe:
    """How that file is made; arguments as of `prepared`. UsageError where there is no such network."""
    if spec.name == EXPRESSION.name:
        return expression_recipe(model)
    found = {recipe.form: recipe for recipe in RECIPES if recipe.spec.name == spec.name}
    if not found:
        names = {recipe.spec.name for recipe in RECIPES} | {EXPRESSION.name}
        raise UsageError(f"no recipe for the network {spec.name!r}.{nearest(spec.name, names)}")
    return found.get(form, found[PLAIN])


def onnx_path(recipe: Recipe) -> Path:
    """Where the file of a recipe lies, made or not: another source or version is another file."""
    key = hashlib.sha256(recipe.source.encode()).hexdigest()[:12]
    form = "" if recipe.form == PLAIN else f"-{recipe.form}"
    return cache_folder() / "onnx" / f"{recipe.spec.name}-v{recipe.spec.version}{form}-{key}.onnx"


def ready(recipe: Recipe, progress: Progress | None = None) -> Path:
    """The file of a recipe, made where it is missing or damaged; see `prepare`."""
    _content(recipe, progress, required=True)
    return onnx_path(recipe)


def is_ready(recipe: Recipe) -> bool:
    """Whether the file is there, whole."""
    return _whole(onnx_path(recipe)) is not None


def _content(recipe: Recipe, progress: Progress | None, required: bool) -> bytes:
    say = progress or _quiet
    path = onnx_path(recipe)

    def make() -> bytes:
        if os.access(path, os.F_OK):
            _log.warning("%s is damaged and is made again", path)
        say(f"making {path.name}")
        return recipe.make(say)

    def write(content: bytes) -> None:
        write_atomically(path, content)
        write_atomically(_digest_path(path), _digest_line(path, content))

    return kept(path, lambda: _whole(path), make, write, required=required)


def _whole(path: Path) -> bytes | None:
    """The file where it is there and is what was written; reading it all takes a few milliseconds."""
    try:
        content = path.read_bytes()
        return content if _digest_path(path).read_bytes() == _digest_line(path, content) else None
    except OSError:
        return None


def _digest_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _digest_line(path: Path, content: bytes) -> bytes:
    """As `sha256sum` writes it, so that people can check it too."""
    return f"{hashlib.sha256(content).hexdigest()}  {path.name}\n".encode()


def _quiet(line: str) -> None:
    del line


def network(name: str) -> NetworkSpec:
    """The network of that name; UsageError that lists them when there is none."""
    for spec in NETWORKS:
        if spec.name == name:
            return spec
    raise UsageError(f"unknown network {name!r}.{nearest(name, [spec.name for spec in NETWORKS])}")
