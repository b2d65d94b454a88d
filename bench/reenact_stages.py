"""The ways to edit that `bench reenact` compares, from no edit on; each is another one and one thing more.

To add one: a function from `Lesson` to `Stage`, and a `Rung` in STAGES. It may raise `StageMissing` with the
reason. Called by `bench.reenact`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rtfilter.bench.reenact_footage import Clip
from rtfilter.engines.expression.texture_delta import TextureDelta
from rtfilter.errors import InputError, RtfilterError
from rtfilter.face.deform import Displacement
from rtfilter.face.fit import FaceState
from rtfilter.face.light import LightWatch, Shading
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.profiles.fit import Seen, fit_person
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.luma import luma_around
from rtfilter.render.mesh import RingedMesh
from rtfilter.system.arrays import U8

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
OWN_FRAMES: Final = 240  # of a clip's first part, from which a person's own maps are fitted
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
    the built-in ones, such as some that were learned without this person. texture: the person's generator, a
    file of `rtfilter learn texture-export`, or a folder with CLIP.texture.onnx for each clip.
    """

    model: MorphableModel
    clips: Sequence[Clip]
    maps: SkinMaps | None = None
    texture: Path | None = None


def no_edit(_lesson: Lesson) -> Stage:
    """Frame A as it is."""
    return Stage("no edit", lambda rgb, _face, _expression: rgb)


def warp(lesson: Lesson) -> Stage:
    """Displacement of the landmarks; mouth and eyes stretch with them."""
    return _rendered("warp", lesson, Means(rigid=False))


def rigid_parts(lesson: Lesson) -> Stage:
    """And the mouth's inside, irises and brows move as what they are."""
    return _rendered("rigid parts", lesson, Means())


def light(lesson: Lesson) -> Stage:
    """And skin is lit by its new normals, under the light of the first part."""
    return _rendered("light", lesson, Means(light=_light_of(lesson)))


def ratio_maps(lesson: Lesson) -> Stage:
    """And folds come and go by the built-in skin maps, or by those of `Lesson.maps`; without light."""
    return _rendered("ratio maps", lesson, Means(skin=_maps_of(lesson)))


def maps_and_light(lesson: Lesson) -> Stage:
    """Both."""
    return _rendered("maps and light", lesson, Means(skin=_maps_of(lesson), light=_light_of(lesson)))


def own_maps(lesson: Lesson) -> Stage:
    """And by maps that were fitted on the first parts of the clips, from the built-in or given ones on."""
    frames: list[Seen] = []
    for clip in lesson.clips:
        step = max(1, clip.test_from // OWN_FRAMES)
        frames += [Seen(rgb, seen.points_px, seen.face.expression) for rgb, seen in clip.lesson(step)]
    try:
        skin = fit_person(frames, lesson.maps or SkinMaps.builtin(), model=lesson.model)
    except InputError as error:
        raise StageMissing(str(error)) from error
    return _rendered("own maps", lesson, Means(skin=skin))


def generated(lesson: Lesson) -> Stage:
    """And by a generator of this person's texture, in place of maps; without light."""
    if lesson.texture is None:
        raise StageMissing("no generator of this person: give --texture, of `rtfilter learn texture-export`")
    path = lesson.texture
    if path.is_dir():
        path = path / f"{lesson.clips[0].name}.texture.onnx"
        if not path.is_file():
            raise StageMissing(f"{path}: no such file")
    return _rendered("generator", lesson, Means(texture=TextureDelta.load(path)))


class Rung(NamedTuple):
    """How a stage is made, and the stage that it is compared with ("" is none)."""

    make: Callable[[Lesson], Stage]
    over: str


STAGES: Final[Mapping[str, Rung]] = {
    "no edit": Rung(no_edit, ""),
    "warp": Rung(warp, "no edit"),
    "rigid parts": Rung(rigid_parts, "warp"),
    "light": Rung(light, "rigid parts"),
    "ratio maps": Rung(ratio_maps, "rigid parts"),
    "maps and light": Rung(maps_and_light, "ratio maps"),
    "own maps": Rung(own_maps, "ratio maps"),
    "generator": Rung(generated, "own maps"),
}


def open_stages(lesson: Lesson) -> tuple[list[Stage], dict[str, str]]:
    """All stages that can be shown, in order, and why the others cannot, by name."""
    stages: list[Stage] = []
    missing: dict[str, str] = {}
    for name, rung in STAGES.items():
        try:
            stages.append(rung.make(lesson))
        except StageMissing as reason:
            missing[name] = str(reason)
    return stages, missing


def compared_with(shown: Sequence[str]) -> dict[str, str]:
    """By stage, the one it is compared with: its own, or where that is missing, the one below that."""
    found = {}
    for name in shown:
        over = STAGES[name].over
        while over and over not in shown:
            over = STAGES[over].over
        if over:
            found[name] = over
    return found


@dataclass(frozen=True, slots=True)
class Means:
    """What an edit may use. rigid: see `RingedMesh`. light: see `LightWatch.value`. texture: in place of
    skin."""

    rigid: bool = True
    skin: SkinMaps | None = None
    light: F32 | None = None
    texture: TextureDelta | None = None


def _rendered(name: str, lesson: Lesson, means: Means) -> Stage:
    """A stage that renders with these means."""
    model = lesson.model
    mesh = RingedMesh(model.triangles, model.holes, rigid_parts=means.rigid)
    renderer = CpuRenderer(mesh, means.skin)
    basis = model.edit_basis if means.rigid else model.expression_basis
    shading = Shading.of(model)

    def edit(rgb: U8, face: FaceState, expression: F64) -> U8:
        offset = expression - face.expression
        moved = displacement(basis, face, offset)
        if means.skin is not None:
            moved = replace(moved, skin_weights=means.skin.weights(face.expression, offset))
        if means.texture is not None:
            renderer.use_skin(means.texture.maps(face.expression, offset))
            moved = replace(moved, skin_weights=np.ones(1, np.float32))
        if means.light is not None:
            gain = shading.gain_log(means.light, face.pose.rotation, offset)
            moved = replace(moved, gain_log=gain)
        return renderer.render(Frame.from_rgb(rgb), moved).rgb

    def close() -> None:
        renderer.close()
        if means.texture is not None:
            means.texture.close()

    return Stage(name, edit, close)


def _light_of(lesson: Lesson) -> F32:
    """The light at the end of the first part, as the filter sees it: its frames one after another."""
    watch = LightWatch(Shading.of(lesson.model))
    for clip in lesson.clips:
        for rgb, seen in clip.lesson():
            if watch.due(seen.time_s):
                scale = seen.face.pose.scale_px_per_iod
                watch.see(luma_around(rgb, seen.points_px, scale), seen.face, seen.time_s)
    if not watch.value.any():
        raise StageMissing("no frame of the first part shows the light")
    return watch.value


def _maps_of(lesson: Lesson) -> SkinMaps:
    maps = lesson.maps or SkinMaps.builtin()
    if maps.count == 0:
        raise StageMissing("this version has no built-in skin maps: give --maps FILE")
    return maps


def displacement(basis: F32, face: FaceState, offset: F64) -> Displacement:
    """Of A's landmarks by an offset [52] of the expression, in A's pose. basis: float32 [52, 478, 3]."""
    moved = np.einsum("e,enc->nc", offset, basis.astype(np.float64))
    points = face.pose.project(face.shape_iod).astype(np.float32)
    offset_px = face.pose.project_vectors(moved).astype(np.float32)
    return Displacement(points, offset_px, face.pose.scale_px_per_iod)
