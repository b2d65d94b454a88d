"""All networks as ONNX files in the user's cache, made on first use.

Called by `tracking.engine`, `engines.prepare.choose` and `rtfilter engines`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rtfilter.engines.expression.layout import EXPRESSION, model_key
from rtfilter.engines.networks import FACE_DETECTOR, FACE_MESH
from rtfilter.engines.prepare.models import DETECTOR, MESH, tflite_model
from rtfilter.engines.spec import NetworkSpec
from rtfilter.errors import Notify, UsageError, nearest
from rtfilter.face.model import MorphableModel
from rtfilter.system.cache import CacheError, CacheFile, cache_folder

CONVERTER_VERSION = 3  # counts what changes the ONNX files made of the same models
NETWORKS: tuple[NetworkSpec, ...] = (FACE_DETECTOR, FACE_MESH, EXPRESSION)
# PLAIN is for GPUs, and for all where there is no other. PROCESSOR computes the same, and ONNX Runtime is
# quick with it on a processor.
PLAIN, PROCESSOR = "plain", "processor"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one file is made.

    source: everything that the file depends on, besides the network's version and the form.
    make: the bytes; slow, and imports what it needs.
    """

    spec: NetworkSpec
    source: str
    make: Callable[[Notify], bytes]
    form: str = PLAIN

    @property
    def file(self) -> CacheFile:
        """Where the network is kept; another source, version or form is another file."""
        key = hashlib.sha256(self.source.encode()).hexdigest()[:12]
        form = "" if self.form == PLAIN else f"-{self.form}"
        name = f"{self.spec.name}-v{self.spec.version}{form}-{key}.network"
        return CacheFile(cache_folder() / "networks" / name, {"source": self.source})

    def content(self, progress: Notify | None = None, *, required: bool = False) -> bytes:
        """The ONNX file's bytes, made where they are missing or damaged; see `CacheFile.get`."""
        notify, file = progress or _quiet, self.file

        def make() -> bytes:
            notify(f"making {file.path.name}")
            return self.make(notify)

        return file.get(make, required=required)

    @property
    def is_ready(self) -> bool:
        """Whether the file is there, whole."""
        try:
            return self.file.read() is not None
        except CacheError:
            return False


def _face_detector(progress: Notify) -> bytes:
    from rtfilter.engines.onnx.face_graphs import face_detector

    return face_detector(tflite_model(DETECTOR, progress), DETECTOR.name)


def _face_mesh(progress: Notify) -> bytes:
    from rtfilter.engines.onnx.face_graphs import face_mesh

    return face_mesh(tflite_model(MESH, progress), MESH.name)


def _face_mesh_for_processor(progress: Notify) -> bytes:
    from rtfilter.engines.onnx.face_graphs import face_mesh
    from rtfilter.engines.onnx.style import ForProcessor

    return face_mesh(tflite_model(MESH, progress), MESH.name, ForProcessor())


_DETECTOR_SOURCE = f"converter {CONVERTER_VERSION}, model {DETECTOR.sha256}"
_MESH_SOURCE = f"converter {CONVERTER_VERSION}, model {MESH.sha256}"
# Of the networks that hold no face model.
RECIPES: tuple[Recipe, ...] = (
    Recipe(FACE_DETECTOR, _DETECTOR_SOURCE, _face_detector),
    Recipe(FACE_MESH, _MESH_SOURCE, _face_mesh),
    Recipe(FACE_MESH, _MESH_SOURCE, _face_mesh_for_processor, PROCESSOR),
)


def expression_recipe(model: MorphableModel | None = None) -> Recipe:
    """The expression network of a face model; default the built-in one."""
    held = model or MorphableModel.builtin()

    def make(progress: Notify) -> bytes:
        from rtfilter.engines.expression.graph import expression_graph

        return expression_graph(held)

    return Recipe(EXPRESSION, model_key(held), make)


def prepare(progress: Notify | None = None) -> dict[str, Path]:
    """Make every file that is missing or damaged, in all forms.

    Args:
        progress: called with one line for each step that takes long.

    Returns:
        The file of each network's PLAIN form, by the network's name.

    Raises:
        InputError: a model cannot be had, or the cache cannot be written.
    """
    for recipe in (recipes := (*RECIPES, expression_recipe())):
        recipe.content(progress, required=True)
    return {recipe.spec.name: recipe.file.path for recipe in recipes if recipe.form == PLAIN}


def network_bytes(
    spec: NetworkSpec,
    progress: Notify | None = None,
    form: str = PLAIN,
    model: MorphableModel | None = None,
) -> bytes:
    """One network as ONNX, from the cache, or made. Arguments: see `recipe_for` and `prepare`.

    Raises InputError where a model cannot be had.
    """
    return recipe_for(spec, form, model).content(progress)


def recipe_for(spec: NetworkSpec, form: str = PLAIN, model: MorphableModel | None = None) -> Recipe:
    """The recipe of one network.

    Args:
        form: PLAIN is taken where the network has no other.
        model: see `expression_recipe`; the other networks hold none.
    """
    if spec.name == EXPRESSION.name:
        return expression_recipe(model)
    found = {recipe.form: recipe for recipe in RECIPES if recipe.spec.name == spec.name}
    return found.get(form, found[PLAIN])


def network(name: str) -> NetworkSpec:
    """The network of that name. Raises UsageError, which lists them."""
    for spec in NETWORKS:
        if spec.name == name:
            return spec
    raise UsageError(f"unknown network {name!r}.{nearest(name, [spec.name for spec in NETWORKS])}")


def _quiet(line: str) -> None:
    del line
