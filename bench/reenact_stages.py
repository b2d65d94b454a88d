"""The ways to edit that `bench reenact` compares, from no edit on; each is the one before and one thing more.

To add one: a function from `Lesson` to `Stage` in STAGES, or one that raises `StageMissing` with the reason.
Called by `bench.reenact`.
"""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rtfilter.bench.reenact_footage import Clip
from rtfilter.errors import InputError, RtfilterError
from rtfilter.face.deform import Displacement
from rtfilter.face.fit import FaceState
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from rtfilter.system.arrays import U8

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
# RGB uint8 [H, W, 3] of frame A, its face, and the expression float64 [52] of frame B, to the edited picture.
Edit = Callable[[U8, FaceState, F64], U8]


class StageMissing(RtfilterError):
    """A stage cannot be shown; the message is the reason."""


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Stage:
    """One way to edit. edit: see `Edit`; it must not keep or change the picture that it is given."""

    name: str
    edit: Edit
    close: Callable[[], None] = _nothing


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a stage may learn from and use.

    clips: of the person, see `Clip.lesson`; frames from `Clip.test_from` on are the test. maps: in place of
    the built-in ones, such as some that were learned without this person.
    """

    model: MorphableModel
    clips: Sequence[Clip]
    maps: SkinMaps | None = None


def no_edit(_lesson: Lesson) -> Stage:
    """Frame A as it is."""
    return Stage("no edit", lambda rgb, _face, _expression: rgb)


def warp(lesson: Lesson) -> Stage:
    """Displacement of the landmarks; mouth and eyes stretch with them."""
    options: dict[str, Any] = {"rigid_parts": False} if _has(RingedMesh, "rigid_parts") else {}
    mesh = RingedMesh(lesson.model.triangles, lesson.model.holes, **options)
    return _rendered("warp", lesson.model, lesson.model.expression_basis, CpuRenderer(mesh))


def rigid_parts(lesson: Lesson) -> Stage:
    """And the mouth's inside, irises and brows move as what they are."""
    if not _has(RingedMesh, "rigid_parts"):
        raise StageMissing("the mesh of this version has no rigid parts")
    mesh = RingedMesh(lesson.model.triangles, lesson.model.holes)
    basis = getattr(lesson.model, "edit_basis", lesson.model.expression_basis)
    return _rendered("rigid parts", lesson.model, basis, CpuRenderer(mesh))


def light(_lesson: Lesson) -> Stage:
    """And skin is lit by its new normals."""
    raise StageMissing("the renderer of this version changes no light")


def ratio_maps(_lesson: Lesson) -> Stage:
    """And folds come and go by the built-in skin maps, or by those of `Lesson.maps`."""
    raise StageMissing("the renderer of this version has no skin maps")


def own_maps(_lesson: Lesson) -> Stage:
    """And by maps that were fitted on the first part of the clip."""
    raise StageMissing("this version enrols no one")


def generated(_lesson: Lesson) -> Stage:
    """And by a generator of this person's texture."""
    raise StageMissing("no generator was trained of this person")


STAGES: Final[Mapping[str, Callable[[Lesson], Stage]]] = {
    "no edit": no_edit,
    "warp": warp,
    "rigid parts": rigid_parts,
    "light": light,
    "ratio maps": ratio_maps,
    "own maps": own_maps,
    "generator": generated,
}


def open_stages(lesson: Lesson) -> tuple[list[Stage], dict[str, str]]:
    """All stages that can be shown, in order, and why the others cannot, by name."""
    stages: list[Stage] = []
    missing: dict[str, str] = {}
    for name, make in STAGES.items():
        try:
            stages.append(make(lesson))
        except StageMissing as reason:
            missing[name] = str(reason)
    return stages, missing


def _rendered(name: str, model: MorphableModel, basis: F32, renderer: CpuRenderer) -> Stage:
    """A stage that displaces landmarks by `basis` float32 [52, 478, 3] and does no more."""

    def edit(rgb: U8, face: FaceState, expression: F64) -> U8:
        return renderer.render(Frame.from_rgb(rgb), displacement(model, basis, face, expression)).rgb

    return Stage(name, edit, renderer.close)


def displacement(model: MorphableModel, basis: F32, face: FaceState, expression: F64) -> Displacement:
    """Of A's landmarks to B's expression, in A's pose."""
    moved = np.einsum("e,enc->nc", expression - face.expression, basis.astype(np.float64))
    points = face.pose.project(face.shape_iod).astype(np.float32)
    offset = face.pose.project_vectors(moved).astype(np.float32)
    return Displacement(points, offset, face.pose.scale_px_per_iod)


def read_maps(path: Path) -> SkinMaps:
    """Skin maps of a file. Raises InputError."""
    try:
        return SkinMaps.from_npz(io.BytesIO(path.read_bytes()), str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot read the skin maps ({error.strerror}): check the path") from error


def _has(kind: type, parameter: str) -> bool:
    return parameter in inspect.signature(kind).parameters
