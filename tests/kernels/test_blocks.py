"""The kernels' types, constants and block sizes in Python are those of the compiled .cu files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from rtfilter.face.skin import GAIN_MAX
from rtfilter.kernels import blocks, launch, room, skin, source, topology, warp
from rtfilter.kernels.cpu import iris, paint_row, rasterise, resample
from rtfilter.kernels.cpu import room as cpu_room
from rtfilter.render import cpu, gain
from tests.host_gpu import build as host_build

CONSTANT = re.compile(r"^constexpr (?:int|float) (\w+) = ([^;]+);", re.M)


def constants() -> dict[str, float]:
    """Every named constant of the .cu files, evaluated in their order."""
    known: dict[str, float] = {}
    for name, text in CONSTANT.findall(source.translation_unit()):
        expression = re.sub(r"(?<=[\d.])f\b", "", text)
        known[name] = eval(expression, {"__builtins__": {}}, dict(known))
    return known


def test_every_field_says_what_it_is() -> None:
    for name, body in re.findall(r"struct (\w+Parameters) \{(.*?)\n\};", source.translation_unit(), re.S):
        for line in body.strip().splitlines():
            assert "//" in line, f"{name}: {line.strip()!r} has no comment"


def test_the_compiled_structs_lie_as_the_types(tmp_path: Path) -> None:
    """Sizes and places, as the host's compiler lays them out; NVRTC follows the host's rules on purpose."""
    lines = []
    for name, dtype in blocks.STRUCTS.items():
        assert dtype.fields is not None
        lines.append(f"static_assert(sizeof({name}) == {dtype.itemsize});")
        for field, (kind, offset, *_) in dtype.fields.items():
            lines.append(f"static_assert(__builtin_offsetof({name}, {field}) == {offset});")
            lines.append(f"static_assert(sizeof({name}::{field}) == {kind.itemsize});")
    text = host_build.host_unit() + "\n".join(lines) + "\n"
    assert host_build.compile_unit(host_build.find_compiler(), text)
    with pytest.raises(Exception, match="static assertion"):
        host_build.compile_unit(
            host_build.find_compiler(), text + "static_assert(sizeof(WarpReport) == 1);\n"
        )


@pytest.mark.parametrize(
    "module",
    [launch, warp, topology, skin, room, cpu_room, resample, paint_row, iris],
    ids=lambda module: module.__name__,
)
def test_constants_have_the_same_names_and_values(module: object) -> None:
    known = constants()
    shared = {name for name in vars(module) if name in known}
    for name in shared:
        assert getattr(module, name) == known[name], name
    wanted = {
        launch: {"CROP_BLOCK_X", "CROP_BLOCK_Y", "POINTS_BLOCK", "YUV_BLOCK_X", "YUV_BLOCK_Y",
                 "EDIT_BLOCK_X", "EDIT_BLOCK_Y", "CARRY_BLOCK"},
        warp: {"MESH_BLOCK", "MESH_VERTICES_MAX", "GRID_CELLS", "RASTER_BLOCK", "RASTER_LANES", "FLOW_BLOCK",
               "RESAMPLE_TILE_X", "RESAMPLE_TILE_Y", "PHASES", "WEIGHTS_ROW", "WEIGHTS_OF_SIX",
               "IRIS_BLOCK", "IRIS_NUMBERS"},
        topology: {"MESH_BLOCK", "MESH_VERTICES_MAX", "MESH_OVAL_MAX", "MESH_LOOPS_MAX", "MESH_OPENINGS_MAX",
                   "MESH_RIM_MAX", "LIMIT_LANDMARKS_MAX", "LIMIT_SHAPES_MAX"},
        skin: {"SKIN_BLOCK", "SKIN_MAPS_MAX", "SKIN_SIDE_MAX", "SKIN_NUMBERS", "SKIN_TEXELS"},
        room: {"LIMIT_BLOCK", "ROOM_SIDE_MAX", "ROOM_PLACES"},
        cpu_room: {"SLOPE", "STILL_CELLS", "STILL_MORE_PX", "FADE_CELLS", "IRIS_FADE_RADII", "SHAPE_LEAST",
                   "SHAPE_MEMBER"},
        resample: {"PHASES"},
        paint_row: {"PHASES", "PHASE_BITS"},
        iris: {"IRIS_HEAD", "IRIS_PLACES", "IRIS_BINS", "IRIS_PROFILE", "IRIS_NUMBERS", "IRIS_REACH",
               "IRIS_FADE", "IRIS_LEAST_PX", "IRIS_LEAST_MOVE", "IRIS_SHADE", "IRIS_SHADE_DEPTH",
               "IRIS_WEIGHT", "IRIS_ENOUGH",
               "IRIS_FINE_PX"},
    }  # fmt: skip
    assert wanted[module] <= shared


def test_the_cpu_renderers_choices_are_the_kernels() -> None:
    known = constants()
    assert known["GRID_MAX"] == cpu.GRID_MAX
    assert known["CELLS_PER_IOD"] == cpu.CELLS_PER_IOD
    assert known["LARGE_IOD_PX"] == cpu.LARGE_IOD_PX
    assert np.float32(known["STILL_PX"]) == np.float32(cpu.STILL_PX)
    assert (known["LABEL_SKIN"], known["LABEL_SHARP"]) == (rasterise.SKIN, rasterise.SHARP)
    assert known["GAIN_MAX"] == GAIN_MAX
    assert known["SKIN_WEIGHT_MAX"] == gain.WEIGHT_MAX
    assert known["SKIN_MIXING"] == skin.SKIN_MAPS_MAX * skin.SKIN_NUMBERS


def test_the_kernels_stay_plain() -> None:
    text = source.translation_unit()
    assert "#include" not in text
    assert "asm" not in text
    assert len(set(source.kernel_names())) == text.count("__global__")


def test_the_kernels_compile_without_a_warning() -> None:
    strict = ("-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused-const-variable")
    assert host_build.compile_unit(host_build.find_compiler(), host_build.host_unit(), *strict)


def test_the_ramps_of_irises_are_the_cpu_lanes() -> None:
    known = constants()
    for name in ("OPEN", "COVERS", "UPPER", "LOWER"):
        assert (known[f"IRIS_{name}_FROM"], known[f"IRIS_{name}_TO"]) == getattr(iris, f"IRIS_{name}")
    assert known["IRIS_OVERLAP"] == iris.IRIS_OVERLAP
