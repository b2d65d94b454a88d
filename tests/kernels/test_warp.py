"""The warp's kernels on the processor against the CPU lane: same grid, same flow, same box, same pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from rtfilter.face import landmarks as lm
from rtfilter.face.deform import Displacement
from rtfilter.face.pose import Pose
from rtfilter.frame import Frame
from rtfilter.kernels import blocks
from rtfilter.kernels.warp import Warp
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from tests.faces import builtin, coefficients, face_px, rotation, texture
from tests.kernels.on_host import Bench, Box, Warped, in_both_orders, padded_rows

SMILE = coefficients(mouthSmile=1.0, browInnerUp=0.8, cheekSquint=0.5, eyeWide=0.5)
# Measured over the cases below: the flow is at most 3.2e-5 px apart (single numbers against double ones), and
# one pixel in 4800 of the picture a grey level, where a sum's rounding falls on a half.
FLOW_PX = 2e-4
ROUNDED_SHARE = 4e-4


@pytest.fixture(scope="module")
def mesh() -> RingedMesh:
    model = builtin()
    return RingedMesh(model.triangles, model.holes)


@pytest.fixture(scope="module")
def renderer(mesh: RingedMesh) -> Iterator[CpuRenderer]:
    made = CpuRenderer(mesh)
    yield made
    made.close()


def displaced(points: np.ndarray, iod_px: float, head: np.ndarray, amount: float = 1.0) -> Displacement:
    offset = Pose(head, np.zeros(3), iod_px).project_vectors(builtin().displacement_iod(amount * SMILE))
    return Displacement(points.astype(np.float32), offset.astype(np.float32), iod_px)


# Picture, IOD in pixels, head, and the face's middle in shares of the picture.
CASES = {
    "frontal": ((320, 240), 60.0, rotation(), (0.5, 0.5)),
    "turned, nodding, rolled": ((320, 240), 55.0, rotation(35.0, -15.0, 20.0), (0.5, 0.5)),
    "in profile": ((320, 240), 60.0, rotation(75.0), (0.5, 0.5)),
    "small, cells of a pixel": ((320, 240), 20.0, rotation(10.0), (0.4, 0.6)),
    "large, four taps": ((640, 480), 150.0, rotation(), (0.5, 0.5)),
    "odd picture, cut by its corner": ((321, 241), 70.0, rotation(), (0.02, 0.05)),
    "cut at the far corner": ((321, 239), 70.0, rotation(), (0.97, 0.98)),
    "larger than the picture": ((160, 120), 140.0, rotation(), (0.5, 0.5)),
}


def case_of(name: str) -> tuple[Frame, Displacement]:
    (width, height), iod_px, head, (x, y) = CASES[name]
    pose = Pose(head, np.array([x * width, y * height, 0.0]), iod_px)
    frame = Frame.from_rgb(texture(width, height))
    return frame, displaced(face_px(pose), iod_px, head)


def warped(
    bench: Bench, mesh: RingedMesh, frame: Frame, moved: Displacement, region: Box | None = None
) -> Warped:
    return Warped(bench, mesh.topology(), frame.rgb, moved.points_px, moved.offset_px, moved.iod_px, region)


@pytest.mark.parametrize("name", CASES)
def test_the_warp_is_the_cpu_lanes(name: str, renderer: CpuRenderer, mesh: RingedMesh) -> None:
    frame, moved = case_of(name)
    want = renderer.render(frame, moved)
    flow = renderer.field(moved).flow
    for bench in in_both_orders():
        got = warped(bench, mesh, frame, moved)
        assert got.flow.shape == flow.shape
        assert np.abs(got.flow - flow).max() < FLOW_PX
        assert got.box == want.changed == got.wanted
        apart = np.abs(got.rgb.astype(int) - want.rgb).max(2)
        assert apart.max() <= 1
        assert (apart > 0).mean() < ROUNDED_SHARE


@pytest.mark.parametrize("name", CASES)
def test_ring_and_openings_are_the_cpu_lanes(name: str, renderer: CpuRenderer, mesh: RingedMesh) -> None:
    """Vertices on the grid and their flow, before anything is drawn. Measured: 3e-5 cells, 3e-5 px."""
    frame, moved = case_of(name)
    vertices, offsets = mesh.extend(moved)
    origin = renderer.field(moved).origin
    got = warped(Bench(), mesh, frame, moved)
    count = len(vertices)
    places = (vertices[:, :2].astype(np.float64) - origin[:2]) / origin[2]
    assert np.abs(got.vertices[:count, :2] - places).max() < 2e-4
    assert np.abs(got.vertices[:count, 2] - vertices[:, 2]).max() < 1e-3
    assert np.abs(got.flows[:count] + offsets).max() < 1e-4


@pytest.mark.parametrize("part", ["eye", "mouth"])
def test_openings_are_the_cpu_lanes_from_open_to_shut(part: str, mesh: RingedMesh) -> None:
    """And beyond, where the edges cross. The offset opens the eye, and lifts and widens the mouth."""
    rims = {
        "eye": (lm.EYE_LEFT_UPPER, lm.EYE_LEFT_LOWER),
        "mouth": (lm.LIPS_INNER_UPPER, lm.LIPS_INNER_LOWER),
    }
    open_px = face_px()
    open_px[list(lm.LIPS_INNER_LOWER), 1] += 8.0
    offset = np.zeros((lm.LANDMARK_COUNT, 2), np.float32)
    offset[list(lm.IRIS_LEFT)], offset[list(lm.EYE_LEFT_UPPER)] = (2.0, -1.0), (0.0, -1.5)
    offset[list(lm.LIPS_INNER_UPPER)], offset[lm.INNER_CORNER_LEFT] = (0.0, -4.0), (5.0, -7.0)
    for share in np.linspace(0.0, 1.2, 8):
        points = open_px.copy()
        for upper, lower in zip(*rims[part], strict=True):
            points[upper] += share * (points[lower] - points[upper])
        moved = Displacement(points, offset, 60.0)
        _, offsets = mesh.extend(moved)
        got = warped(Bench(), mesh, Frame.from_rgb(texture()), moved)
        assert np.abs(got.flows[: len(offsets)] + offsets).max() < 1e-4


@pytest.mark.parametrize("size", [0.0, 1e-4, -0.041])
def test_what_is_still_is_not_drawn(size: float, mesh: RingedMesh) -> None:
    frame = Frame.from_rgb(texture())
    offset = np.full((lm.LANDMARK_COUNT, 2), size, np.float32)
    got = warped(Bench(), mesh, frame, Displacement(face_px(), offset, 60.0))
    assert (got.report["rows"], got.report["columns"]) == (0, 0)
    assert got.box[0] == got.box[2]
    assert np.array_equal(got.rgb, frame.rgb)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e12])
@pytest.mark.parametrize("where", ["a point", "an offset", "all points", "the scale"])
def test_numbers_that_are_none_change_nothing(bad: float, where: str, mesh: RingedMesh) -> None:
    frame, moved = case_of("frontal")
    points, offset, iod_px = moved.points_px.copy(), moved.offset_px.copy(), moved.iod_px
    if where == "a point":
        points[4, 1] = bad
    elif where == "an offset":
        offset[lm.FACE_OVAL[3], 0] = bad
    elif where == "all points":
        points[:] = bad
    else:
        iod_px = bad
    got = warped(Bench(), mesh, frame, Displacement(points, offset, iod_px))
    assert got.report["rows"] == 0
    assert np.array_equal(got.rgb, frame.rgb)


@pytest.mark.parametrize("iod_px", [0.0, -50.0, 1e-30])
def test_a_scale_of_nothing_does_no_harm(iod_px: float, mesh: RingedMesh) -> None:
    frame, moved = case_of("frontal")
    got = warped(Bench(), mesh, frame, Displacement(moved.points_px, moved.offset_px, iod_px))
    assert got.report["cell_px"] >= 1.0


def test_a_grid_is_never_larger_than_its_memory(renderer: CpuRenderer, mesh: RingedMesh) -> None:
    """A face a hundred times wider than its own scale: cells grow, as on the CPU."""
    frame, moved = case_of("larger than the picture")
    points = moved.points_px * np.float32([30.0, 11.0, 1.0])
    stretched = Displacement(points, moved.offset_px, 25.0)
    flow, _, origin = renderer.field(stretched)
    got = warped(Bench(), mesh, frame, stretched)
    assert got.flow.shape == flow.shape
    assert max(flow.shape) > 510
    assert got.report["cell_px"] == origin[2]
    assert got.box == renderer.render(frame, stretched).changed


def test_a_region_around_the_face_is_enough(renderer: CpuRenderer, mesh: RingedMesh) -> None:
    frame, moved = case_of("frontal")
    want = renderer.render(frame, moved)
    assert want.changed is not None
    x0, y0, x1, y1 = want.changed
    got = warped(Bench(), mesh, frame, moved, (x0 - 12, y0 - 12, x1 + 12, y1 + 12))
    assert got.box == got.wanted == want.changed
    assert np.array_equal(got.rgb, want.rgb)


def test_a_region_that_is_too_small_cuts_the_box_and_tells(renderer: CpuRenderer, mesh: RingedMesh) -> None:
    frame, moved = case_of("frontal")
    want = renderer.render(frame, moved)
    got = warped(Bench(), mesh, frame, moved, (120, 60, 200, 160))
    assert got.box == (120, 60, 200, 160)
    assert got.wanted == want.changed
    inside = (slice(75, 145), slice(135, 185))
    assert np.array_equal(got.rgb[inside], want.rgb[inside]), "what the region's edge does not reach is right"


def test_three_faces_at_once_are_three_alone(mesh: RingedMesh) -> None:
    bench, names = Bench(), ("frontal", "small, cells of a pixel", "turned, nodding, rolled")
    cases = [case_of(name) for name in names]
    rgb = cases[0][0].rgb
    warp = Warp(bench.device, bench.stream, mesh.topology(), 3)
    source, size = padded_rows(rgb), rgb.shape[0] * ((3 * rgb.shape[1] + 3) // 4 * 4)
    soften, resample = np.zeros(3, blocks.SOFTEN), np.zeros(3, blocks.RESAMPLE)
    for n in range(3):
        for name, value in (("width", rgb.shape[1]), ("height", rgb.shape[0])):
            soften[n][f"picture_{name}"] = soften[n][f"region_{name}"] = resample[n][f"region_{name}"] = value
        resample[n]["source_pitch"] = resample[n]["changed_pitch"] = source.shape[1]
        resample[n]["changed_offset"] = n * size
    changed = bench.empty(3 * size, np.uint8)
    points, offset = (np.stack([getattr(d, name) for _, d in cases]) for name in ("points_px", "offset_px"))
    shown = (bench.put(points), bench.put(offset), bench.put(np.float32([d.iod_px for _, d in cases])))
    for _ in range(2):
        warp.find_flow(bench.stream, *shown, bench.put(soften))
        warp.resample(bench.stream, bench.put(resample), bench.put(source), changed)
        bench.stream.wait()
    for n, (frame, moved) in enumerate(cases):
        alone = warped(Bench(), mesh, frame, moved)
        report = warp.reports.array[n]
        assert report == alone.report
        x0, y0, x1, y1 = alone.box
        rows = changed.array[n * size : (n + 1) * size].reshape(rgb.shape[0], -1)[: y1 - y0, : 3 * (x1 - x0)]
        assert np.array_equal(rows.reshape(y1 - y0, x1 - x0, 3), alone.rgb[y0:y1, x0:x1])


def test_a_mesh_that_does_not_fit_is_refused(mesh: RingedMesh) -> None:
    whole = mesh.topology()
    for change in (
        {"oval": np.arange(65, dtype=np.int32)},
        {"loops": np.ones((5, 2), np.float32)},
        {"openings": whole.openings * 2},
        {"openings": (replace(whole.openings[0], rim=np.arange(5, dtype=np.int32)),)},
        {"openings": (replace(whole.openings[0], rim=np.arange(34, dtype=np.int32)),)},
        {"landmark_count": 900},
        {"triangles": whole.triangles + 500},
    ):
        with pytest.raises(ValueError, match="does not fit the kernels"):
            replace(whole, **change)


def test_a_mesh_that_stretches_is_for_the_cpu_alone() -> None:
    with pytest.raises(ValueError, match="rigid parts only"):
        RingedMesh(builtin().triangles, builtin().holes, rigid_parts=False).topology()
