"""The kernels of the skin's gain, on the processor, against the CPU lane: grid, box and pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.face import landmarks as lm
from rtfilter.face import skin as reference
from rtfilter.face.deform import Displacement
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.kernels import skin as kernel
from rtfilter.kernels.cpu.gain import quiet_gain
from rtfilter.kernels.skin import SkinTable
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from tests.faces import builtin
from tests.kernels.on_host import Bench, Skin, Warped, in_both_orders
from tests.kernels.test_warp import CASES, case_of

# Measured over the cases below: gains are at most 1.6e-5 apart, the maps' steps among it.
GAIN = 1e-4


def random_maps(count: int, side: int, seed: int = 0) -> SkinMaps:
    """Smooth maps: waves of a third of the face and longer."""
    rng = np.random.default_rng(seed)
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    waves = [np.sin(rng.uniform(2, 18) * x + rng.uniform(2, 18) * y + k) for k in range(count)]
    mixing = rng.normal(0.0, 0.6, (count, BLENDSHAPE_COUNT))
    return SkinMaps(np.float32(0.15 * np.array(waves)), np.float32(mixing), np.float32([1.0, 0.8, 1.2]))


def lit(moved: Displacement, maps: SkinMaps, seed: int = 0) -> tuple[Displacement, Skin]:
    """A displacement with gains by maps and light, for both lanes."""
    rng = np.random.default_rng(seed)
    offset = rng.normal(0.0, 0.3, BLENDSHAPE_COUNT).astype(np.float32)
    light = (0.1 * np.sin(np.arange(lm.LANDMARK_COUNT) / 40)).astype(np.float32)
    weights = maps.weights(offset, offset)
    return replace(moved, skin_weights=weights, gain_log=light), Skin(maps, offset, light)


@pytest.fixture(scope="module")
def mesh() -> RingedMesh:
    return RingedMesh(builtin().triangles, builtin().holes)


@pytest.fixture(scope="module")
def renderer(mesh: RingedMesh) -> Iterator[CpuRenderer]:
    made = CpuRenderer(mesh)
    yield made
    made.close()


def warped(bench: Bench, mesh: RingedMesh, frame: Frame, moved: Displacement, skin: Skin) -> Warped:
    place = (moved.points_px, moved.offset_px, moved.iod_px)
    return Warped(bench, mesh.topology(), frame.rgb, *place, skin=skin)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("count", "side"), [(16, 256), (5, 33), (1, 1)], ids=str)
def test_the_gain_is_the_cpu_lanes(
    name: str, count: int, side: int, renderer: CpuRenderer, mesh: RingedMesh
) -> None:
    maps = random_maps(count, side)
    frame, still = case_of(name)
    moved, skin = lit(still, maps)
    renderer.use_skin(maps)
    want = renderer.render(frame, moved)
    field = renderer.field(moved, lit=True)
    for bench in in_both_orders() if side == 33 else [Bench()]:
        got = warped(bench, mesh, frame, moved, skin)
        assert got.report["lit"] == 1
        assert np.abs(got.gain - field.gain).max() < GAIN
        assert np.abs(field.gain).max() > 0.05
        assert got.box == want.changed == got.wanted
        apart = np.abs(got.rgb.astype(int) - want.rgb).max(2)
        assert apart.max() <= 1
        assert (apart > 0).mean() < 2e-3


def test_light_alone_shows_on_a_face_that_does_not_move(renderer: CpuRenderer, mesh: RingedMesh) -> None:
    frame, moved = case_of("frontal")
    still = replace(moved, offset_px=np.zeros_like(moved.offset_px))
    maps = random_maps(3, 16)
    moved, skin = lit(still, maps)
    renderer.use_skin(maps)
    want = renderer.render(frame, moved)
    got = warped(Bench(), mesh, frame, moved, skin)
    assert got.box == want.changed
    assert np.abs(got.rgb.astype(int) - want.rgb).max() <= 1
    assert (got.rgb != frame.rgb).any(2).sum() > 5000


@pytest.mark.parametrize("share", [0.0, 1e-4])
def test_a_gain_that_changes_no_level_draws_nothing(share: float, mesh: RingedMesh) -> None:
    frame, moved = case_of("frontal")
    still = replace(moved, offset_px=np.zeros_like(moved.offset_px))
    _, skin = lit(still, random_maps(3, 16))
    faint = Skin(skin.maps, share * skin.offset, share * skin.gain_log)
    got = warped(Bench(), mesh, frame, still, faint)
    assert (got.report["rows"], got.report["lit"]) == (0, 0)
    assert np.array_equal(got.rgb, frame.rgb)


def test_no_gain_is_the_warp_alone(mesh: RingedMesh) -> None:
    """Maps without weight, and no maps at all: the same bits."""
    frame, moved = case_of("frontal")
    none = Skin(random_maps(3, 16), np.zeros(BLENDSHAPE_COUNT), np.zeros(lm.LANDMARK_COUNT))
    place = (moved.points_px, moved.offset_px, moved.iod_px)
    want = Warped(Bench(), mesh.topology(), frame.rgb, *place)
    got = warped(Bench(), mesh, frame, moved, none)
    assert np.array_equal(got.rgb, want.rgb)
    assert got.box == want.box


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("where", ["offset", "light"])
def test_what_is_no_number_is_the_cpu_lanes(
    bad: float, where: str, renderer: CpuRenderer, mesh: RingedMesh
) -> None:
    frame, moved = case_of("frontal")
    maps = random_maps(3, 16)
    renderer.use_skin(maps)
    moved, skin = lit(moved, maps)
    if where == "light":
        light = skin.gain_log.copy()
        light[4] = bad
        moved, skin = replace(moved, gain_log=light), replace(skin, gain_log=light)
    else:
        offset = skin.offset.copy()
        offset[7] = bad
        with np.errstate(invalid="ignore", over="ignore"):
            weights = maps.weights(offset, offset)
        moved, skin = replace(moved, skin_weights=weights), replace(skin, offset=offset)
    want = renderer.render(frame, moved).rgb
    got = warped(Bench(), mesh, frame, moved, skin).rgb
    assert np.abs(got.astype(int) - want).max() <= 1


def test_a_row_keeps_its_maps_when_another_is_put() -> None:
    bench = Bench()
    table = SkinTable(bench.device, bench.stream, 3)
    maps = [random_maps(2 + n, 8 + n, n) for n in range(3)]
    for n in (0, 2, 1):
        table.put(n, maps[n].maps, maps[n].mixing, maps[n].colour)
    skins, rooms = (part.array for part in table.arrays)
    for n, one in enumerate(maps):
        row, count = skins[n], one.count
        assert (row["map_count"], row["side"]) == (count, one.side)
        steps = rooms[n, : one.maps.size].reshape(one.maps.shape)
        assert np.abs(steps * row["step"][:count, None, None] - one.maps).max() < 5e-6
        assert row["peak"][:count] == pytest.approx(one.peaks)
        assert row["mixing"][: one.mixing.size] == pytest.approx(one.mixing.ravel())
        assert row["quiet"] == pytest.approx(quiet_gain(one.colour))


@pytest.mark.parametrize(("count", "side"), [(17, 8), (2, 257)])
def test_maps_that_do_not_fit_are_refused(count: int, side: int) -> None:
    bench = Bench()
    table = SkinTable(bench.device, bench.stream, 1)
    maps, mixing = np.zeros((count, side, side), np.float32), np.zeros((count, 52), np.float32)
    with pytest.raises(ValueError, match="expected at most 16 of 256 x 256"):
        table.put(0, maps, mixing, np.ones(3, np.float32))


def test_both_lanes_have_room_for_the_same_maps() -> None:
    assert (kernel.SKIN_MAPS_MAX, kernel.SKIN_SIDE_MAX) == (reference.MAPS_MAX, reference.SIDE_MAX)
    assert kernel.SKIN_NUMBERS == BLENDSHAPE_COUNT
